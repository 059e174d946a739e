"""Reading DeepMimic's motions: where joints are, and what is said of files that are none."""

import json
from pathlib import Path

import numpy as np
import pytest
from capture_files import write_deepmimic

from pipeline.errors import ClipError
from stages.synthetic.deepmimic import read_deepmimic

HALF = float(np.sqrt(0.5))


def test_rotations_are_quaternions_or_angles(tmp_path: Path) -> None:
    path = write_deepmimic(tmp_path / "a.txt", root=(HALF, 0, HALF, 0), right_knee=(-np.pi / 2,))
    found = read_deepmimic(path)
    places, _ = found.posed()
    place = dict(zip(found.names, places[-1].round(3).tolist(), strict=True))
    assert place["neck"] == [0, 1.36, 0]
    # Who faces x and turns a quarter to the left faces -z, and x is to the right. A knee is bent backward.
    assert place["right_hip"] == [0.085, 0.9, 0] and place["left_hip"] == [-0.085, 0.9, 0]
    assert place["right_ankle"] == [0.085, 0.478, 0.41] and place["left_ankle"] == [-0.085, 0.068, 0]


@pytest.mark.parametrize(
    "content,error",
    [
        ({"Frames": [[0.1] * 20]}, "a frame of a person has 44 numbers, not 20"),
        ({"Frames": [[0.1] * 44, 3]}, "a frame of a person has 44 numbers, not 0"),
        ({"Frames": []}, "it has no Frames"),
        ([1, 2], "it has no Frames"),
        ({"Frames": [[0.0] * 44]}, "zero norm"),
        ({"Frames": [["x"] * 44]}, "could not convert string to float"),
        ({"Frames": [[None] * 44]}, ""),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: object, error: str) -> None:
    (tmp_path / "a.txt").write_text(json.dumps(content))
    with pytest.raises(ClipError, match=r"a\.txt cannot be read as DeepMimic's: .*" + error):
        read_deepmimic(tmp_path / "a.txt")


def test_texts_and_absent_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a list\xff")
    (tmp_path / "deep.txt").write_text("[" * 100_000)
    for name in ("a.txt", "b.txt", "deep.txt"):
        with pytest.raises(ClipError, match="cannot be read as DeepMimic's"):
            read_deepmimic(tmp_path / name)
