"""A list of clips: a table with a header line (CSV, tabs, Excel's semicolons or workbooks), JSON lines, or an array."""

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from csv import reader as csv_reader
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import PrivateAttr, model_validator

from pipeline.errors import ManifestError
from pipeline.stage import Problem, Source, Stage, Table, added
from pipeline.urls import is_url
from stages.local_files import local_file
from stages.places import address_of, files_below, fingerprint
from stages.sources.drawn_splits import drawn_splits, refuse_large_shares, untested
from stages.sources.files import skeleton_fingerprint
from stages.sources.list_text import forward_slashes, read_text
from stages.sources.recordings import divided, files_of_several_clips, without_extension
from stages.sources.remote_skeletons import RemoteSkeletons
from stages.sources.rows import clips_table, span_id
from stages.sources.skeleton_entries import entries_of, matched
from stages.sources.spreadsheet import EXTENSIONS, read_spreadsheet
from stages.tables import CLIPS, SPLITS

COLUMNS = {
    "path": pa.string(),
    "label": pa.string(),
    "split": pa.string(),
    "skeleton": pa.string(),
    "skeleton_entry": pa.string(),
    "start": pa.float64(),
    "end": pa.float64(),
    "group": pa.string(),
}


class Listing(Source):
    """Reads a list with a column ``path`` and any of ``label``, ``split``, ``start``, ``end``, ``skeleton``,
    ``skeleton_entry``, ``group``.

    ``path`` and ``skeleton`` are files, relative to ``root``; ``start`` and ``end`` are seconds; ``split`` is train,
    val or test. ``skeleton_entry`` is the clip's name in a skeleton file of many clips, by default that of the video.
    Clips with the same ``group`` are of one recording: validation clips are drawn recording by recording.
    Spans of one file are of one recording unless the list says otherwise, by a group or by giving them several splits.
    Where the skeletons are all there is, the column ``path`` may be left out.
    Empty cells mean unknown; other columns are ignored. A clip's id is its path as listed, followed by its span if it
    has one: ``games/final.mp4@12.0-16.0``.
    """

    key_name: ClassVar[str | None] = "stages.sources.listing:Listing"
    makes: ClassVar[Table] = CLIPS

    list: Path
    """The list: a table with a header line, its columns separated by commas, semicolons or tabs; the first sheet of an
    ``.xlsx`` file; JSON lines, or a JSON array of objects. A file, or its URL."""
    root: Path | None = None
    """Folder or URL that the listed files are relative to. Null: that of the list."""
    test_share: float = added(0.2, ge=0, lt=1)
    """Share of each class that is kept for testing, if the list gives no splits."""
    val_share: float = added(0.0, ge=0, lt=1)
    """Share of each class that is kept for validation, if the list gives no splits."""
    _drawn: bool = PrivateAttr(False)
    """Whether the list gives no splits."""

    @model_validator(mode="after")
    def _something_to_train_on(self) -> "Listing":
        refuse_large_shares(self.test_share, self.val_share)
        return self

    def clips(self) -> pa.Table:
        """One clip per line; a listed file that is missing fails when it is decoded.

        Raises ManifestError with the file and line of a malformed entry.
        """
        with local_file(self.list, "list") as file:
            return self._clips(file)

    def _clips(self, file: Path) -> pa.Table:
        """The clips of the list, which is read from this file."""
        rows, places = self._checked(file)
        root = address_of(self.root or self.list.parent)
        found = files_below(root, "root") if is_url(root) else []
        states, remote = {video.url: video.state for video in found}, RemoteSkeletons()
        if is_url(root):
            remote.add(root, found)

        def state_of_skeletons(path: str) -> str:
            return remote.state(path) if is_url(path) else skeleton_fingerprint(path)

        ids, paths, sources = _files(places, rows["path"], root, lambda path: states.get(path) or fingerprint(path))
        _, skeleton_paths, skeleton_sources = _files(places, rows["skeleton"], root, state_of_skeletons)
        groups = rows["group"]
        if rows["start"].null_count + rows["end"].null_count < 2 * rows.num_rows:
            names, splits = ids.to_pylist(), rows["split"].to_pylist()
            spans = zip(names, rows["start"].to_pylist(), rows["end"].to_pylist(), strict=True)
            ids = pa.array([span_id(*span) for span in spans], pa.string())
            groups = pc.coalesce(groups, pa.array(files_of_several_clips(names, splits), pa.string()))
        splits = rows["split"]
        self._drawn = splits.null_count == rows.num_rows and rows["label"].null_count < rows.num_rows
        if self._drawn:
            splits = self._splits(ids.to_pylist(), rows["label"].to_pylist(), groups.to_pylist())
        return clips_table(
            {
                "clip_id": ids,
                "source": sources,
                "start": rows["start"],
                "end": rows["end"],
                "skeleton_source": skeleton_sources,
                "path": paths,
                "skeleton_path": skeleton_paths,
                "skeleton_entry": _entries(rows, skeleton_paths),
                "label": rows["label"],
                "split": splits,
                "group": groups,
            }
        )

    def check(self, clips: pa.Table, upstream: Mapping[str, Stage]) -> Iterator[Problem]:
        if self._drawn:
            shares = f"{self.test_share:g} of each class for testing, {self.val_share:g} for validation"
            text = f"the list gives no splits, so they are drawn: {shares} (index.test_share, index.val_share)"
            yield Problem(text, fatal=False)
            yield from untested(clips, self.test_share)
        yield from divided(clips, "add a column group to the list")

    def _splits(
        self, names: Sequence[str], labels: Sequence[str | None], groups: Sequence[str | None]
    ) -> Sequence[str | None]:
        """A split for each clip that has a label."""
        known = [row for row, label in enumerate(labels) if label is not None]
        drawn = drawn_splits(
            [names[row] for row in known],
            [labels[row] or "" for row in known],
            self.test_share,
            self.val_share,
            [groups[row] for row in known],
        )
        splits: dict[int, str] = dict(zip(known, drawn, strict=True))
        return [splits.get(row) for row in range(len(names))]

    def _checked(self, file: Path) -> tuple[pa.Table, "_Places"]:
        """The list's rows with all of COLUMNS, after checking each entry, and their places."""
        read, places = _read(file)
        if twice := [name for name in COLUMNS if read.column_names.count(name) > 1]:
            raise ManifestError(f"list: {file} has the column {twice[0]} twice")
        if "path" not in read.column_names and "skeleton" in read.column_names:
            read = read.append_column("path", read["skeleton"])  # skeletons without videos
        if "path" not in read.column_names:
            names = ", ".join(read.column_names) or "none"
            raise ManifestError(f"list: {file}, line 1: no column path; it has {names}{_remedy(read.column_names)}")
        columns = {}
        for name, kind in COLUMNS.items():
            text = _stripped(read[name]) if name in read.column_names else pa.nulls(read.num_rows, kind)
            columns[name] = _numbers(places, name, text) if kind == pa.float64() else text
        rows = pa.table(columns)
        empty = np.logical_and.reduce([_mask(pc.is_null(rows[name])) for name in COLUMNS])
        rows, places = rows.filter(pa.array(~empty)), places._replace(numbers=places.numbers[~empty])
        if rows.num_rows == 0:
            raise ManifestError(f"list: {file} lists no clips")
        start, end = rows["start"], rows["end"]
        places.refuse(pc.is_null(rows["path"]), "path is empty")
        unknown = pc.invert(pc.is_in(rows["split"], pa.array([*SPLITS, None])))
        places.refuse(unknown, f"split must be one of {', '.join(SPLITS)}")
        places.refuse(pc.or_kleene(pc.less(start, 0), pc.less(end, 0)), "start and end must not be negative")
        places.refuse(pc.less_equal(end, start), "end must be after start")
        return rows, places


