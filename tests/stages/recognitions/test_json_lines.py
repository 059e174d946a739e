"""JSON lines, as pandas and the standard library read them."""

import io
import json
from pathlib import Path

import pandas as pd
import pytest

from stages.recognitions.exported_files import Places
from stages.recognitions.json_lines import write_json_lines


def test_one_segment_a_line(tmp_path: Path, video_row) -> None:
    odd = 'a\nb\u2028"ü'
    rows = [video_row(odd, [(0, 1, 2, odd, 0.5), (1, 2, None, None, 0.25)], [odd]), video_row("b", [], [odd])]
    write_json_lines(rows, Places(tmp_path, tmp_path), "model")
    content = (tmp_path / "recognitions.jsonl").read_bytes()
    first, second = [json.loads(line) for line in content.split(b"\n")[:-1]]
    assert first == {"file": odd, "start": 0, "end": 1, "label": odd, "score": 0.5, "person": 2, "nearest": None}
    nothing = {"label": "none", "person": None, "nearest": None}
    assert second == {"file": odd, "start": 1, "end": 2, "score": 0.25} | nothing
    table = pd.read_json(io.BytesIO(content), lines=True)
    assert table["file"].tolist() == [odd, odd] and table["end"].tolist() == [1, 2]


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_no_number(tmp_path: Path, video_row, score: float) -> None:
    write_json_lines([video_row("a.mp4", [(0, 1, None, "sit", score)], ["sit"])], Places(tmp_path, tmp_path), "model")
    text = (tmp_path / "recognitions.jsonl").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["score"] is None
