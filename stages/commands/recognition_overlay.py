"""Recognized videos with labels, scores and people drawn: ``pipeline recognize --overlay``.

Segments and skeletons lie in the store; pictures and sound come from the videos themselves.
"""

import json
from collections import deque
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import tee
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.files import replace_file
from pipeline.plan import Plan
from pipeline.stage import Row
from pipeline.stage_inputs import TableFiles
from stages.cache.shards import keypoints_of
from stages.commands.showing import Item, Progress
from stages.commands.stored_results import results_of
from stages.places import url_of
from stages.recognitions.exported_files import Places, caption, labeled, was_read
from stages.recognitions.sampled_people import Sampled, SampledPeople
from stages.recognitions.stage import Recognitions
from stages.recognitions.videos import by_file
from stages.showing.footage import Footage
from stages.showing.show import Shown, show
from stages.tables import FRAMES, RECOGNITIONS, SKELETONS

FOLDER = "overlay"
RECORD = "drawn.json"
"""What each drawing shows, as a digest: what would show the same is not drawn again."""
VERSION = 2
"""Of what is drawn; increased when the same results are drawn in another way."""
UNCHANGED = "drawn before"


def overlay_items(plan: Plan, run: Path) -> list[Item]:
    """The videos of a finished recognition that could be read, to be drawn into ``overlay`` in the run's folder. What
    was drawn there of the others, or under the shorter names of former versions, is removed.

    Raises ManifestError if its results are no longer in the store.
    """
    record = _Record(run / FOLDER / RECORD)
    overlays, left = _overlays(plan, run, record)
    record.remove(left)
    return [overlay.item() for overlay in overlays]


def outdated_overlays(plan: Plan, run: Path) -> list[str]:
    """The names of drawings in ``overlay`` that show other results of the videos than a finished recognition has.

    Raises ManifestError as ``overlay_items`` does.
    """
    record = _Record(run / FOLDER / RECORD)
    if record.is_empty:
        return []
    overlays, left = _overlays(plan, run, record)
    outdated = {overlay.movie for overlay in overlays if not record.has(overlay.movie, overlay.digest())} | left
    return sorted(record.name_of(movie) for movie in outdated if movie in record)


def _overlays(plan: Plan, run: Path, record: "_Record") -> tuple[list["_Overlay"], set[Path]]:
    """The videos that could be read, and where the others, or under former names they, would have been drawn."""
    nodes = plan.graph.nodes.values()
    (folder,) = (node.stage.folder for node in nodes if isinstance(node.stage, Recognitions))
    (listing,) = plan.sources.values()
    windows = dict(by_file(listing.table.to_pylist(), folder))
    tables = {
        node.stage.makes.name: results_of(plan.graph, node.name, run, plan.store)
        for node in nodes
        if node.stage.makes in (FRAMES, SKELETONS, RECOGNITIONS)
    }
    skeletons = _Skeletons(tables[SKELETONS.name], tables[FRAMES.name]) if SKELETONS.name in tables else None
    places, overlays, others = Places(folder, run), [], set()
    for row in tables[RECOGNITIONS.name].read(["file", "windows", "segments"]).to_pylist():
        movie = places.beside(FOLDER, row, ".mp4")
        others |= {movie, movie.with_suffix("").with_suffix(".mp4")}
        if was_read(row) and row["file"] in windows:
            overlays.append(_Overlay(row, windows[row["file"]], movie, skeletons, record))
    return overlays, others - {overlay.movie for overlay in overlays}


class _Skeletons:
    """The skeletons of windows, read when they are needed."""

    def __init__(self, skeletons: TableFiles, frames: TableFiles) -> None:
        self._table = skeletons
        self._places = {
            clip_id: path
            for path in skeletons.paths
            for clip_id in skeletons.read_one(path, ["clip_id"])["clip_id"].to_pylist()
        }
        self._times = {row["clip_id"]: row["times"] for row in frames.read(["clip_id", "times"]).to_pylist()}

    def of(self, clips: Sequence[Row]) -> tuple[list[Sampled], str]:
        """The skeletons of a video's windows in order, without those that failed, and their layout."""
        ids = [clip["clip_id"] for clip in clips if clip["clip_id"] in self._places]
        found: list[Sampled] = []
        layout = ""
        for path in dict.fromkeys(self._places[clip_id] for clip_id in ids):
            table = self._table.read_one(path, ["clip_id", "error", "keypoints", "persons", "layout"])
            wanted = pc.and_(pc.is_in(table["clip_id"], pa.array(ids, pa.string())), pc.is_null(table["error"]))
            for row in table.filter(wanted).to_pylist():
                times = np.array(self._times[row["clip_id"]], np.float64)
                found.append(Sampled(times, keypoints_of(row)))
                layout = row["layout"]
        return found, layout


