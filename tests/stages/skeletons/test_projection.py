"""From space to a picture."""

from pathlib import Path

import numpy as np
import pytest

from recognizer.skeletons import KINECT20
from stages.skeletons.projection import framed, projected
from stages.skeletons.skeleton_file import SkeletonFile


def in_space(points: list[tuple[float, float, float]]) -> SkeletonFile:
    keypoints = np.zeros((1, len(points), 20, 4))
    keypoints[0, :, 0, :3], keypoints[0, :, 0, 3] = points, 1
    return SkeletonFile(Path("a.npz"), keypoints, KINECT20, None)


@pytest.mark.parametrize(
    ("plane", "right", "down"), [(("x", "-y"), 0, (1, -1)), (("z", "-y"), 2, (1, -1)), (("x", "z"), 0, (2, 1))]
)
def test_axes(plane, right, down) -> None:
    """Two points: what lies higher in space lies higher in the picture."""
    points = [(0.0, 0.0, 0.0), (1.0, 2.0, 4.0)]
    file = projected(in_space(points), plane)
    (x, y), (width, height) = file.keypoints[0, 1, 0, :2] - file.keypoints[0, 0, 0, :2], file.size or (0, 0)
    axis, sign = down
    assert (x > 0, y > 0) == (True, sign > 0)
    assert x / abs(y) == pytest.approx(points[1][right] / points[1][axis])  # a unit is equally long in both directions
    assert max(width, height) == pytest.approx(1000)
    assert file.keypoints.shape == (1, 2, 20, 3) and not file.keypoints[0, :, 1:, 2].any()


def test_skeletons_in_a_picture_stay() -> None:
    flat = SkeletonFile(Path("a.npz"), np.ones((1, 4, 20, 3)), KINECT20, (64, 64))
    assert projected(flat, ("x", "-y")) is flat


def test_a_frame_around_nobody_and_around_a_point() -> None:
    assert framed(np.zeros((1, 4, 20, 3)))[1] == (1000, 1000)
    keypoints, size = framed(np.ones((1, 4, 20, 3)))
    assert np.isfinite(keypoints).all() and all(edge > 0 for edge in size)


def test_two_planes_make_two_people_of_each_with_one_middle_and_one_scale() -> None:
    rng = np.random.default_rng(0)
    keypoints = np.concatenate([rng.normal((1, 2, 30), (1, 1, 0.5), (2, 5, 20, 3)), np.ones((2, 5, 20, 1))], axis=3)
    keypoints[1, 2, 4] = np.nan
    space = SkeletonFile(Path("a.npz"), keypoints, KINECT20, None)
    found = projected(space, ("x", "-y"), ("z", "-y")).keypoints
    assert found.shape == (4, 5, 20, 3)
    for person in (0, 1):
        front, side = found[2 * person : 2 * person + 2]
        known = np.isfinite(keypoints[person]).all(-1)
        assert np.allclose(front[known][:, 1], side[known][:, 1])  # the same height in both
        scale = np.ptp(front[known][:, 1]) / np.ptp(keypoints[person][known][:, 1])
        for picture, axis in ((front, 0), (side, 2)):
            assert np.ptp(picture[known][:, 0]) == pytest.approx(scale * np.ptp(keypoints[person][known][:, axis]))
    left, right = np.nanmin(found[..., 0], axis=(1, 2)), np.nanmax(found[..., 0], axis=(1, 2))
    front, side = ((left[i::2].min() + right[i::2].max()) / 2 for i in (0, 1))
    assert front == pytest.approx(side)  # the middle of all people
