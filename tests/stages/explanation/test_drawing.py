from collections.abc import Callable

import numpy as np
import pytest

from stages.explanation.attention import ClipAttention
from stages.explanation.drawing import draw_joints, draw_points, pictures

MakeClip = Callable[..., ClipAttention]


def changed(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Where two images differ: the middle of it, x and y relative to the image."""
    rows, columns = np.nonzero((one != other).any(axis=2))
    return (columns.min() + columns.max()) / 2 / one.shape[1], (rows.min() + rows.max()) / 2 / one.shape[0]


@pytest.mark.parametrize("t", [0, 1, 2])
def test_a_dot_is_drawn_where_the_network_reads(make_clip: MakeClip, t: int) -> None:
    points, weight = np.array([[0.25, 0.75, t], [0.5, 0.5, 0.0]]), np.array([0.9, 0.0])
    outside = points + np.array([2, 0, 0])
    clip, empty = make_clip(points, weight), make_clip(outside, weight)
    drawn, blank = (draw_points(one, one.blocks[0]) for one in (clip, empty))
    side = drawn.shape[1] / 3
    x, y = changed(drawn, blank)
    assert x * drawn.shape[1] == pytest.approx((t + 0.25) * side, abs=4)
    top = 0.22 * 100  # above the frame stands its time
    assert y * drawn.shape[0] == pytest.approx(top + 0.75 * side, abs=6)


def test_stronger_points_are_darker(make_clip: MakeClip) -> None:
    points = np.array([[0.3, 0.5, 0.0], [0.7, 0.5, 0.0]])
    clip = make_clip(points, np.array([0.75, 0.25]))
    drawn = draw_points(clip, clip.blocks[0]).astype(int)
    side, row = drawn.shape[1] // 3, 22 + drawn.shape[1] // 6
    strong, weak = drawn[row, int(0.3 * side)], drawn[row, int(0.7 * side)]
    assert strong.sum() < weak.sum()


def test_joints_of_everybody_who_is_there(make_clip: MakeClip) -> None:
    clip = make_clip(persons=2)
    alone = draw_joints(clip, clip.blocks[0])
    assert clip.sample.keypoints is not None
    clip.sample.keypoints[1] = clip.sample.keypoints[0]
    for weights in (clip.blocks[0].joints_weight, clip.blocks[0].joints_even):
        assert weights is not None
        weights[1] = weights[0]
    both = draw_joints(clip, clip.blocks[0])
    assert both.shape[1] == alone.shape[1] and both.shape[0] > alone.shape[0] + 250


def test_captions_say_what_is_there(make_clip: MakeClip) -> None:
    clip = make_clip(np.array([[0.3, 0.5, 0.0]]), np.array([0.8]))
    points, joints = pictures(clip)
    assert (points.name, joints.name) == ("points-1", "joints-1")
    assert (
        "Where the network samples" in points.caption and "100\u00a0% of this attention is on people" in points.caption
    )
    assert "Elbows and hands get 24\u00a0% of it (even: 24\u00a0%)" in joints.caption
    assert points.image.dtype == np.uint8 and points.image.shape[2] == 3


def test_nobody_there_and_no_video(make_clip: MakeClip) -> None:
    clip = make_clip(video=False, frames=1)
    assert clip.sample.keypoints is not None
    clip.sample.keypoints[:] = 0
    (joints,) = pictures(clip)
    assert "Elbows" not in joints.caption and joints.image.shape[0] > 300
