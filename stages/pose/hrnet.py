"""HRNet (Sun et al. 2019) as a pose estimator for COCO's keypoints, with weights of MMPose's model zoo."""

from typing import ClassVar

import numpy as np

from recognizer.skeletons import COCO17
from stages.pose.estimators import EstimatorSettings, HeatmapEstimator, Size
from stages.pose.zoo import ModelCard, Published

SMALL, LARGE = (256, 192), (384, 288)

_ZOO = "https://download.openmmlab.com/mmpose/v1/body_2d_keypoint/topdown_heatmap/coco/"


class HRNetW32(HeatmapEstimator):
    """HRNet-W32."""

    takes = HeatmapEstimator.takes | {"weights", "input_size"}
    input_sizes = (SMALL, LARGE)
    layout = COCO17
    card = ModelCard("Apache-2.0", "COCO AP 74.9 at 256x192, 76.1 at 384x288 (MMPose)", 265)
    body: ClassVar[str] = "hrnet_w32"
    """timm's name of the network."""
    weights: ClassVar[dict[Size, Published]] = {
        SMALL: Published(_ZOO + "td-hm_hrnet-w32_8xb64-210e_coco-256x192-81c58e40_20220909.pth", 114),
        LARGE: Published(_ZOO + "td-hm_hrnet-w32_8xb64-210e_coco-384x288-ca5956af_20220909.pth", 114),
    }

    def __init__(self, settings: EstimatorSettings) -> None:
        from stages.pose.hrnet_network import load_hrnet

        assert settings.weights is not None and settings.input_size is not None
        self.input_size = settings.input_size
        self.device = settings.device
        self.model = load_hrnet(self.body, settings.weights, self.layout.count).to(self.device)

    @classmethod
    def published(cls, input_size: Size | None) -> Published:
        return cls.weights[input_size or cls.input_sizes[0]]

    def heatmaps(self, crops: np.ndarray) -> np.ndarray:
        import torch

        from stages.pose.crops import normalized

        with torch.inference_mode():
            return self.model(torch.from_numpy(normalized(crops)).to(self.device)).float().cpu().numpy()


class HRNetW48(HRNetW32):
    """HRNet-W48."""

    input_sizes = (LARGE, SMALL)
    card = ModelCard("Apache-2.0", "COCO AP 76.7 at 384x288, 75.6 at 256x192 (MMPose)", 998)
    body = "hrnet_w48"
    weights = {
        SMALL: Published(_ZOO + "td-hm_hrnet-w48_8xb32-210e_coco-256x192-0e67c616_20220913.pth", 254),
        LARGE: Published(_ZOO + "td-hm_hrnet-w48_8xb32-210e_coco-384x288-c161b7de_20220915.pth", 254),
    }
