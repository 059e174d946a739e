"""Rows of RECOGNITIONS, made by hand."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

Spans = Sequence[tuple[float, float, int | None, str | None, float]]
"""Start, end, person, label and score of each segment."""


def row(file: str, segments: Spans, names: Sequence[str]) -> dict[str, Any]:
    keys = ("start", "end", "person", "label", "score")
    made = [dict(zip(keys, segment, strict=True)) | {"thumbnail": None} for segment in segments]
    windows = [{"start": 0.0, "end": 1.0, "person": None, "probabilities": [1 / len(names)] * len(names)}]
    fixed = {"file": file, "error": None, "failed": 0, "width": 640, "height": 360, "class_names": list(names)}
    return fixed | {"windows": windows, "segments": made}


@pytest.fixture
def video_row() -> Callable[[str, Spans, Sequence[str]], dict[str, Any]]:
    return row
