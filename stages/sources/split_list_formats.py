"""The formats of split lists, each recognized by its content.

paths      ``Archery/v_Archery_g01_c01.avi 3``: a video, then the number or the name of its class, or neither (UCF101,
           MMAction2, ...); ``frames/a1 120 3``: a folder of images and how many there are
HMDB51     ``name.avi 1`` in a file ``CLASS_test_split1.txt``: 1 is train, 2 is test, 0 is neither
Kinetics   a table with a header line: ``label,youtube_id,time_start,time_end,split``
Something  a JSON array of objects with ``id`` and ``template`` (Something-Something)
"""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import ManifestError
from stages.sources.files import VIDEO_EXTENSIONS
from stages.sources.list_text import forward_slashes, lines_of, read_text

_EXTENSIONS = "|".join(sorted(extension[1:] for extension in VIDEO_EXTENSIONS))
VIDEO = re.compile(rf'"?(?P<name>\S.*\.(?:{_EXTENSIONS}))"?(?:[ \t]*[,;\t ][ \t]*(?P<label>\S.*))?', re.I)
FRAMES = re.compile(r"(?P<name>\S.*?)[ \t,;]+\d+[ \t,;]+(?P<label>\d+)")
"""A folder, its number of images, its class."""
STEM = re.compile(r"(?P<name>\S.*?)[ \t,;]+(?P<label>\d+)|(?P<alone>\S+/\S+)")
"""A video without its extension."""
HMDB51_FILE = re.compile(r"(?P<label>.+)_test_split\d+")
HMDB51_SPLITS = {"0": None, "1": "train", "2": "test"}
SPLIT_NAMES = {"train": "train", "val": "val", "validate": "val", "validation": "val", "test": "test"}
"""What Kinetics calls its splits."""


class Entry(NamedTuple):
    """One line of a list."""

    place: str
    """File and line, for errors."""
    name: str
    """The video as listed, or the name of its file without extension. It identifies the clip."""
    label: str | None = None
    number: int | None = None
    """The number of its class."""
    marked: bool = False
    """Whether ``split`` says which split the line belongs to; else the whole list is of one split."""
    split: str | None = None
    original: str | None = None
    """The name of the longer video that the clip is a part of, from ``start`` to ``end`` seconds."""
    start: float | None = None
    end: float | None = None


def read_split_list(file: Path, parameter: str) -> list[Entry]:
    """All lines of a list. Raises ManifestError with file, line and remedy if one cannot be understood."""
    text, prefix = read_text(file, parameter), f"{parameter}: {file}"
    if text.lstrip()[:1] in ("[", "{"):
        return list(_something(prefix, text))
    lines = lines_of(text, prefix)
    if not lines:
        raise ManifestError(f"{prefix} lists no clips")
    header = {cell.strip(' "').lower() for cell in re.split(r"[,;\t]", lines[0][1])}
    if "youtube_id" in header:
        return list(_kinetics(prefix, text))
    if "path" in header:
        raise ManifestError(f"{prefix}, line 1: a table with a column path is read with `uses: listing`")
    if match := HMDB51_FILE.fullmatch(file.stem):
        return list(_hmdb51(prefix, lines, match["label"]))
    return list(_paths(prefix, lines))


def _paths(prefix: str, lines: list[tuple[int, str]]) -> Iterator[Entry]:
    """A path and, perhaps, the class. In one list, all paths end alike: with an extension, or all without."""
    kinds = (VIDEO, FRAMES, STEM)
    kind = next((kind for kind in kinds if kind.fullmatch(lines[0][1])), None)
    for number, line in lines:
        place = f"{prefix}, line {number}"
        match = kind and kind.fullmatch(line)
        if match is None or (kind is STEM and FRAMES.fullmatch(line)):
            raise ManifestError(
                f"{place}: {line[:80]!r} is not a video and its class, as `walk/a.mp4 3`: give the video's name with "
                "its extension, write all lines alike, and remove titles and comments"
            )
        label = match["label"]
        try:
            name = forward_slashes(match["name"] or match["alone"], lambda name: False)
        except ManifestError as error:
            raise ManifestError(f"{place}: {error}") from None
        if label is not None and re.fullmatch(r"-?\d+([ \t,;]+-?\d+)+|-\d+|\d+[.,]\d+", label):
            raise ManifestError(f"{place}: {label!r} after the video is not one class: give its number or its name")
        is_number = label is not None and label.isascii() and label.isdigit()
        yield Entry(place, name, None if is_number else label, int(label) if is_number and label else None)


def _hmdb51(prefix: str, lines: list[tuple[int, str]], label: str) -> Iterator[Entry]:
    for number, line in lines:
        name, _, mark = (part.strip() for part in line.rpartition(" "))
        if mark not in HMDB51_SPLITS or not name:
            raise ManifestError(f"{prefix}, line {number}: {line[:80]!r} must end with 0, 1 or 2, as HMDB51's lists do")
        yield Entry(f"{prefix}, line {number}", f"{label}/{name}", label, None, True, HMDB51_SPLITS[mark])


def _kinetics(prefix: str, text: str) -> Iterator[Entry]:
    header = text.lstrip().splitlines()[0]
    rows = csv.DictReader(text.splitlines(), delimiter=max(",;\t", key=header.count), skipinitialspace=True)
    names = {(name or "").strip().lower(): name for name in rows.fieldnames or ()}
    if absent := [name for name in ("time_start", "time_end") if name not in names]:
        raise ManifestError(f"{prefix}, line 1: no column {absent[0]}, which Kinetics' lists have")
    found = []
    for row in rows:
        place = f"{prefix}, line {rows.line_num}"
        cells = {name: (row[column] or "").strip() for name, column in names.items()}
        try:
            start, end = float(cells["time_start"]), float(cells["time_end"])
            if not 0 <= start < end < 1e6:
                raise ValueError
        except ValueError:
            raise ManifestError(f"{place}: time_start and time_end must be seconds, the end after the start") from None
        if not cells["youtube_id"]:
            raise ManifestError(f"{place}: youtube_id is empty")
        said = cells.get("split", "").lower()
        if said and said not in SPLIT_NAMES:
            raise ManifestError(f"{place}: split {said!r} is none of {', '.join(SPLIT_NAMES)}")
        name = f"{cells['youtube_id']}_{int(start):06d}_{int(end):06d}"
        split, label = SPLIT_NAMES.get(said), cells.get("label") or None
        found.append(Entry(place, name, label, None, True, split, cells["youtube_id"], start, end))
    # A list of one split is of the split that the manifest says: many test on Kinetics' validation clips.
    several = len({entry.split for entry in found}) > 1
    yield from (entry._replace(marked=several) for entry in found)


def _something(prefix: str, text: str) -> Iterator[Entry]:
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        remedy = "JSON lines with a path are read with `uses: listing`"
        raise ManifestError(f"{prefix}: not a JSON array, though it begins like JSON ({error}); {remedy}") from error
    for number, entry in enumerate(entries if isinstance(entries, list) else [entries], 1):
        place = f"{prefix}, entry {number}"
        template = entry.get("template", "") if isinstance(entry, dict) else None
        if not isinstance(template, str) or not str(entry.get("id", "")):
            raise ManifestError(
                f"{place}: not an object with id and template, as in Something-Something's lists; "
                "objects with a path are read with `uses: listing`"
            )
        yield Entry(place, str(entry["id"]), re.sub(r"[\[\]]", "", template) or None)
