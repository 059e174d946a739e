"""JSON lines: one segment a line, for jq, pandas and DuckDB. The same rows as in ``recognitions.csv``."""

import json
from collections.abc import Sequence

from pipeline.stage import Row
from stages.recognitions.exported_files import Places, rounded, write_changed
from stages.recognitions.tables import segments_table

NAME = "recognitions.jsonl"


def write_json_lines(videos: Sequence[Row], places: Places, model: str) -> None:
    """Write ``recognitions.jsonl``; segments without a class have the label "none"."""
    rows = [row | {"score": rounded(row["score"])} for row in segments_table(videos).to_pylist()]
    lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows]
    write_changed(places.out / NAME, "".join(lines).encode())
