"""Keypoint R-CNN, with random weights that call everything a person."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import detection, get_model_weights

from pipeline.errors import StageError
from stages.pose.estimators import EstimatorSettings
from stages.pose.keypoint_rcnn import KeypointRCNN
from stages.pose.tracking import least_score


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = detection.keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    model.roi_heads.box_predictor.cls_score.bias.data[1] = 5
    path = tmp_path_factory.mktemp("rcnn") / "a.pth"
    torch.save(model.state_dict(), path)
    return path


def test_people_are_those_that_torchvision_finds(weights: Path) -> None:
    # Few people in a narrow image: torchvision enlarges images to 1333 pixels at most.
    image = np.random.default_rng(0).integers(0, 256, (8, 160, 3), dtype=np.uint8)
    model = detection.keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None, box_detections_per_img=3).eval()
    model.load_state_dict(torch.load(weights, weights_only=True))
    with torch.inference_mode():
        [expected] = model([torch.from_numpy(image).permute(2, 0, 1) / 255])
    estimator = KeypointRCNN(EstimatorSettings(weights))
    estimator.model.roi_heads.detections_per_img = 3
    found = estimator.people([image, image])
    assert len(found) == 2
    for boxes, keypoints in found:
        np.testing.assert_allclose(boxes[:, :4], expected["boxes"], atol=1e-3)
        np.testing.assert_allclose(boxes[:, 4], expected["scores"], atol=1e-5)
        assert keypoints.shape == (3, 17, 3)
        np.testing.assert_allclose(keypoints[..., :2], expected["keypoints"][..., :2], atol=1e-3)
        np.testing.assert_allclose(keypoints[..., 2], expected["keypoints_scores"].sigmoid(), atol=1e-5)


def test_people_who_could_not_even_continue_a_track_are_not_estimated(weights: Path) -> None:
    image = np.zeros((8, 160, 3), np.uint8)
    estimator = KeypointRCNN(EstimatorSettings(weights, min_score=0.5))
    [(boxes, keypoints)] = estimator.people([image])
    assert estimator.model.roi_heads.score_thresh == least_score(0.5)
    assert len(boxes) == len(keypoints) > 0
    estimator.model.roi_heads.score_thresh = 1
    [(boxes, keypoints)] = estimator.people([image])
    assert boxes.shape == (0, 5)
    assert keypoints.shape == (0, 17, 3)


def test_other_weights_are_refused_by_name(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(StageError, match=r"a\.pth holds no weights of torchvision's keypointrcnn_resnet50_fpn"):
        KeypointRCNN(EstimatorSettings(tmp_path / "a.pth"))


def test_the_published_weights_are_where_torchvision_says() -> None:
    weights, published = get_model_weights("keypointrcnn_resnet50_fpn")["COCO_V1"], KeypointRCNN.published(None)
    assert published.url == weights.url
    assert published.megabytes == round(weights.meta["_file_size"])
    assert published.name.endswith(f"-{published.hash[:8]}.pth")
    assert KeypointRCNN.card is not None
    metrics = weights.meta["_metrics"]["COCO-val2017"]
    assert f"AP {metrics['kp_map']}, box AP of people {metrics['box_map']}" in KeypointRCNN.card.accuracy
