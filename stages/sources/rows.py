"""Builds the index: columns become a table with the schema of CLIPS, sorted, with unique ids."""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import ManifestError
from stages.sources.spelling import spelled_alike
from stages.tables import CLIPS


def clips_table(columns: Mapping[str, Sequence[object] | pa.Array | pa.ChunkedArray]) -> pa.Table:
    """The index from its columns (missing ones are null), sorted by ``clip_id``, with one spelling of each class.

    Raises ManifestError if an id occurs twice.
    """
    arrays = {}
    for field in CLIPS.schema:
        column = columns.get(field.name)
        if column is None:
            arrays[field.name] = pa.nulls(len(columns["clip_id"]), field.type)
        elif isinstance(column, pa.Array | pa.ChunkedArray):
            arrays[field.name] = column.cast(field.type)
        else:
            arrays[field.name] = pa.array(column, field.type)
    arrays["label"] = spelled_alike(arrays["label"])
    table = pa.table(arrays, schema=CLIPS.schema).sort_by("clip_id")
    ids = table["clip_id"].combine_chunks()
    twice = ids[1:].filter(pc.equal(ids[1:], ids[:-1]))
    if len(twice):
        raise ManifestError(f"{len(twice)} clips are listed more than once, the first is {twice[0]}: list each once")
    return table


def span_id(name: str, start: float | None, end: float | None) -> str:
    """The id of a span of a video: ``name@12.0-16.0``, or only the name for the whole video."""
    if start is None and end is None:
        return name
    return f"{name}@{'' if start is None else start}-{'' if end is None else end}"
