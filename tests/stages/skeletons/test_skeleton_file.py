"""Skeleton files that do not belong to their video are refused, or understood, and never taken as they are."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from video_files import write_video

from pipeline.errors import ClipError
from stages.pose.stage import Pose
from stages.skeletons.formats import read_skeletons
from stages.tables import CLIPS
from stages.video.stage import Decode

WIDTH, HEIGHT, FRAMES = 128, 96, 40


def skeletons(path: Path, frames: int = FRAMES, **arrays: object) -> Path:
    keypoints = np.random.default_rng(0).uniform(10, 90, (1, frames, 17, 2))
    np.savez(path, **({"keypoints": keypoints, "layout": "coco17"} | arrays))
    return path


def pose(folder: Path, file: Path) -> dict:
    """The row of a clip of 40 frames with this skeleton file."""
    video = write_video(folder / "video.mp4", count=FRAMES, width=WIDTH, height=HEIGHT)
    clip = {"clip_id": "a", "source": "", "path": str(video), "skeleton_path": str(file), "skeleton_source": ""}
    clips = pa.Table.from_pylist([clip], CLIPS.schema)
    frames = Decode(frames=8).process(clips, {}, None)
    [row] = Pose().process(clips, {"frames": frames}, Pose().load({})).to_pylist()
    return row


@pytest.mark.parametrize("frames", [FRAMES, FRAMES - 3, FRAMES + 3, FRAMES - 4])
def test_a_few_frames_more_or_less_are_usual(frames: int, tmp_path: Path) -> None:
    assert pose(tmp_path, skeletons(tmp_path / "s.npz", frames))["error"] is None


@pytest.mark.parametrize("frames", [20, 60, 400])
def test_many_more_or_fewer_frames_than_the_video(frames: int, tmp_path: Path) -> None:
    error = pose(tmp_path, skeletons(tmp_path / "s.npz", frames))["error"]
    assert f"s.npz has {frames} frames, its video 40: it belongs to another video" in error


def test_a_swapped_size(tmp_path: Path) -> None:
    error = pose(tmp_path, skeletons(tmp_path / "s.npz", size=(HEIGHT, WIDTH)))["error"]
    assert "says size 96, 128, but the video is 128 x 96: size is width and height" in error
    assert pose(tmp_path, skeletons(tmp_path / "s.npz", size=(2 * WIDTH, 2 * HEIGHT)))["error"] is None


def test_pixels_of_a_larger_video(tmp_path: Path) -> None:
    keypoints = np.random.default_rng(0).uniform(300, 700, (1, FRAMES, 17, 2))
    error = pose(tmp_path, skeletons(tmp_path / "s.npz", keypoints=keypoints))["error"]
    assert "most joints lie far outside of the frame of 128 x 96; give size" in error
    assert pose(tmp_path, skeletons(tmp_path / "s.npz", keypoints=keypoints, size=(1280, 960)))["error"] is None


@pytest.mark.parametrize("low", [0.0, -1.0])
def test_relative_coordinates(low: float, tmp_path: Path) -> None:
    keypoints = np.random.default_rng(0).uniform(low, 1, (1, FRAMES, 17, 2))
    with pytest.raises(ClipError, match="not pixels: multiply them by the width and height of the video"):
        read_skeletons(skeletons(tmp_path / "s.npz", keypoints=keypoints))


def test_zero_zero_is_a_missing_joint(tmp_path: Path) -> None:
    keypoints = np.random.default_rng(0).uniform(10, 90, (1, FRAMES, 17, 2))
    keypoints[0, :, 3] = 0
    file = read_skeletons(skeletons(tmp_path / "s.npz", keypoints=keypoints))
    assert (file.keypoints[0, :, 3, 2] == 0).all() and (file.keypoints[0, :, 4, 2] == 1).all()


def test_names_and_extensions(tmp_path: Path) -> None:
    skeletons(tmp_path / "s.npz").rename(tmp_path / "S.NPZ")
    assert read_skeletons(tmp_path / "S.NPZ").keypoints.shape == (1, FRAMES, 17, 3)
    np.savez(tmp_path / "other.npz", kp=np.zeros((1, 2, 17, 2)), keypoint_score=np.ones((1, 2, 17)))
    with pytest.raises(ClipError, match=r"lacks the array .*keypoints.*; it has kp, keypoint_score"):
        read_skeletons(tmp_path / "other.npz")


def test_the_arrays_of_an_annotation_of_pyskl(tmp_path: Path) -> None:
    """As they are when somebody saves each annotation of a pickle in a file of its own."""
    rng = np.random.default_rng(0)
    keypoint, score = rng.uniform(10, 90, (2, FRAMES, 17, 2)), rng.uniform(0.2, 1, (2, FRAMES, 17))
    annotation = {"keypoint": keypoint.astype(np.float16), "keypoint_score": score, "img_shape": (HEIGHT, WIDTH)}
    annotation |= {"total_frames": FRAMES, "label": 3, "frame_dir": "a", "original_shape": (HEIGHT, WIDTH)}
    np.savez(tmp_path / "s.npz", **annotation)
    (tmp_path / "s.npz").rename(tmp_path / "S.NPZ")
    found = read_skeletons(tmp_path / "S.NPZ")
    assert (found.size, found.layout.name) == ((WIDTH, HEIGHT), "coco17")
    assert np.allclose(found.keypoints[..., :2], keypoint, atol=0.05) and np.allclose(found.keypoints[..., 2], score)
    assert pose(tmp_path, tmp_path / "S.NPZ")["error"] is None


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"total_frames": 7}, "total_frames is not 40"),
        ({"img_shape": (0, 1)}, "img_shape is not the height and width"),
        ({"keypoint_score": np.ones((1, 2))}, "the shape of keypoint_score is"),
        ({"keypoint": np.full((1, FRAMES, 17, 2), 0.5) + np.arange(2)}, "no coordinate is beyond 1.5"),
        ({"keypoint": np.ones((1, FRAMES, 16, 2))}, "no joint layout is known for 16 joints"),
    ],
)
def test_arrays_of_an_annotation_that_do_not_fit(tmp_path: Path, change: dict[str, object], error: str) -> None:
    annotation = {"keypoint": np.full((1, FRAMES, 17, 2), 50.0), "img_shape": (HEIGHT, WIDTH)}
    np.savez(tmp_path / "s.npz", **(annotation | change))
    with pytest.raises(ClipError, match=error):
        read_skeletons(tmp_path / "s.npz")


def test_npz_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "s.npz").write_text("<!DOCTYPE html>")
    with pytest.raises(ClipError, match=r"cannot be read as \.npz: it is a web page"):
        read_skeletons(tmp_path / "s.npz")
    np.savez(tmp_path / "s.npz", poses=np.ones(3))
    with pytest.raises(ClipError, match="lacks the array 'keypoints'; it has poses"):
        read_skeletons(tmp_path / "s.npz")
