"""Segments, windows and sums as tables that spreadsheets, pandas and databases open: CSV and Parquet."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from pipeline.files import replace_file
from pipeline.stage import Row

NONE = "none"
"""The label of segments in which no class is likely enough, in all files."""

SEGMENTS = pa.schema(
    [
        ("file", pa.string()),  # below the folder that was searched
        ("start", pa.float64()),  # seconds
        ("end", pa.float64()),
        ("label", pa.string()),
        ("score", pa.float64()),
        ("person", pa.int32()),  # from 1; null where everybody was seen at once
        ("nearest", pa.string()),  # the likeliest class, whose score it is, where the label is none; null elsewhere
    ]
)
SUMS = pa.schema(
    [
        ("file", pa.string()),
        ("label", pa.string()),
        ("person", pa.int32()),
        ("segments", pa.int32()),
        ("seconds", pa.float64()),
        ("first", pa.float64()),  # seconds: when the first segment starts
        ("last", pa.float64()),  # when the last one ends
    ]
)


def label_of(segment: Row) -> str:
    """The label of a row of segments, for people. A class that is called like what has no class is told from it."""
    if segment["label"] is None:
        return NONE
    return f"{NONE} (class)" if segment["label"] == NONE else str(segment["label"])


def segments_table(videos: Sequence[Row]) -> pa.Table:
    """The segments of rows of RECOGNITIONS, by file and time."""
    rows = [
        {
            "file": video["file"],
            "start": round(segment["start"], 3),
            "end": round(segment["end"], 3),
            "label": label_of(segment),
            "score": round(segment["score"], 4),
            "person": segment["person"],
            "nearest": segment["nearest"],
        }
        for video in videos
        for segment in video["segments"]
    ]
    return pa.Table.from_pylist(rows, schema=SEGMENTS)


def windows_table(videos: Sequence[Row]) -> pa.Table:
    """The windows, with a column for the probability of each class."""
    names: list[str] = next((video["class_names"] for video in videos if video["class_names"]), [])
    fixed = ["file", "start", "end", "person"]
    columns = [f"{name} (class)" if name in fixed else name for name in names]
    rows = [(video["file"], window) for video in videos for window in video["windows"]]
    arrays = [pa.array([file for file, _ in rows], pa.string())]
    for name, kind in (("start", pa.float64()), ("end", pa.float64()), ("person", pa.int32())):
        arrays.append(pa.array([window[name] for _, window in rows], kind))
    for i in range(len(names)):
        arrays.append(pa.array([round(window["probabilities"][i], 4) for _, window in rows], pa.float64()))
    return pa.Table.from_arrays(arrays, names=fixed + columns)


def sums_table(videos: Sequence[Row]) -> pa.Table:
    """For each video, label and person: how often, how long, first and last."""
    sums: dict[tuple[str, str, int], Row] = {}
    for video in videos:
        for segment in video["segments"]:
            file, label, person = video["file"], label_of(segment), segment["person"]
            new = {"file": file, "label": label, "person": person, "segments": 0, "seconds": 0.0}
            own = sums.setdefault((file, label, person or 0), new | {"first": round(segment["start"], 3)})
            own["segments"] += 1
            own["seconds"] = round(own["seconds"] + segment["end"] - segment["start"], 3)
            own["last"] = round(max(segment["end"], own.get("last", 0.0)), 3)
    return pa.Table.from_pylist([sums[key] for key in sorted(sums)], schema=SUMS)


def write_tables(videos: Sequence[Row], folder: Path) -> None:
    """Write ``recognitions``, ``windows`` and ``summary`` to the folder; each file is replaced as a whole.

    videos: rows of RECOGNITIONS.
    """
    segments, windows, sums = segments_table(videos), windows_table(videos), sums_table(videos)
    for name, table in (("windows", windows), ("recognitions", segments)):
        _write(folder / f"{name}.parquet", table, pyarrow.parquet.write_table)
        _write(folder / f"{name}.csv", table, pyarrow.csv.write_csv)
    _write(folder / "summary.csv", sums, pyarrow.csv.write_csv)


def _write(path: Path, table: pa.Table, write: Callable[[pa.Table, Any], None]) -> None:
    sink = pa.BufferOutputStream()
    write(table, sink)
    replace_file(path, sink.getvalue().to_pybytes())
