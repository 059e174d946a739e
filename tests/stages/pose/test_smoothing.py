"""What was not seen, and what was made steadier."""

import numpy as np

from stages.pose.smoothing import fill_gaps, smooth


def path(x: list[float | None], score: float = 0.8) -> np.ndarray:
    """Keypoints 1,T,1,3 of one joint; None: missing."""
    return np.array([[0, 0, 0] if value is None else [value, 2 * value, score] for value in x], float)[None, :, None]


def test_short_gaps_between_seen_joints_are_interpolated_and_marked() -> None:
    keypoints = path([None, 0, None, None, 6, None, None, None, 8, None])
    keypoints[0, 4, 0, 2] = 0.5
    made_up = fill_gaps(keypoints, 2)
    assert np.flatnonzero(made_up).tolist() == [2, 3]
    np.testing.assert_allclose(keypoints[0, 1:5, 0], [[0, 0, 0.8], [2, 4, 0.5], [4, 8, 0.5], [6, 12, 0.5]])
    assert not keypoints[0, [0, 5, 6, 7, 9]].any()


def test_joints_are_filled_one_by_one() -> None:
    keypoints = np.concatenate([path([0, None, 2]), path([5, 5, 5])], axis=2)
    assert fill_gaps(keypoints, 1)[0].tolist() == [[False, False], [True, False], [False, False]]


def test_smoothing_keeps_what_moves_evenly_and_calms_what_trembles() -> None:
    still = path([float(10 + (-1) ** t) for t in range(40)])
    before = still.copy()
    smooth(still, 2)
    assert np.abs(still[0, 5:-5, 0, 0] - 10).max() < 0.05
    moving = path([3.0 * t for t in range(40)])
    smooth(moving, 2)
    np.testing.assert_allclose(moving[0, 8:-8, 0, 0], 3.0 * np.arange(40)[8:-8], atol=1e-3)
    np.testing.assert_array_equal(still[..., 2], before[..., 2])


def test_smoothing_neither_uses_nor_makes_up_what_is_missing() -> None:
    keypoints = path([1, 1, None, 1, 1])
    keypoints[0, 2, 0, :2] = 1000
    smooth(keypoints, 1)
    np.testing.assert_allclose(keypoints[0, [0, 1, 3, 4], 0, 0], 1)
    assert keypoints[0, 2, 0].tolist() == [1000, 1000, 0]
    certain = path([0, 10])
    certain[0, 1, 0, 2] = 0.0001
    smooth(certain, 5)
    assert certain[0, 0, 0, 0] < 0.01, "what is certain counts more"
