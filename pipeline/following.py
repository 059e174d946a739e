"""The progress of a run that another process, perhaps on another machine, has started: shown from its events."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.events import Event, follow_events
from pipeline.progress import display_for

POLL = 1.0
"""Seconds between two looks at the events."""
BEGINNINGS = ("preparing", "run_started")
ENDS = ("run_finished", "run_interrupted")


class _Clock:
    """Tells the time of past events while they are shown, then that of now."""

    event: Event | None = None

    def __call__(self) -> float:
        return time.time() if self.event is None else float(self.event["time"])


def follow_run(folder: Path, console: Any, look: Callable[[], object] = lambda: None) -> None:
    """Show the last run in a folder as the process itself does, until the run ends or somebody presses Ctrl-C.

    look: called now and then; brings what is new to the folder.
    """
    clock = _Clock()
    display = display_for(console, clock)
    coming = follow_events(folder)
    before = list(iter(lambda: next(coming), None))
    starts = [i for i, event in enumerate(before) if event["event"] in BEGINNINGS]
    try:
        for event in before[starts[-1] if starts else 0 :]:
            clock.event = event
            display(event)
            if event["event"] in ENDS:
                return
        clock.event = None
        for new in coming:
            if new is None:
                time.sleep(POLL)
                look()
                continue
            display(new)
            if new["event"] in ENDS:
                return
    except KeyboardInterrupt:
        pass
    finally:
        display.close()
