"""Arithmetic of boxes."""

import numpy as np
import pytest
import torch
from torchvision import ops

from stages.pose.boxes import generalized_iou, iou, non_maximum_suppression


def test_iou_and_generalized_iou_of_boxes_worked_out_by_hand() -> None:
    a = np.array([[0.0, 0, 10, 10]])
    b = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 0, 30, 10]])
    np.testing.assert_allclose(iou(a, b), [[1, 1 / 3, 0]])
    np.testing.assert_allclose(generalized_iou(a, b), [[1, 1 / 3, -1 / 3]])


def test_of_two_boxes_of_one_person_the_one_with_the_higher_score_stays() -> None:
    boxes = np.array([[0, 0, 10, 10, 0.5], [50, 0, 60, 10, 0.6], [1, 0, 10, 10, 0.9]])
    assert non_maximum_suppression(boxes).tolist() == [1, 2]
    assert non_maximum_suppression(np.empty((0, 5))).tolist() == []


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_are_those_of_torchvision(dtype: type) -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        corners = rng.uniform(0, 300, (12, 2))
        boxes = np.c_[corners, corners + rng.uniform(5, 200, (12, 2)), rng.uniform(0, 1, 12)].astype(dtype)
        a, b, scores = torch.from_numpy(boxes[:5, :4]), torch.from_numpy(boxes[:, :4]), torch.from_numpy(boxes[:, 4])
        np.testing.assert_allclose(iou(boxes[:5], boxes), ops.box_iou(a, b), atol=1e-6)
        np.testing.assert_allclose(generalized_iou(boxes[:5], boxes), ops.generalized_box_iou(a, b), atol=1e-6)
        np.testing.assert_array_equal(non_maximum_suppression(boxes), ops.nms(b, scores, 0.6).sort().values)
