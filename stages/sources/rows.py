"""Putting the index together: columns become a table of schema CLIPS, sorted, with unique ids."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import ManifestError
from stages.tables import CLIPS


def clips_table(columns: Mapping[str, Any]) -> pa.Table:
    """The index from its columns (sequences or Arrow arrays; those left out are null), sorted by ``clip_id``.

    Raises ManifestError where an id occurs twice.
    """
    count = len(columns["clip_id"])
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(count, field.type)
        for field in CLIPS.schema
    ]
    table = pa.table(arrays, schema=CLIPS.schema).sort_by("clip_id")
    ids = table["clip_id"].combine_chunks()
    twice = ids[1:].filter(pc.equal(ids[1:], ids[:-1]))
    if len(twice):
        raise ManifestError(f"{len(twice)} clips are listed more than once, the first is {twice[0]}: list each once")
    return table


def span_id(name: str, start: float | None, end: float | None) -> str:
    """The id of a span of a video: ``name@12.0-16.0``, or the name alone for the whole of it."""
    if start is None and end is None:
        return name
    return f"{name}@{'' if start is None else round(start, 3)}-{'' if end is None else round(end, 3)}"
