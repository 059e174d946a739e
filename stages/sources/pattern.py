"""Videos whose file names contain the class: ``pattern: "{clip}_{sequence}_{label}.avi"``."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
from pydantic import Field, model_validator

from pipeline.errors import ManifestError
from pipeline.stage import KnownFile, Problem, Source, Stage, Table
from stages.local_files import keyed_file, local_file
from stages.sources.files import Skipped, Video, find_videos
from stages.sources.list_text import lines_of, read_text
from stages.sources.name_patterns import fields_of, matcher, refuse_bad_fields
from stages.sources.recordings import divided
from stages.sources.rows import clips_table
from stages.sources.spelling import one_spelling
from stages.tables import CLIPS

Choice = dict[str, list[str | int]]
"""Values by field: a clip is chosen if each of these fields has one of its values."""


class Pattern(Source):
    """Reads class and split from the file names. Fields are compared as text, numbers without leading zeros."""

    key_name: ClassVar[str | None] = "stages.sources.pattern:Pattern"
    makes: ClassVar[Table] = CLIPS

    root: Path
    """Folder that is searched, with all its subfolders."""
    pattern: str
    """A file name with fields in braces, one of which is ``{label}``. If it contains ``/``, it is a path below root.
    Clips with the same ``{group}`` are of one recording: validation clips are drawn recording by recording."""
    labels: dict[str | int, str] | Path | None = None
    """Class name of each value of ``{label}``: a mapping, or a file with a value and a name per line. Null: the value
    itself is the name."""
    test: Choice = Field(default_factory=dict)
    """Which clips are for testing, by any fields: ``{sequence: [1]}`` tests on sequence 1."""
    val: Choice = Field(default_factory=dict)
    """Which clips are for validation. All others are for training."""
    strict: bool = False
    """Treat videos that do not match as an error instead of ignoring them."""

    @model_validator(mode="after")
    def _fields_exist(self) -> "Pattern":
        refuse_bad_fields(self.pattern, "label")
        fields = fields_of(self.pattern)
        for name in (*self.test, *self.val):
            if name not in fields:
                raise ValueError(f"pattern {self.pattern!r} has no field {{{name}}}; it has {', '.join(fields)}")
        return self

    def files(self) -> tuple[Path | KnownFile, ...]:
        """The table of labels, if it is a file."""
        return (keyed_file(self.labels, "labels"),) if isinstance(self.labels, Path) else ()

    def clips(self) -> pa.Table:
        """One clip per matching video. Raises ManifestError if none matches or a label has no name."""
        root = self.root.expanduser()
        names = self._names()
        matching, strangers, _ = self._found()
        if strangers and (self.strict or not matching):
            raise ManifestError(
                f"pattern: {len(strangers)} of {len(matching) + len(strangers)} videos in {root} do not match "
                f"{self.pattern}, such as {', '.join(strangers[:3])}"
            )
        names_of_columns = ("clip_id", "source", "path", "label", "split", "group")
        columns: dict[str, list[str | None]] = {name: [] for name in names_of_columns}
        for video, match in matching:
            values = {field: plain(value) for field, value in match.groupdict().items()}
            if names is not None and values["label"] not in names:
                raise ManifestError(f"labels: no name for {values['label']!r}, the label of {video.name}")
            label = match["label"] if names is None else names[values["label"]]
            split = "test" if chosen(values, self.test) else "val" if chosen(values, self.val) else "train"
            row = (video.name, video.source, video.path, label, split, values.get("group"))
            for name, value in zip(columns, row, strict=True):
                columns[name].append(value)
        return clips_table(columns)

    def check(self, clips: pa.Table, upstream: Mapping[str, Stage]) -> Iterator[Problem]:
        return divided(clips, "give the pattern a field {group}")

    def skipped(self) -> list[Skipped]:
        """What is not listed below ``root``, and why."""
        _, strangers, skipped = self._found()
        return sorted([*skipped, *(Skipped(name, f"does not match {self.pattern}") for name in strangers)])

    def _found(self) -> tuple[list[tuple[Video, re.Match[str]]], list[str], list[Skipped]]:
        """Videos that match, names of those that do not, and what is not a video."""
        videos, skipped = find_videos(self.root.expanduser(), f"videos named like {self.pattern}")
        wanted, whole = matcher(self.pattern), "/" in self.pattern
        matching: list[tuple[Video, re.Match[str]]] = []
        strangers: list[str] = []
        for video in videos:
            match = wanted.fullmatch(video.name if whole else video.name.rpartition("/")[2])
            if match is None:
                strangers.append(video.name)
            else:
                matching.append((video, match))
        return matching, strangers, skipped

    def _names(self) -> dict[str, str] | None:
        """Class names by plain label value. Raises ManifestError with the file and line of a malformed entry."""
        if not isinstance(self.labels, Path):
            return None if self.labels is None else {plain(code): name for code, name in self.labels.items()}
        with local_file(self.labels, "labels") as file:
            return _names_in(file)


def _names_in(file: Path) -> dict[str, str]:
    names: dict[str, str] = {}
    for number, line in lines_of(read_text(file, "labels"), f"labels: {file}"):
        code, *name = line.split(maxsplit=1)
        if not name:
            raise ManifestError(f"labels: {file}, line {number}: expected a label and its name, not {line!r}")
        if names.setdefault(plain(code), name[0]) != name[0]:
            raise ManifestError(f"labels: {file}, line {number}: {code} already has the name {names[plain(code)]}")
    return names


def plain(value: str | int) -> str:
    """A value as it is compared: as text in one spelling, numbers without leading zeros."""
    text = one_spelling(str(value))
    return str(int(text)) if text.isascii() and text.isdigit() else text


def chosen(values: dict[str, str], choice: Choice) -> bool:
    """Whether a clip with these fields is chosen; an empty choice chooses none."""
    return bool(choice) and all(values[field] in map(plain, wanted) for field, wanted in choice.items())
