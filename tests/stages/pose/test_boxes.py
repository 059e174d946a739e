"""Arithmetic of boxes."""

import numpy as np

from stages.pose.boxes import distinct, generalized_iou, iou


def test_iou_and_generalized_iou_of_boxes_worked_out_by_hand() -> None:
    a = np.array([[0.0, 0, 10, 10]])
    b = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 0, 30, 10]])
    np.testing.assert_allclose(iou(a, b), [[1, 1 / 3, 0]])
    np.testing.assert_allclose(generalized_iou(a, b), [[1, 1 / 3, -1 / 3]])


def test_of_two_boxes_of_one_person_the_surer_stays() -> None:
    boxes = np.array([[0, 0, 10, 10, 0.5], [50, 0, 60, 10, 0.6], [1, 0, 10, 10, 0.9]])
    assert distinct(boxes).tolist() == [1, 2]
    assert distinct(np.empty((0, 5))).tolist() == []
