"""What runs in progress have planned, as notes in the store: ``pipeline clean`` leaves it alone until they end.

A run writes its note anew every hour. So a run that was killed protects nothing any more: at once if it ran on this
machine, after a day if it ran elsewhere (see ``pipeline.writers``).
"""

import json
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

from pipeline.errors import PipelineError
from pipeline.plan import Plan
from pipeline.store import Store
from pipeline.writers import is_alive, writer_name

CLAIMS = "claims"
"""The notes' folder in the store."""
HEARTBEAT = 3600.0
"""Seconds between two signs of life."""


class Claim:
    """The claim of one run, held inside a ``with`` block."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._note = f"{CLAIMS}/{writer_name()}"
        self._paths: list[str] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        claimed(self._store)  # removes the claims of dead runs
        self._heart.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        with self._lock, suppress(OSError):  # of a store that cannot be written, into which there is no note
            self._store.remove_note(self._note)

    def hold(self, plan: Plan) -> None:
        """Claim all results that a plan names, done or not, in place of those claimed before."""
        planned = {path for node_plan in plan.nodes.values() for path in node_plan.paths(self._store)}
        self._paths = sorted(path.removeprefix(f"{self._store.root}/") for path in planned)
        self._write()

    def _write(self) -> None:
        with self._lock:
            if not self._ended.is_set():
                self._store.write_note(self._note, json.dumps({"time": time.time(), "planned": self._paths}))

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT):
            try:
                self._write()
            except PipelineError:
                continue  # a day is left for the next ones


def claimed(store: Store) -> set[str]:
    """The paths that runs in progress have claimed. The claims of dead runs are removed."""
    paths: set[str] = set()
    for name in store.notes(CLAIMS):
        text = store.read_note(f"{CLAIMS}/{name}")
        if text is None:
            continue  # its run has ended
        try:
            claim = json.loads(text)
            heard, planned = float(claim["time"]), list(claim["planned"])
        except (ValueError, TypeError, LookupError):
            continue  # not a claim
        if is_alive(name, heard):
            paths.update(f"{store.root}/{path}" for path in planned)
        else:
            store.remove_note(f"{CLAIMS}/{name}")
    return paths
