"""Skeletons out of a file that holds a whole set."""

import time
from pathlib import Path

import numpy as np
import pytest
from skeleton_sets import JHMDB, KINECT, write_set

from pipeline.errors import ClipError
from stages.skeletons.formats import read_skeletons


def test_each_clip_has_its_own_frames(tmp_path: Path) -> None:
    path = write_set(tmp_path / "a.npz", KINECT, 4, 6)
    with np.load(path) as arrays:
        keypoints, offsets = arrays["keypoints"], arrays["offsets"]
    file = read_skeletons(path, "3")
    assert (file.layout.name, file.keypoints.shape, file.size) == ("kinect20", (1, 11, 20, 4), None)
    assert np.allclose(file.keypoints[0, ..., :3], keypoints[offsets[3] : offsets[4], :, :3])
    assert (file.keypoints[..., 3] == 1).all()  # the fourth number is not taken for a score unless channels says so
    assert str(file) == f"3 in skeleton file {path}"


def test_a_picture_is_the_box_around_the_people_unless_there_is_a_size(tmp_path: Path) -> None:
    file = read_skeletons(write_set(tmp_path / "a.npz", JHMDB, 2, 4), "1")
    points, (width, height) = file.keypoints[..., :2], file.size or (0, 0)
    assert points.min() > 0 and (points < (width, height)).all() and max(width, height) == pytest.approx(1000)
    file = read_skeletons(write_set(tmp_path / "b.npz", JHMDB, 2, 4, size=np.array([640, 480])), "1")
    with np.load(tmp_path / "b.npz") as arrays:
        assert np.allclose(file.keypoints[0, ..., :2], arrays["keypoints"][8:17])
    assert file.size == (640, 480)


def test_missing_joints(tmp_path: Path) -> None:
    keypoints = np.ones((5, 2, 15, 3)) * 7
    keypoints[1, 0, 3], keypoints[2, 1, 4, 0], keypoints[3, 0, 5, 2] = 0, np.nan, 0.25
    np.savez(tmp_path / "a.npz", keypoints=keypoints, offsets=[0, 5], layout="jhmdb15", channels="xys", size=[9, 9])
    score = read_skeletons(tmp_path / "a.npz", "0").keypoints[..., 2]
    assert score.shape == (2, 5, 15)
    assert (score[0, 1, 3], score[1, 2, 4], score[0, 3, 5]) == (0, 0, 0.25)
    assert (score == 1).sum() == score.size - 3


def test_unknown_joint_names_are_a_layout_of_their_own(tmp_path: Path) -> None:
    path = write_set(tmp_path / "dancers.npz", ["top", "LFin", "RFin", "left tail"], 2, 4)
    layout = read_skeletons(path, "0").layout
    assert (layout.name, layout.joints) == ("dancers", ("top", "left_fin", "right_fin", "left_tail"))
    assert (layout.pairs, layout.edges) == (((1, 2),), ())


def test_a_set_is_read_once(tmp_path: Path) -> None:
    """Reading 100 clips one by one must not read 60 MB each."""
    path = tmp_path / "large.npz"
    np.savez(
        path, keypoints=np.ones((250_000, 20, 3), np.float32), offsets=np.arange(0, 250_001, 50), layout="kinect20"
    )
    read_skeletons(path, "0000")
    start = time.perf_counter()
    for i in range(100):
        assert read_skeletons(path, f"{i:04}").keypoints.shape == (1, 50, 20, 4)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({}, "lacks the array 'keypoints'; it has none"),
        (
            {"keypoints": np.ones((9, 15)), "offsets": [0, 9]},
            r"keypoints are float64 of shape \(9, 15\), not numbers",
        ),
        ({"keypoints": np.ones((9, 15, 2)), "offsets": [0, 10]}, "offsets do not increase from 0 to 9"),
        ({"keypoints": np.ones((9, 15, 2)), "offsets": [0, 5, 4]}, "offsets do not increase from 0 to 9"),
        ({"keypoints": np.ones((9, 15, 2)), "offsets": [0.0, 5.0]}, "offsets are not a list of whole numbers"),
        ({"keypoints": np.ones((9, 15, 2)), "offsets": [0, 9]}, "it has neither layout nor joint_names"),
        ({"keypoints": np.ones((9, 15, 2)), "offsets": [0, 9], "layout": "jhmdb"}, "did you mean 'jhmdb15'"),
        (
            {"keypoints": np.ones((9, 14, 2)), "offsets": [0, 9], "layout": "jhmdb15"},
            "have 14 joints, layout jhmdb15 has",
        ),
        (
            {"keypoints": np.ones((9, 15, 2)), "offsets": [0, 9], "channels": "xyz"},
            "2 numbers per joint cannot be 'xyz'",
        ),
        ({"keypoints": np.ones((9, 15, 2)), "offsets": [0, 5, 9], "name": ["a", "a"]}, "1 different names for 2 clips"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, arrays: dict, text: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ClipError, match=text):
        read_skeletons(tmp_path / "a.npz", "0")


def test_a_clip_that_is_not_there_or_has_no_frames(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", keypoints=np.ones((9, 15, 2)), offsets=[0, 0, 9], layout="jhmdb15")
    with pytest.raises(ClipError, match="has no clip 7"):
        read_skeletons(tmp_path / "a.npz", "7")
    with pytest.raises(ClipError, match=r"0 in .* has no frames"):
        read_skeletons(tmp_path / "a.npz", "0")


def test_a_header_that_promises_more_than_there_is(tmp_path: Path) -> None:
    """4 TB in a file of a few bytes."""
    import zipfile

    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 20, 50), }"
    header = header.ljust(128 - 10 - 1) + b"\n"
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("keypoints.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(ClipError, match=r"cannot be read as \.npz"):
        read_skeletons(tmp_path / "a.npz", "0")


@pytest.mark.parametrize(
    ("name", "entry", "layout"),
    [
        ("msr_action3d", "a03_s02_e01", "kinect20"),
        ("utkinect", "s01_e01_walk", "kinect20"),
        ("jhmdb14_skeletons", "000", "jhmdb15"),
        ("uav_gesture_openpose", "S11_allClear_HD", "openpose18"),
    ],
)
def test_real_sets(shared_data: Path, name: str, entry: str, layout: str) -> None:
    file = read_skeletons(shared_data / "skeleton_sets" / f"{name}.npz", entry)
    assert file.layout.name == layout and len(file.layout.edges) >= 14
    assert (file.keypoints[..., -1] > 0).mean() > 0.9
