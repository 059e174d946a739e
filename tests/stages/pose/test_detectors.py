"""Person detectors."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import detection

from pipeline.errors import StageError
from stages.pose.detectors import WholeFrame
from stages.pose.faster_rcnn import FasterRCNNMobileNet


def test_whole_frame_is_one_person_of_the_image_s_size() -> None:
    boxes = WholeFrame().detect([np.zeros((20, 30, 3), np.uint8), np.zeros((5, 8, 3), np.uint8)])
    assert [image.tolist() for image in boxes] == [[[0, 0, 30, 20, 1]], [[0, 0, 8, 5, 1]]]


def test_faster_rcnn_gives_boxes_of_people_in_pixels(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = detection.fasterrcnn_mobilenet_v3_large_fpn(weights=None, weights_backbone=None)
    # An untrained network that calls everything a person.
    model.roi_heads.box_predictor.cls_score.bias.data[1] = 5
    torch.save(model.state_dict(), tmp_path / "a.pth")
    images = [np.random.default_rng(i).integers(0, 256, (60, 80, 3), dtype=np.uint8) for i in range(5)]
    found = FasterRCNNMobileNet(tmp_path / "a.pth", "cpu").detect(images)
    assert len(found) == 5
    for boxes in found:
        assert boxes.shape == (len(boxes), 5)
        assert len(boxes)
        assert (boxes[:, :4] >= 0).all()
        assert (boxes[:, 2:4] <= [80, 60]).all()
        assert (boxes[:, 4] > 0.5).all()


def test_other_weights_are_refused_by_name(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(StageError, match=r"a\.pth holds no weights of torchvision's fasterrcnn_mobilenet"):
        FasterRCNNMobileNet(tmp_path / "a.pth", "cpu")
