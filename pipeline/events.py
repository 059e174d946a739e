"""What happened in a run: an append-only log, which the progress display, ``pipeline status`` and the report read."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.errors import StageError

EVENTS = "events.jsonl"

Event = dict[str, Any]
Listener = Callable[[Event], None]


class EventLog:
    """Appends events to ``FOLDER/events.jsonl``, one JSON object per line, and passes them to listeners.

    Every event has ``time`` (seconds since 1970) and ``event``: preparing, run_started, noted, started, finished,
    progress, worker_died, retried, job_failed, stage_failed, planned_again, run_interrupted, run_finished.
    Each line is written by one system call, so runs may share a log.
    """

    def __init__(self, folder: Path, *listeners: Listener) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.listeners = listeners
        self._path = folder / EVENTS
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        end = os.fstat(self._file).st_size
        if end and os.pread(self._file, 1, end - 1) != b"\n":  # of a crash, or of a full disk
            self._write("\n")

    def tell(self, listener: Listener) -> None:
        """Pass events to one more listener from now on."""
        self.listeners = (*self.listeners, listener)

    def emit(self, event: str, **fields: Any) -> None:
        record = {"time": round(time.time(), 3), "event": event} | fields
        self._write(json.dumps(record) + "\n")
        for listener in self.listeners:
            listener(record)

    def close(self) -> None:
        os.close(self._file)

    def _write(self, line: str) -> None:
        """Raises StageError if the disk takes no more."""
        try:
            if os.write(self._file, line.encode()) == len(line.encode()):
                return
            reason = "there was no room for all of a line"
        except OSError as error:
            reason = error.strerror or str(error)
        raise StageError(
            f"cannot write {self._path}: {reason}. What is done is kept: make room or choose another folder (--set "
            "runs=FOLDER), then run again"
        )


def follow_events(folder: Path) -> Iterator[Event | None]:
    """The events of a run, now and as they come; None whenever there is no further one for the moment."""
    at, begun = 0, b""
    while True:
        with (folder / EVENTS).open("rb") as file:  # which may be another one than before, as copies are replaced
            file.seek(at)
            new = file.read()
        at += len(new)
        *lines, begun = (begun + new).split(b"\n")
        for line in lines:
            with suppress(ValueError):  # of a crash, which has cut it short
                yield json.loads(line)
        if not lines:
            yield None


def read_events(folder: Path) -> Iterator[Event]:
    """The events of a run so far, without lines that a crash has cut short."""
    try:
        lines = (folder / EVENTS).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue
