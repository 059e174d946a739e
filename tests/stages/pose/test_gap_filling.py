"""Where a person was not detected."""

import numpy as np

from recognizer.skeletons import COCO17
from stages.pose.gap_filling import drop_unlikely, filled_boxes
from stages.pose.tracking import Track


def test_boxes_are_interpolated_between_detections_and_held_around_them() -> None:
    detections = np.full(20, -1)
    detections[[8, 12]] = 0
    boxes = np.full((20, 4), np.nan)
    boxes[8], boxes[12] = [0, 0, 10, 10], [8, 4, 18, 14]
    filled = filled_boxes(Track(boxes, (detections >= 0).astype(float), detections, np.zeros((20, 9)), 1.0))
    np.testing.assert_array_equal(filled[10], [4, 2, 14, 12])
    np.testing.assert_array_equal(filled[3:8], np.tile(boxes[8], (5, 1)))
    np.testing.assert_array_equal(filled[13:18], np.tile(boxes[12], (5, 1)))
    assert np.isnan(filled[[0, 1, 2, 18, 19]]).all()


def skeleton(x: float, score: float = 0.8) -> np.ndarray:
    return np.column_stack([np.linspace(x, x + 40, 17), np.linspace(0, 100, 17), np.full(17, score)])


def test_skeletons_in_gaps_of_nobody_and_of_somebody_else_are_dropped() -> None:
    keypoints = np.zeros((2, 4, 17, 3))
    keypoints[0] = skeleton(0)
    keypoints[1] = [skeleton(200), skeleton(200, 0.2), skeleton(2), skeleton(2)]
    filled = np.array([[False, False, False, True], [False, True, True, False]])
    drop_unlikely(keypoints, filled, COCO17)
    assert keypoints[..., 2].any(2).tolist() == [[True, True, True, False], [True, False, False, True]]


def test_a_doubtful_skeleton_that_was_detected_is_kept() -> None:
    keypoints = skeleton(0, 0.2)[None, None].copy()
    drop_unlikely(keypoints, np.array([[False]]), COCO17)
    assert keypoints[0, 0, :, 2].all()