class _Places(NamedTuple):
    """Where the rows of a list stand in it."""

    file: Path
    unit: str
    """``line``, ``row`` or ``entry``."""
    numbers: np.ndarray

    def refuse(self, wrong: pa.Array, rule: str) -> None:
        """Raise ManifestError for the first row that is wrong."""
        rows = np.flatnonzero(_mask(wrong))
        if len(rows):
            more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
            raise ManifestError(f"list: {self.file}, {self.unit} {self.numbers[rows[0]]}: {rule}{more}")


def _read(file: Path) -> tuple[pa.Table, _Places]:
    """The list as a table, whatever its format. Times are numbers, or texts that numbers can be read from."""
    if file.suffix.lower() in EXTENSIONS and file.is_file():
        table = read_spreadsheet(file)
        return table, _Places(file, "row", np.arange(table.num_rows) + 2)
    text = read_text(file, "list")
    kind = text.lstrip()[:1]
    if kind == "{":
        table, unit, first = _read_json(file, text, "line"), "line", 1
    elif kind == "[":
        try:
            lines = "\n".join(map(json.dumps, json.loads(text)))
        except (ValueError, RecursionError) as error:
            raise ManifestError(f"list: {file}: not a JSON array, though it begins with [: {error}") from error
        table, unit, first = _read_json(file, lines, "entry"), "entry", 1
    else:
        table, unit, first = _read_table(file, text), "line", 2
    return table, _Places(file, unit, np.arange(table.num_rows) + first)


