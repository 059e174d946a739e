"""Reading BVH: where joints are, and what is said of files that are none."""

from pathlib import Path

import numpy as np
import pytest
from capture_files import bvh

from pipeline.errors import ClipError
from stages.synthetic.bvh import read_bvh


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_joints_are_turned_in_the_order_of_their_channels(tmp_path: Path) -> None:
    found = read_bvh(write(tmp_path / "a.bvh", bvh(frames=3, LeftArm=(90, 90, 0), Hips=(0, 90, 0))))
    assert found.names[:3] == ("Hips", "Spine", "Neck") and found.parents[:3] == (-1, 0, 1)
    assert np.array_equal(found.frame_seconds, [0.1] * 3)
    assert found.at_rest()[found.names.index("LeftHand")].tolist() == [74, 45, 0]
    places, _ = found.posed()
    assert places.shape == (3, 18, 3)
    assert places[0, 0].tolist() == [0, 92, 0]
    shoulder, elbow = (places[0, found.names.index(name)] for name in ("LeftArm", "LeftForeArm"))
    # About z, the arm would point up; before that, about y, it is turned to the back: so it stays there. Then the whole
    # body turns to its left, and what was behind it is at its right.
    assert np.round(shoulder, 6).tolist() == [0, 137, -20]
    assert np.round(elbow - shoulder, 6).tolist() == [-28, 0, 0]


def test_a_file_of_another_system(tmp_path: Path) -> None:
    text = bvh(frames=2).replace("\n", "\r\n").replace("\t", " ")
    assert len(read_bvh(write(tmp_path / "a.bvh", text)).root) == 2


@pytest.mark.parametrize(
    "change,error",
    [
        (("MOTION", "MOTIONS"), None),
        (("MOTION", "NOTHING"), "it has no line MOTION"),
        (("Frames: 3", "Frames: 4"), "171 numbers are not 4 frames of 57 channels"),
        (("Frame Time:", "Time:"), "after MOTION must come Frames: and Frame Time:"),
        (("Yrotation", "Wrotation"), "Hips has a channel Wrotation"),
        (("OFFSET 0 10 0", "OFFSET 0 ten 0"), "could not convert string to float: 'ten'"),
        (("Frame Time: 0.1", "Frame Time: x"), "could not convert string to float: 'x'"),
        (("ROOT", "ROUTE"), "CHANNELS belongs to no joint"),
        (("HIERARCHY", "HIERARCHY }"), "} belongs to no joint"),
        (("MOTION", "ROOT Two { OFFSET 0 0 0 } MOTION"), "it has 2 roots, not one"),
        (("CHANNELS 6 X", "CHANNELS 600 X"), "it ends within its joints"),
    ],
)
def test_files_that_are_none(tmp_path: Path, change: tuple[str, str], error: str | None) -> None:
    path = write(tmp_path / "a.bvh", bvh(frames=3).replace(*change))
    with pytest.raises(ClipError, match=r"a\.bvh cannot be read as BVH: " + (error or "")):
        read_bvh(path)


def test_bytes_and_absent_files(tmp_path: Path) -> None:
    (tmp_path / "a.bvh").write_bytes(bytes(range(256)) * 20)
    for name in ("a.bvh", "b.bvh"):
        with pytest.raises(ClipError, match="cannot be read as BVH"):
            read_bvh(tmp_path / name)