class _Record:
    """What the drawings beside it show."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._drawn: dict[str, str] = dict(json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError):
            self._drawn = {}

    @property
    def is_empty(self) -> bool:
        return not self._drawn

    def __contains__(self, movie: Path) -> bool:
        return self.name_of(movie) in self._drawn and movie.exists()

    def has(self, movie: Path, digest: str) -> bool:
        return movie in self and self._drawn[self.name_of(movie)] == digest

    def note(self, movie: Path, digest: str) -> None:
        self._drawn[self.name_of(movie)] = digest
        self._write()

    def remove(self, movies: Iterable[Path]) -> None:
        """Remove those that are recorded, and their contact sheets."""
        recorded = [movie for movie in movies if self._drawn.pop(self.name_of(movie), None)]
        for movie in recorded:
            movie.unlink(missing_ok=True)
            movie.with_suffix(".png").unlink(missing_ok=True)
        if recorded:
            self._write()

    def name_of(self, movie: Path) -> str:
        return movie.relative_to(self._path.parent).as_posix()

    def _write(self) -> None:
        replace_file(self._path, json.dumps(self._drawn, indent=1).encode())


class _Overlay:
    """One video that is to be drawn."""

    def __init__(
        self, row: Row, clips: Sequence[Row], movie: Path, skeletons: _Skeletons | None, record: _Record
    ) -> None:
        self._file: str = row["file"]
        self.movie = movie
        shown = ("start", "end", "person", "label", "score")
        self._segments = [{name: one[name] for name in shown} | {"thumbnail": None} for one in labeled(row["segments"])]
        self._upcoming = deque(self._segments)
        self._current: list[Row] = []
        """The segments at the time of the picture that is drawn."""
        self._clips = clips
        self._skeletons = skeletons
        self._record = record
        self._footage = Footage(Path(clips[0]["path"]))

    def item(self) -> Item:
        path = self._footage.path
        below = Path(self._record.name_of(self.movie)).with_suffix("")
        return Item(self._file, None if url_of(path) else path, self._footage.expected, self._draw, below)

    def digest(self) -> str:
        """Of all that decides what the drawing shows."""
        return self._digest(*self._sampled())

    def _sampled(self) -> tuple[list[Sampled], str]:
        return self._skeletons.of(self._clips) if self._skeletons else ([], "")

    def _draw(self, out: Path, progress: Progress) -> Shown:
        windows, layout = self._sampled()
        digest = self._digest(windows, layout)
        if self._record.has(self.movie, digest):
            return Shown(self.movie, UNCHANGED, [])
        sampled = SampledPeople(windows, layout)
        seen, again = tee(self._footage.pictures())
        people = (sampled.at(picture.time) for picture in again)
        sound_of = None if self._footage.path.is_dir() else self._footage.path
        shown = show(self._file, seen, people, out, caption=self._caption, sound_of=sound_of, progress=progress)
        self._record.note(self.movie, digest)
        return shown._replace(notes=[*self._footage.notes, *shown.notes])

    def _caption(self, time: float) -> str | None:
        """What is recognized at a time, which is not before that of the last call."""
        while self._upcoming and self._upcoming[0]["start"] <= time:
            self._current.append(self._upcoming.popleft())
        self._current = [one for one in self._current if time < one["end"]]
        return ", ".join(map(caption, self._current)) or None

    def _digest(self, windows: Sequence[Sampled], layout: str) -> str:
        state = blake2b(digest_size=16)
        state.update(json.dumps([VERSION, self._clips[0]["source"], self._segments, layout]).encode())
        for window in windows:
            state.update(window.times.tobytes() + window.keypoints.tobytes())
        return state.hexdigest()
