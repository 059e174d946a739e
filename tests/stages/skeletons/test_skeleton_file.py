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
    np.savez(tmp_path / "other.npz", keypoint=np.zeros((1, 2, 17, 2)), keypoint_score=np.ones((1, 2, 17)))
    with pytest.raises(ClipError, match=r"lacks the array .*keypoints.*; it has keypoint, keypoint_score"):
        read_skeletons(tmp_path / "other.npz")
