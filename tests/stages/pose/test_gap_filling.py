"""Where a person was not detected."""

import numpy as np

from recognizer.skeletons import COCO17
from stages.pose.gap_filling import carried_boxes, doubtful_skeletons, drop_unlikely, filled_boxes
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


def test_skeletons_in_gaps_of_nobody_are_dropped() -> None:
    keypoints = np.stack([skeleton(0), skeleton(0, 0.2), skeleton(0, 0.2), skeleton(0)])[None]
    drop_unlikely(keypoints, np.array([[False, True, False, False]]), COCO17)
    assert keypoints[0, :, :, 2].any(1).tolist() == [True, False, True, True]


def test_in_gaps_of_somebody_who_is_hard_to_see_lower_scores_are_usual() -> None:
    keypoints = np.stack([skeleton(0, 0.25), skeleton(0, 0.2), skeleton(0, 0.1), skeleton(0, 0.25)])[None]
    detected = np.array([[True, False, False, True]])
    assert doubtful_skeletons(keypoints, detected)[0].tolist() == [False, False, True, False]


def test_of_two_skeletons_in_one_place_that_of_the_person_who_was_there_stays() -> None:
    keypoints = np.zeros((2, 5, 17, 3))
    keypoints[0] = [skeleton(x) for x in (0, 40, 89, 40, 0)]
    keypoints[1] = [skeleton(x) for x in (160, 120, 90, 120, 160)]
    drop_unlikely(keypoints, np.zeros((2, 5), bool), COCO17)
    assert keypoints[..., 2].any(2).tolist() == [[True, True, False, True, True], [True] * 5]


def test_of_two_who_are_always_in_one_place_the_more_prominent_stays() -> None:
    keypoints = np.stack([[skeleton(0)] * 3, [skeleton(1)] * 3])
    drop_unlikely(keypoints, np.zeros((2, 3), bool), COCO17)
    assert keypoints[..., 2].any(2).tolist() == [[True] * 3, [False] * 3]


def test_a_doubtful_skeleton_that_was_detected_is_kept() -> None:
    keypoints = skeleton(0, 0.2)[None, None].copy()
    drop_unlikely(keypoints, np.array([[False]]), COCO17)
    assert keypoints[0, 0, :, 2].all()


def test_boxes_are_carried_from_the_skeletons_before_and_after() -> None:
    keypoints = np.stack([skeleton(0), skeleton(0), skeleton(500), skeleton(500), skeleton(100)])
    boxes = carried_boxes(keypoints, np.array([True, False, False, False, True]))
    np.testing.assert_allclose(boxes[2], [-14, -10, 154, 110])  # from 0 to 140, and a tenth of it around
    np.testing.assert_allclose(boxes[0], boxes[1] * [0, 1, 0, 1] + [96, 0, 144, 0])
    assert np.isnan(carried_boxes(keypoints, np.zeros(5, bool))).all()
    keypoints[..., :2] = 7
    assert np.isnan(carried_boxes(keypoints, np.ones(5, bool))).all(), "a single point is no person's box"