def _read_table(file: Path, text: str) -> pa.Table:
    """All columns as text; empty lines become empty rows, so that row numbers are line numbers."""
    from pyarrow import csv

    delimiter, names = _header(text.partition("\n")[0])
    try:
        table = csv.read_csv(
            pa.BufferReader(text.encode()),
            # Without threads: only then do errors name their row.
            read_options=csv.ReadOptions(use_threads=False, skip_rows=1, column_names=names),
            parse_options=csv.ParseOptions(delimiter=delimiter, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                column_types={name: pa.string() for name in COLUMNS}, strings_can_be_null=True, null_values=[""]
            ),
        )
    except pa.ArrowInvalid as error:
        raise ManifestError(f"list: {file}: {str(error).replace('Row #', 'line ')}") from error
    if delimiter != ",":  # where Excel separates columns by semicolons, it writes decimal commas
        for name in {"start", "end"} & set(table.column_names):
            numbers = pc.replace_substring_regex(table[name], r"^(\d+),(\d+)$", r"\1.\2")
            table = table.set_column(table.column_names.index(name), name, numbers)
    return table


def _header(line: str) -> tuple[str, list[str]]:
    """The sign between the columns, and their names, those of COLUMNS without blanks and in lower case."""
    for delimiter in ",;\t":
        names = next(csv_reader([line.rstrip("\r")], delimiter=delimiter, skipinitialspace=True), [])
        known = [plain if (plain := name.strip().lower()) in COLUMNS else name for name in names]
        if {"path", "skeleton"} & set(known):
            return delimiter, known
    return ",", line.rstrip("\r").split(",")


def _read_json(file: Path, text: str, unit: str) -> pa.Table:
    """One object per line. The file is read as one block, because errors count rows from the beginning of a block."""
    from pyarrow import json as arrow_json

    content, schema = text.encode(), dict(COLUMNS)
    while True:
        try:
            table = arrow_json.read_json(
                pa.BufferReader(content),
                read_options=arrow_json.ReadOptions(use_threads=False, block_size=min(len(content) + 1, 2**31 - 1)),
                parse_options=arrow_json.ParseOptions(explicit_schema=pa.schema(list(schema.items()))),
            )
        except pa.ArrowInvalid as error:
            number = re.search(r"Column\(/(label|group)\) changed from string to number", str(error))
            if number and schema[number[1]] != pa.int64():  # classes may be numbers, as they are in a table
                schema[number[1]] = pa.int64()
                continue
            words, _, row = str(error).rpartition(" in row ")
            place = f", {unit} {int(row) + 1}" if row.isdigit() and words else ""
            cause = (words or row).replace("JSON parse error: ", "not JSON, though the file begins with {: ")
            raise ManifestError(f"list: {file}{place}: {cause}") from error
        numbers = [name for name in schema if schema[name] == pa.int64()]
        return table.cast(
            pa.schema([field.with_type(pa.string()) if field.name in numbers else field for field in table.schema])
        )


