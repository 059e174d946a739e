"""Rows of RECOGNITIONS: the windows of each video, what was predicted for them, and the segments that they make."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.stage import Row
from stages.recognitions.people import Track, number
from stages.recognitions.segments import Merging, Window, merge
from stages.sources.videos import LATE
from stages.video.extent import extent

FILM_COLUMNS = ("clip_id", "times", "indices", "source_frames", "source_height", "source_width")
"""Columns of FRAMES that say how long a clip is, and how large."""
UNKNOWN = "not recognized"
STILL = 0.04
"""Seconds that a clip lasts of which only one picture is known, so that nothing says how long it is shown."""


class Person(NamedTuple):
    """What was predicted for one person of a clip, or for everybody at once (without a track)."""

    probabilities: Sequence[float]
    track: Track | None = None


def predicted(rows: Iterable[Row]) -> tuple[dict[str, list[Person]], list[str]]:
    """What was predicted for each clip that did not fail, and the names of the classes, from rows of PREDICTIONS or
    PEOPLE_PREDICTIONS."""
    seen: dict[str, list[Person]] = {}
    class_names: list[str] = []
    for row in rows:
        if row["error"] is None:
            seen[row["clip_id"]] = _people(row) if "people" in row else [Person(row["probabilities"])]
            class_names = row["class_names"]
    return seen, class_names


def _people(row: Row) -> list[Person]:
    people = []
    for person in row["people"]:
        boxes = np.array(person["boxes"], np.float64).reshape(-1, 4)
        times = np.array(row["times"], np.float64) if row["times"] else np.arange(len(boxes), dtype=np.float64)
        people.append(Person(person["probabilities"], Track(times, boxes)))
    return people


class Film(NamedTuple):
    """What a video is like, as far as a clip of it shows."""

    width: int | None
    """Of the pictures, in pixels; None where the clip could not be read."""
    height: int | None
    seconds: float
    """How long the clip is, if it goes on to the last frame of the file: an estimate, from its frames' times."""


def films_of(rows: Iterable[Row]) -> dict[str, Film]:
    """The films of clips, by clip id, from ``FILM_COLUMNS``."""
    return {row["clip_id"]: Film(row["source_width"], row["source_height"], _seconds(row)) for row in rows}


def _seconds(row: Row) -> float:
    if not row["times"]:
        return STILL
    (first, *_, last), (first_index, *_, last_index) = row["times"] * 2, row["indices"] * 2
    if last > first and row["source_frames"]:
        seconds = row["source_frames"] * (last - first) / (last_index - first_index)
    else:
        seconds = last - first
    return max(float(seconds), STILL)


def by_file(clips: Iterable[Row], root: Path) -> list[tuple[str, list[Row]]]:
    """The windows of each video in order of time, by the video's path below ``root``, sorted.

    clips: rows of the index.
    """
    rows = sorted(((_below(root, clip["path"]), clip["start"] or 0.0, clip) for clip in clips), key=lambda row: row[:2])
    return [(file, [clip for *_, clip in own]) for file, own in groupby(rows, key=lambda row: row[0])]


def _below(root: Path, path: str) -> str:
    own = Path(path)
    return own.relative_to(root).as_posix() if own.is_relative_to(root) else own.name


def numbered(clips: Sequence[Row], seen: Mapping[str, Sequence[Person]]) -> dict[str, dict[int | None, Person]]:
    """The people of each window of a video that did not fail, by their numbers, or under None everybody at once.

    clips: the video's windows, in order of time.
    """
    shown = [clip["clip_id"] for clip in clips if clip["clip_id"] in seen]
    numbers = _numbers([seen[clip_id] for clip_id in shown])
    return {clip_id: dict(zip(own, seen[clip_id], strict=True)) for clip_id, own in zip(shown, numbers, strict=True)}


def recognized(
    file: str,
    clips: Sequence[Row],
    people: Mapping[str, Mapping[int | None, Person]],
    errors: Mapping[str, str],
    films: Mapping[str, Film],
    class_names: Sequence[str],
    merging: Merging,
) -> Row:
    """One row of RECOGNITIONS, without thumbnails.

    clips: the video's windows. people: as ``numbered`` gives them. errors: of clips that failed. films: of clips that
    were decoded.
    """
    failed = [errors.get(clip["clip_id"], UNKNOWN) for clip in clips if clip["clip_id"] not in people]
    windows: list[dict[str, Any]] = []
    for clip in clips:
        if clip["clip_id"] not in people:
            continue
        start, end = _span(clip, films)
        for name, person in people[clip["clip_id"]].items():
            row = {"start": start, "end": end, "person": name, "probabilities": list(person.probabilities)}
            windows.append(row)
    windows.sort(key=_order)
    film = next((films[clip["clip_id"]] for clip in clips if clip["clip_id"] in films), None)
    return {
        "file": file,
        "error": failed[0] if failed else None,
        "failed": len(failed),
        "width": film and film.width,
        "height": film and film.height,
        "class_names": list(class_names),
        "windows": windows,
        "segments": _segments(windows, class_names, merging),
    }


def _span(clip: Row, films: Mapping[str, Film]) -> tuple[float, float]:
    """Start and end in seconds of a window; of a whole video, when its picture begins and ends."""
    if clip["end"] is not None:
        return clip["start"] or 0.0, clip["end"]
    start, end = extent(clip["path"]) or (0.0, films[clip["clip_id"]].seconds)
    start = round(start, 3) if start > LATE else 0.0
    return start, max(round(end, 3), start + STILL)


def _numbers(windows: Sequence[Sequence[Person]]) -> Sequence[Sequence[int | None]]:
    """The number of each person in each window; None for everybody at once."""
    if all(person.track is None for persons in windows for person in persons):
        return [[None] * len(persons) for persons in windows]
    return number([[person.track for person in persons if person.track is not None] for persons in windows])


def _segments(windows: Sequence[Row], class_names: Sequence[str], merging: Merging) -> list[Row]:
    segments: list[Row] = []
    windows_of: dict[int | None, list[Window]] = {}
    for window in windows:
        own = Window(window["start"], window["end"], window["probabilities"])
        windows_of.setdefault(window["person"], []).append(own)
    for person, owns in windows_of.items():
        for segment in merge(owns, merging):
            label, nearest = (None if i is None else class_names[i] for i in (segment.label, segment.nearest))
            row = {"start": segment.start, "end": segment.end, "person": person, "label": label, "score": segment.score}
            segments.append(row | {"nearest": nearest, "thumbnail": None})
    return sorted(segments, key=_order)


def _order(row: Row) -> tuple[float, int]:
    return row["start"], row["person"] or 0
