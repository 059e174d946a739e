"""Ground-truth skeletons as they come with data sets."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from pipeline.errors import ClipError
from stages.skeletons.formats import read_skeletons


def keypoints_of(path: Path, indices: Sequence[int], persons: int) -> np.ndarray:
    return read_skeletons(path).frames(indices, persons)


def write_npz(path: Path, keypoints: np.ndarray, layout: str = "coco17") -> Path:
    np.savez(path, keypoints=keypoints, layout=layout)
    return path


def test_npz_gives_the_rows_of_the_frames(tmp_path: Path) -> None:
    keypoints = np.random.default_rng(0).uniform(1, 100, (3, 30, 17, 3))
    keypoints[..., 2] /= 100
    keypoints[0, 4, 2] = np.nan
    path = write_npz(tmp_path / "a.npz", keypoints)
    found = keypoints_of(path, [0, 4, 4, 29], persons=2)
    assert read_skeletons(path).layout.name == "coco17"
    assert not found[0, 1:3, 2].any()
    found[0, 1:3, 2] = keypoints[0, [4, 4], 2] = 0
    np.testing.assert_array_equal(found, np.nan_to_num(keypoints[:2, [0, 4, 4, 29]]))


def test_npz_without_scores_is_sure_of_every_finite_joint(tmp_path: Path) -> None:
    keypoints = np.random.default_rng(0).uniform(1, 100, (1, 5, 13, 2))
    keypoints[0, 2, 3] = np.nan
    found = keypoints_of(write_npz(tmp_path / "a.npz", keypoints, "pennaction13"), range(5), persons=2)
    assert found[..., 2].sum() == 5 * 13 - 1
    assert found[0, 2, 3].tolist() == [0, 0, 0]


def test_npz_scores_are_brought_into_their_range(tmp_path: Path) -> None:
    keypoints = np.full((1, 1, 17, 3), 50.0)
    keypoints[0, 0, :3, 2] = 2, -1, 0.3
    found = keypoints_of(write_npz(tmp_path / "a.npz", keypoints), [0], persons=1)
    assert found[0, 0, :4].tolist() == [[50, 50, 1], [0, 0, 0], [50, 50, 0.3], [50, 50, 1]]


def test_a_recording_a_little_shorter_than_its_video_leaves_the_last_frames_empty(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", np.full((1, 19, 17, 3), 0.5))
    found = keypoints_of(path, range(20), persons=1)
    assert found[0, :, 0, 2].tolist() == [0.5] * 19 + [0]
    with pytest.raises(ClipError, match=r"a\.npz has 19 frames, but frame 39 of the video is needed"):
        keypoints_of(path, range(40), persons=1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npz", b"no zip archive", r"cannot be read as \.npz"),
        ("a.mat", b"no MATLAB file", "cannot be read as a MATLAB 5 file"),
        ("a.txt", b"{}", r"extension '\.txt' is not supported"),
    ],
)
def test_errors_name_the_file_and_the_place(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ClipError, match=message) as error:
        read_skeletons(path)
    assert str(path) in str(error.value)


def test_npz_of_another_shape_or_layout_or_with_pickles_is_refused(tmp_path: Path) -> None:
    wrong = write_npz(tmp_path / "a.npz", np.zeros((1, 5, 13, 3)))
    with pytest.raises(ClipError, match=r"the shape of keypoints is \(1, 5, 13, 3\), not M,T,17,2, 3 or 4 \(coco17\)"):
        read_skeletons(wrong)
    unknown = write_npz(tmp_path / "b.npz", np.zeros((1, 5, 13, 3)), "stickman")
    with pytest.raises(ClipError, match="no joint layout is called 'stickman'"):
        read_skeletons(unknown)
    np.savez(tmp_path / "c.npz", keypoints=np.zeros((1, 5, 17, 3)))
    with pytest.raises(ClipError, match="lacks the array"):
        read_skeletons(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", keypoints=np.array([{"a": 1}], dtype=object), layout="coco17")
    with pytest.raises(ClipError, match="cannot be read"):
        read_skeletons(tmp_path / "d.npz")
    with pytest.raises(ClipError, match="not found"):
        read_skeletons(tmp_path / "none.npz")


def write_labels(path: Path, count: int = 10, **arrays: object) -> dict[str, np.ndarray]:
    """A label file as PennAction's, of a video 640 wide and 360 high."""
    rng = np.random.default_rng(0)
    labels = {
        "x": rng.uniform(2, 640, (count, 13)),
        "y": rng.uniform(2, 360, (count, 13)),
        "visibility": np.ones((count, 13), np.uint8),
        "dimensions": np.array([[360, 640, count]], np.uint16),
    }
    savemat(path, labels | arrays)
    return labels


def test_pennaction_labels_are_pixels_from_one_and_say_what_was_seen(tmp_path: Path) -> None:
    path = tmp_path / "0001.mat"
    visibility = np.ones((10, 13), np.uint8)
    visibility[0, :2] = 0
    labels = write_labels(path, visibility=visibility)
    labels["x"][0, 0] = labels["y"][0, 0] = 1.33  # a corner
    write_labels(path, visibility=visibility, x=labels["x"], y=labels["y"])
    file = read_skeletons(path)
    assert (file.layout.name, file.size, file.keypoints.shape) == ("pennaction13", (640, 360), (1, 10, 13, 3))
    np.testing.assert_allclose(file.keypoints[0, ..., 0], labels["x"] - 1)
    assert file.keypoints[0, 0, :3, 2].tolist() == [0, 0.5, 1]  # nowhere, hidden but placed, seen


def test_a_matlab_file_of_something_else_is_refused(tmp_path: Path) -> None:
    write_labels(tmp_path / "a.mat", x=np.zeros((10, 12)))
    with pytest.raises(ClipError, match=r"the shape of x is \(10, 12\), not frames by 13 joints"):
        read_skeletons(tmp_path / "a.mat")
    savemat(tmp_path / "b.mat", {"x": 1})
    with pytest.raises(ClipError, match="lacks the array 'y'"):
        read_skeletons(tmp_path / "b.mat")


def test_npz_may_say_how_large_the_video_is(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", keypoints=np.ones((1, 5, 17, 3)), layout="coco17", size=[640, 480])
    assert read_skeletons(tmp_path / "a.npz").size == (640, 480)
    for size in ([640], [640, float("nan")], [640, 0]):
        np.savez(tmp_path / "a.npz", keypoints=np.ones((1, 5, 17, 3)), layout="coco17", size=size)
        with pytest.raises(ClipError, match="not the width and height"):
            read_skeletons(tmp_path / "a.npz")
