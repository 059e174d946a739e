"""Skeletons without videos."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import ClipError
from stages.cache.shards import keypoints_of
from stages.pose.given import Skeletons


def clip(path: Path | None) -> dict[str, Any]:
    return {"clip_id": "a", "start": None, "end": None, "skeleton_path": path and str(path), "skeleton_entry": None}


def test_coordinates_are_those_of_the_square_around_the_frame(tmp_path: Path) -> None:
    keypoints = np.zeros((2, 30, 17, 3))
    keypoints[0, :, 0] = 99.5, 49.5, 1  # the middle of 200 x 100 pixels
    keypoints[0, :, 1] = -0.5, -0.5, 1  # the frame's corner
    np.savez(tmp_path / "a.npz", keypoints=keypoints, layout="coco17", size=(200, 100))
    row = Skeletons(frames=8, persons=1).clip(clip(tmp_path / "a.npz"), {}, None)
    found = keypoints_of(row)
    assert (found.shape, row["layout"], row["estimator"]) == ((1, 8, 17, 3), "coco17", "ground truth")
    assert found[0, 0, 0].tolist() == [0.5, 0.5, 1]
    assert found[0, 0, 1].tolist() == [0, 0.25, 1]
    assert not found[0, 0, 2].any()


def test_frames_are_the_middles_of_equal_segments(tmp_path: Path) -> None:
    keypoints = np.ones((1, 30, 17, 3))
    keypoints[0, :, :, 0] = np.arange(30)[:, None]
    np.savez(tmp_path / "a.npz", keypoints=keypoints, layout="coco17", size=(32, 32))
    found = keypoints_of(Skeletons(frames=3).clip(clip(tmp_path / "a.npz"), {}, None))
    assert (found[0, :, 0, 0] * 32 - 0.5).tolist() == [5, 15, 25]


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="use decode and pose"):
        Skeletons().clip(clip(None), {}, None)
    with pytest.raises(ClipError, match="a span cannot be cut out"):
        Skeletons().clip(clip(tmp_path / "a.npz") | {"start": 1.0}, {}, None)
    np.savez(tmp_path / "a.npz", keypoints=np.ones((1, 30, 17, 3)), layout="coco17")
    with pytest.raises(ClipError, match="does not say how large the video's frames are: give size"):
        Skeletons().clip(clip(tmp_path / "a.npz"), {}, None)
    np.savez(tmp_path / "a.npz", keypoints=np.zeros((1, 30, 17, 3)), layout="coco17", size=(32, 32))
    with pytest.raises(ClipError, match="no joint in any of the 48 frames"):
        Skeletons().clip(clip(tmp_path / "a.npz"), {}, None)
