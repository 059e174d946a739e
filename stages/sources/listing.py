"""A list of clips: CSV with a header line, or JSON lines."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import ManifestError
from pipeline.stage import Source, Table
from stages.sources.files import fingerprint, skeleton_fingerprint
from stages.sources.rows import clips_table, span_id
from stages.tables import CLIPS, SPLITS

COLUMNS = {
    "path": pa.string(),
    "label": pa.string(),
    "split": pa.string(),
    "skeleton": pa.string(),
    "start": pa.float64(),
    "end": pa.float64(),
}


class Listing(Source):
    """Reads a list with the column ``path`` and any of ``label``, ``split``, ``start``, ``end`` and ``skeleton``.

    ``path`` and ``skeleton`` are files, relative to ``root``; ``start`` and ``end`` are seconds; ``split`` is train,
    val or test. Empty cells mean unknown; other columns are ignored. A clip's id is its path as listed, followed by its
    span if it has one: ``games/final.mp4@12.0-16.0``.
    """

    key_name: ClassVar[str | None] = "stages.sources.listing:Listing"
    makes: ClassVar[Table] = CLIPS

    list: Path
    """The list: a ``.csv`` file, or one of JSON lines (``.jsonl``, ``.json``)."""
    root: Path | None = None
    """Folder that the listed files are relative to. Null: the folder of the list."""

    def clips(self) -> pa.Table:
        """One clip per line; a listed file that is missing fails when it is decoded.

        Raises ManifestError with the file and line of a malformed entry.
        """
        file = self.list.expanduser().absolute()
        rows = self._checked(file)
        root = file.parent if self.root is None else self.root.expanduser().absolute()
        paths, sources = _files(rows["path"], root)
        skeleton_paths, skeleton_sources = _files(rows["skeleton"], root, skeleton_fingerprint)
        ids = rows["path"]
        if rows["start"].null_count + rows["end"].null_count < 2 * rows.num_rows:
            spans = zip(*(rows[name].to_pylist() for name in ("path", "start", "end")), strict=True)
            ids = pa.array([span_id(*span) for span in spans], pa.string())
        return clips_table(
            {
                "clip_id": ids,
                "source": sources,
                "start": rows["start"],
                "end": rows["end"],
                "skeleton_source": skeleton_sources,
                "path": paths,
                "skeleton_path": skeleton_paths,
                "label": rows["label"],
                "split": rows["split"],
            }
        )

    def _checked(self, file: Path) -> pa.Table:
        """The list's rows with all of COLUMNS, after checking each entry."""
        if not file.is_file():
            raise ManifestError(f"list: there is no file {file}")
        is_csv = file.suffix.lower() == ".csv"
        read = _read_csv(file) if is_csv else _read_json(file)
        if twice := [name for name in COLUMNS if read.column_names.count(name) > 1]:
            raise ManifestError(f"list: {file} has the column {twice[0]} twice")
        if "path" not in read.column_names:
            raise ManifestError(f"list: {file} has no column path; it has {', '.join(read.column_names) or 'none'}")
        columns = {}
        lines = np.arange(read.num_rows) + (2 if is_csv else 1)
        for name, kind in COLUMNS.items():
            text = read[name].combine_chunks() if name in read.column_names else pa.nulls(read.num_rows, kind)
            columns[name] = _numbers(file, name, text, lines) if kind == pa.float64() else text
        rows = pa.table(columns)
        empty = np.logical_and.reduce([_mask(pc.is_null(rows[name])) for name in COLUMNS])
        rows, lines = rows.filter(pa.array(~empty)), lines[~empty]
        if rows.num_rows == 0:
            raise ManifestError(f"list: {file} lists no clips")
        start, end = rows["start"], rows["end"]
        _refuse(file, lines, pc.is_null(rows["path"]), "path is empty")
        _refuse(
            file,
            lines,
            pc.invert(pc.is_in(rows["split"], pa.array([*SPLITS, None]))),
            f"split must be one of {', '.join(SPLITS)}",
        )
        _refuse(file, lines, pc.or_kleene(pc.less(start, 0), pc.less(end, 0)), "start and end must not be negative")
        _refuse(file, lines, pc.less_equal(end, start), "end must be after start")
        return rows


def _read_csv(file: Path) -> pa.Table:
    """All columns as text; empty lines become empty rows, so that row numbers are line numbers."""
    from pyarrow import csv

    content = file.read_bytes()
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ManifestError(f"list: {file}, line {line}: not UTF-8: save the list as CSV in UTF-8") from error
    try:
        return csv.read_csv(
            pa.BufferReader(content),
            read_options=csv.ReadOptions(use_threads=False),  # only then do errors name their row
            parse_options=csv.ParseOptions(ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                column_types={name: pa.string() for name in COLUMNS}, strings_can_be_null=True, null_values=[""]
            ),
        )
    except pa.ArrowInvalid as error:
        raise ManifestError(f"list: {file}: {str(error).replace('Row #', 'line ')}") from error


def _read_json(file: Path) -> pa.Table:
    """One object per line. The file is read as one block, because errors count rows from the beginning of a block."""
    from pyarrow import json

    try:
        return json.read_json(
            file,
            read_options=json.ReadOptions(use_threads=False, block_size=min(file.stat().st_size + 1, 2**31 - 1)),
            parse_options=json.ParseOptions(explicit_schema=pa.schema(list(COLUMNS.items()))),
        )
    except pa.ArrowInvalid as error:
        text, _, row = str(error).rpartition(" in row ")
        place = f", line {int(row) + 1}" if row.isdigit() and text else ""
        raise ManifestError(f"list: {file}{place}: {text or row}") from error


def _numbers(file: Path, name: str, column: pa.Array, lines: np.ndarray) -> pa.Array:
    """A column as float64. Raises ManifestError for the first entry that is not a finite number."""
    import pandas as pd

    numbers = pd.to_numeric(column.to_pandas(), errors="coerce").to_numpy(np.float64)
    known = _mask(pc.is_valid(column))
    _refuse(file, lines, pa.array(known & ~np.isfinite(numbers)), f"{name} must be a number of seconds")
    return pa.array(numbers, mask=~known)


def _refuse(file: Path, lines: np.ndarray, wrong: pa.Array, rule: str) -> None:
    """Raise ManifestError for the first row that is wrong."""
    places = np.flatnonzero(_mask(wrong))
    if len(places):
        more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
        raise ManifestError(f"list: {file}, line {lines[places[0]]}: {rule}{more}")


def _mask(condition: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """An Arrow condition as a NumPy mask, where null counts as false."""
    return pc.fill_null(condition, False).to_numpy(zero_copy_only=False)


def _files(names: pa.ChunkedArray, root: Path, mark: Callable[[str], str] = fingerprint) -> tuple[pa.Array, pa.Array]:
    """Absolute paths and fingerprints of listed files; each file is read only once, however many clips it contains."""
    encoded = names.combine_chunks().dictionary_encode()
    paths = [os.path.join(root, name) for name in encoded.dictionary.to_pylist()]  # noqa: PTH118, for a million files
    sources = [mark(path) for path in paths]
    return tuple(pa.array(values, pa.string()).take(encoded.indices) for values in (paths, sources))
