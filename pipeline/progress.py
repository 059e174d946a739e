"""Shows the progress of a run, from its events: bars on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from pipeline.events import Event
from pipeline.pace import Pace
from pipeline.texts import count, figures_text, sanitize

MANY = 20
"""With more stages than this (counting variants), a terminal shows only those at work, and one bar for all."""

NAMED = 20
"""Up to this many failed clips of a stage have a line each; all of them are in the run's failures.csv."""

EVERY = 10.0
"""Seconds between two plain lines about the same stage."""


class Display(Protocol):
    def __call__(self, event: Event) -> None: ...

    def close(self) -> None: ...


def display_for(console: Any, clock: Callable[[], float] = time.monotonic) -> Display:
    """The display that suits a rich console. clock: what time it is for bars, in seconds."""
    return Bars(console, clock) if console.is_terminal else Lines(console)


class Bars:
    """One bar per stage, in partitions or in the unit that a whole stage reports."""

    def __init__(self, console: Any, clock: Callable[[], float] = time.monotonic) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
            console=console,
            get_time=clock,
        )
        self._tasks: dict[str, Any] = {}
        self._all: Any = None
        """The bar for all results, if there are too many stages for a bar each."""
        self._failed: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._reporting: dict[str, float] = {}
        """Whole stages that report their own progress, with their total."""

    def __call__(self, event: Event) -> None:
        kind, name = event["event"], event.get("stage", "")
        if name and kind != "noted" and name not in self._tasks:
            self._add(name, None)  # of another run in the same folder
        if kind == "run_started":
            stages = {stage: todo for stage, todo in event["stages"].items() if todo}
            if len(stages) > MANY:
                self._all = self._bars.add_task("all", total=sum(stages.values()), note="")
            for stage, todo in stages.items():
                self._add(stage, todo)
            self._bars.start()
        elif kind == "planned_again":
            for stage, todo in event["stages"].items():
                if stage not in self._tasks:
                    self._add(stage, todo) if todo else None
                elif stage not in self._reporting:
                    self._bars.update(self._tasks[stage], total=self._done.get(stage, 0) + todo)
            if self._all is not None:
                total = sum(self._done.values()) + sum(event["stages"].values())
                self._bars.update(self._all, total=total)
        elif kind == "started":
            self._bars.start_task(self._tasks[name])
            self._bars.update(self._tasks[name], visible=True)
        elif kind == "progress":
            self._reporting[name] = event["total"]
            self._bars.update(
                self._tasks[name], completed=event["done"], total=event["total"], note=figures_text(event["figures"])
            )
        elif kind == "finished":
            self._failed[name] = self._failed.get(name, 0) + event["failed"]
            self._done[name] = self._done.get(name, 0) + 1
            task = self._tasks[name]
            if name in self._reporting:
                self._bars.update(task, completed=self._reporting[name])
            else:
                self._bars.advance(task)
            if self._failed[name]:
                self._bars.update(task, note=f"{self._failed[name]} failed")
            if self._all is not None:
                self._bars.advance(self._all)
                self._bars.update(task, visible=not self._bars.tasks[task].finished or bool(self._failed[name]))
        elif kind == "noted":
            self._bars.console.print(f"{name}: note: {sanitize(event['text'])}", markup=False, highlight=False)
        elif kind == "retried":
            self._bars.update(self._tasks[name], note="a worker died; trying again")
        elif kind == "stage_failed":
            self._bars.update(self._tasks[name], note="failed")
            self._bars.stop_task(self._tasks[name])

    def close(self) -> None:
        self._bars.stop()

    def _add(self, stage: str, todo: int | None) -> None:
        self._tasks[stage] = self._bars.add_task(stage, total=todo, note="", start=False, visible=self._all is None)


class Lines:
    """A line when a stage starts, when it ends, and every few seconds in between."""

    def __init__(self, console: Any) -> None:
        self._console = console
        self._todo: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._clips: dict[str, int] = {}
        self._began: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self._failed: dict[str, int] = {}
        self._paces: dict[str, Pace] = {}

    def __call__(self, event: Event) -> None:
        kind, name = event["event"], event.get("stage", "")
        if kind == "run_started":
            self._todo = event["stages"]
        elif kind == "planned_again":
            self._todo = {stage: self._done.get(stage, 0) + todo for stage, todo in event["stages"].items()}
        elif kind == "started" and name not in self._began:
            self._began[name] = self._last[name] = event["time"]
            self._say(f"{name}: started")
        elif kind == "finished":
            self._done[name] = self._done.get(name, 0) + 1
            self._clips[name] = self._clips.get(name, 0) + event["clips"]
            seconds = event["time"] - self._began.setdefault(name, event["time"])  # another run may have made it
            todo = self._todo.get(name, 1)
            if self._done[name] == todo:
                clips = f", {count(self._clips[name], 'clip')}" if todo > 1 else ""
                self._say(f"{name}: done in {seconds:.1f} s{clips}")
            elif self._due(name):
                self._say(f"{name}: {self._done[name]} of {todo} partitions, {self._clips[name] / seconds:.1f} clips/s")
            for clip_id, error in event.get("failures", ()):
                self._failed[name] = self._failed.get(name, 0) + 1
                if self._failed[name] <= NAMED:
                    self._say(f"{name}: {clip_id}: {error}")
                elif self._failed[name] == NAMED + 1:
                    self._say(f"{name}: more clips failed; pipeline failures lists them when the run has ended")
        elif kind == "progress":
            text = self._paces.setdefault(name, Pace()).text(event)
            if self._due(name):
                self._say(f"{name}: {text}")
        elif kind == "noted":
            self._say(f"{name}: note: {event['text']}")
        elif kind == "retried":
            how = "clip by clip" if event["one_by_one"] else "again"
            self._say(f"{name}: a worker died; partition {event['partition'] + 1} is tried {how}")
        elif kind == "stage_failed":
            self._say(f"{name}: failed")

    def close(self) -> None:
        pass

    def _due(self, name: str) -> bool:
        now = time.time()
        if now - self._last.get(name, 0) < EVERY:
            return False
        self._last[name] = now
        return True

    def _say(self, text: str) -> None:
        self._console.print(sanitize(text), markup=False, highlight=False, soft_wrap=True)
