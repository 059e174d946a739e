import csv

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.predict.recognitions import Recognitions
from stages.tables import CLIPS, PREDICTIONS, RECOGNITIONS


def test_lines_for_people(tmp_path, context, write_table, files_of, clip_row, variant):
    names = ["sit", "run", "jump"]
    index = [
        clip_row("x@0", None, None) | {"path": "/data/in/sub/x.mp4", "start": 0.0, "end": 2.5},
        clip_row("y", None, None) | {"path": "/data/in/y.mp4"},
        clip_row("broken", None, None) | {"path": "/data/in/broken.mp4"},
    ]
    predictions = [
        {"clip_id": "y", "error": None, "probabilities": [0.7, 0.2, 0.1], "class_names": names},
        {"clip_id": "x@0", "error": None, "probabilities": [0.1, 0.25, 0.65], "class_names": names},
        {"clip_id": "broken", "error": "moov atom not found", "probabilities": None, "class_names": None},
    ]
    files = files_of([write_table(tmp_path / "p.parquet", predictions, PREDICTIONS.schema)])
    stage = Recognitions(out=tmp_path / "out")
    table = stage.run(variant(pa.Table.from_pylist(index, schema=CLIPS.schema), predictions=files), context)
    assert table.schema == RECOGNITIONS.schema
    assert table["file"].to_pylist() == ["sub/x.mp4", "y.mp4"]
    assert table["top_labels"][0].as_py() == ["jump", "run", "sit"]

    stage.export(table, tmp_path / "run", tmp_path)
    with (tmp_path / "out" / "recognitions.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    columns = ["file", "start", "end", "label", "score", "top1", "top2", "top3", "top4", "top5"]
    assert list(lines[0]) == columns == pq.read_table(tmp_path / "out" / "recognitions.parquet").column_names
    assert lines[0]["label"] == "jump" and float(lines[0]["score"]) == pytest.approx(0.65)
    assert (lines[0]["start"], lines[0]["end"], lines[0]["top2"], lines[0]["top4"]) == ("0", "2.5", "run (0.2500)", "")
    assert lines[1]["end"] == "" and lines[1]["file"] == "y.mp4"
