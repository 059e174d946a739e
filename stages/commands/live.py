"""The tables of a recognition while it runs: a video's rows are there as soon as the video is done."""

import time
from collections.abc import Callable

from pipeline.errors import DamagedResultError
from pipeline.events import Event
from pipeline.plan import Plan
from pipeline.stage import Row
from pipeline.texts import count, duration
from stages.recognitions.stage import Recognitions
from stages.recognitions.tables import write_tables
from stages.recognitions.videos import FILM_COLUMNS, Film, by_file, films_of, numbered, predicted, recognized
from stages.tables import FRAMES, PEOPLE_PREDICTIONS, PREDICTIONS

SHARE = 0.05
"""At most this share of the time is spent on writing, so that thousands of videos do not slow each other down."""
KNOWN = 0.1
"""Share of the windows after which the time that is left can be told."""
EVERY = 10.0
"""Seconds between two lines about the progress."""


class LiveTables:
    """Listens to the events of a run that recognizes videos.

    The tables are written as a whole, in the order that they have in the end, and replaced: at any moment they hold
    complete videos.
    """

    def __init__(self, plan: Plan, say: Callable[[str], None]) -> None:
        by_table = {own.node.stage.makes.name: own for own in plan.nodes.values()}
        (listing,) = plan.sources.values()
        (self._stage,) = [own.node.stage for own in plan.nodes.values() if isinstance(own.node.stage, Recognitions)]
        self._store, self._say = plan.store, say
        self._frames = by_table[FRAMES.name]
        self._predict = by_table.get(PEOPLE_PREDICTIONS.name) or by_table[PREDICTIONS.name]
        clips = listing.table.select(["clip_id", "path", "start", "end"]).to_pylist()
        self._windows = dict(by_file(clips, self._stage.folder))
        self._file_of = {clip["clip_id"]: file for file, own in self._windows.items() for clip in own}
        self._missing = {file: len(own) for file, own in self._windows.items()}
        self._pending: dict[str, tuple[list[Row], dict[str, Film]]] = {}
        """Rows of PREDICTIONS, and films by clip, for videos of which windows are still missing."""
        self._taken: set[int] = set()
        """Partitions that have been read."""
        self._done: dict[str, Row] = {}
        """Rows of RECOGNITIONS by file."""
        for i, done in enumerate(self._predict.done):
            if done:
                self._take(i)
        self._began = self._said = time.monotonic()
        self._before, self._seconds_before = self._windows_left, self._seconds_done()
        self._due = 0.0
        self._told = False
        """Whether it was said that the tables cannot be written."""
        if self._done:
            self._write()

    def __call__(self, event: Event) -> None:
        if event["event"] == "finished" and event["stage"] == self._predict.node.name:
            if self._take(event["partition"]) and time.monotonic() >= self._due:
                self._write()
            if time.monotonic() >= self._said + EVERY and self._windows_left < self._before:
                self._said = time.monotonic()
                self._say(self._progress())

    @property
    def _windows_left(self) -> int:
        return sum(self._missing.values())

    def _take(self, partition: int) -> bool:
        """Read what was predicted for a partition. Returns whether that completes a video."""
        assert self._predict.clips is not None
        if partition in self._taken:  # it was computed again
            return False
        try:
            rows, films = self._read(partition)
        except (DamagedResultError, FileNotFoundError):
            return False  # what is damaged is named by the run, and computed again
        self._taken.add(partition)
        files = set()
        for clip_id in self._predict.clips_of(partition)["clip_id"].to_pylist():
            files.add(file := self._file_of[clip_id])
            self._missing[file] -= 1
            predictions, frames = self._pending.setdefault(file, ([], {}))
            predictions += [rows[clip_id]] if clip_id in rows else []
            frames |= {clip_id: films[clip_id]} if clip_id in films else {}
        complete = [file for file in files if not self._missing[file]]
        for file in complete:
            predictions, frames = self._pending.pop(file)
            seen, names = predicted(predictions)
            people = numbered(self._windows[file], seen)
            self._done[file] = recognized(file, self._windows[file], people, {}, frames, names, self._stage.merging)
        return bool(complete)

    def _read(self, partition: int) -> tuple[dict[str, Row], dict[str, Film]]:
        if not self._predict.keys[partition]:
            return {}, {}
        return (
            {row["clip_id"]: row for row in self._store.read(self._predict.path(self._store, partition)).to_pylist()},
            films_of(self._store.read(self._frames.path(self._store, partition), [*FILM_COLUMNS]).to_pylist()),
        )

    def _write(self) -> None:
        began = time.monotonic()
        assert self._stage.out is not None
        try:
            write_tables([self._done[file] for file in sorted(self._done)], self._stage.out)
        except OSError as error:  # the run goes on, and writes them at its end
            if not self._told:
                self._say(f"the tables cannot be written for now: {error}")
            self._told = True
        self._due = began + (time.monotonic() - began) / SHARE

    def _seconds_done(self) -> float:
        """Seconds of video that have been recognized."""
        seconds = 0.0
        for file, clips in self._windows.items():
            if video := self._done.get(file):
                shown = video["windows"]
                seconds += shown[-1]["end"] - shown[0]["start"] if shown else 0.0
            elif clips[-1]["end"] is not None:
                share = 1 - self._missing[file] / len(clips)
                seconds += share * (clips[-1]["end"] - (clips[0]["start"] or 0.0))
        return seconds

    def _progress(self) -> str:
        """How much is done, how fast it goes, and, as soon as that can be told, what is left."""
        elapsed = time.monotonic() - self._began
        done = self._before - self._windows_left
        times = (self._seconds_done() - self._seconds_before) / elapsed
        text = f"{len(self._done):,} of {count(len(self._missing), 'video')}, {duration(self._seconds_done())} of video"
        text += f", {times:.1f} times as fast as real time"
        if done >= KNOWN * self._before:
            text += f", {duration(elapsed * self._windows_left / done)} left"
        return text
