"""torchvision's Keypoint R-CNN (He et al. 2017): finds people and COCO's keypoints at once."""

from typing import ClassVar

import numpy as np

from recognizer.skeletons import COCO17
from stages.pose.estimators import EstimatorSettings, Size, WholeImageEstimator
from stages.pose.faster_rcnn import DOWNLOADS, load, people
from stages.pose.zoo import ModelCard, Published


class KeypointRCNN(WholeImageEstimator):
    """The one with a ResNet-50."""

    takes = frozenset({"weights"})
    layout = COCO17
    version = 2
    card = ModelCard("BSD-3-Clause", "COCO AP 65.0, box AP of people 54.6 (torchvision)", 7000)
    model_name: ClassVar[str] = "keypointrcnn_resnet50_fpn"
    batch: ClassVar[int] = 4
    weights: ClassVar[Published] = Published(
        DOWNLOADS + "keypointrcnn_resnet50_fpn_coco-fc266e95.pth",
        226,
        "fc266e953d2b302cdcbb9ae66f71f6b0d4649928bf02dc573961e361e4918926",
    )

    def __init__(self, settings: EstimatorSettings) -> None:
        from stages.pose.tracking import least_score

        assert settings.weights is not None
        self.device = settings.device
        # Keypoints of people who could not even continue a track are not computed.
        least = max(0.05, least_score(settings.min_score))
        self.model = load(self.model_name, settings.weights, self.device, box_score_thresh=least)

    @classmethod
    def published(cls, input_size: Size | None) -> Published:
        return cls.weights

    def people(self, images: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """The network scores joints with any number, mostly above 0 where it sees them: the logistic function of it is
        a score from 0 to 1."""
        import torch

        found = []
        for boxes, result in people(self.model, images, self.batch, self.device):
            scores = result["keypoints_scores"].sigmoid()
            keypoints = torch.cat([result["keypoints"][..., :2], scores[..., None]], dim=2)
            found.append((boxes, keypoints.double().cpu().numpy()))
        return found