def _stripped(column: pa.ChunkedArray) -> pa.Array:
    """Texts without blanks around them, null where nothing is left; anything else as it is."""
    if not pa.types.is_string(column.type):
        return column.combine_chunks()
    texts = pc.utf8_trim_whitespace(column).combine_chunks()
    return pc.if_else(pc.equal(texts, ""), None, texts)


def _remedy(columns: Sequence[str]) -> str:
    """What to do about a list without a column ``path``."""
    if "youtube_id" in columns or any(re.search(r"\.\w{2,4}(\s|$)", name) for name in columns):
        return "; lists without a header line, and those of Kinetics, are read with `uses: split_lists`"
    return "; name the column of the videos path"


def _numbers(places: _Places, name: str, column: pa.Array) -> pa.Array:
    """A column as float64. Raises ManifestError for the first entry that is not a finite number."""
    import pandas as pd

    numbers = pd.to_numeric(column.to_pandas(), errors="coerce").to_numpy(np.float64)
    known = _mask(pc.is_valid(column))
    places.refuse(pa.array(known & ~np.isfinite(numbers)), f"{name} must be a number of seconds")
    return pa.array(numbers, mask=~known)


def _mask(condition: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """An Arrow condition as a NumPy mask, where null counts as false."""
    return pc.fill_null(condition, False).to_numpy(zero_copy_only=False)


def _files(
    places: _Places, names: pa.ChunkedArray, root: str, state: Callable[[str], str]
) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Listed files with forward slashes, their absolute paths and fingerprints, each read once for all its clips."""
    encoded = names.combine_chunks().dictionary_encode()
    listed = encoded.dictionary.to_pylist()
    for i, name in enumerate(listed):
        try:
            listed[i] = forward_slashes(name, lambda name: not is_url(root) and Path(root, name).exists())
        except ManifestError as error:
            places.refuse(pc.equal(names, name), str(error))
    paths = [name if is_url(name) else os.path.join(root, name) for name in listed]  # noqa: PTH118, for a million
    sources = [state(path) for path in paths]
    return tuple(pa.array(values, pa.string()).take(encoded.indices) for values in (listed, paths, sources))


def _entries(rows: pa.Table, skeleton_paths: pa.Array) -> pa.Array | pa.ChunkedArray:
    """Each clip's name in a skeleton file of many clips: as listed, or that of the video."""
    # Most JSON files are of one clip; to ask each of them would mean to read it.
    uses = Counter(path for path in skeleton_paths.to_pylist() if path is not None)
    asked = [path for path, count in uses.items() if count > 1 or not path.lower().endswith(".json")]
    known = {path: clips for path in asked if (clips := entries_of(Path(path)))}
    listed = rows["skeleton_entry"]
    if not known:
        return listed
    lines = list(zip(rows["path"].to_pylist(), skeleton_paths.to_pylist(), listed.to_pylist(), strict=True))
    videos: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for video, path, entry in lines:
        if path in known and not entry:
            videos[path][video] = None
    of_video = {path: dict(zip(own, matched(list(own), known[path]), strict=True)) for path, own in videos.items()}

    def entry_of(video: str, path: str) -> str | None:
        only = len(known[path]) == len(videos[path]) == 1  # then it does not matter what it is called
        return of_video[path][video] or (None if only else without_extension(video).rpartition("/")[2])

    entries = [entry or (entry_of(video, path) if path in known else None) for video, path, entry in lines]
    return pa.array(entries, pa.string())
