"""HRNet (Sun et al. 2019) as a pose estimator for COCO's keypoints, with weights of MMPose's model zoo."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from recognizer.skeletons import COCO17
from stages.pose.estimators import EstimatorSettings, HeatmapEstimator, Size
from stages.pose.zoo import ModelCard, Published

if TYPE_CHECKING:
    from torch import Tensor

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
        import torch

        from stages.pose.crops import IMAGENET_MEAN, IMAGENET_STD
        from stages.pose.hrnet_network import load_hrnet
        from stages.pose.replay import Replayed

        assert settings.weights is not None and settings.input_size is not None
        self.input_size = settings.input_size
        self.device = settings.device
        self.model = load_hrnet(self.body, settings.weights, self.layout.count).to(self.device)
        self._on_gpu = None
        if self.device != "cpu":
            self._mean, self._std = (
                torch.tensor(values * 255, device=self.device) for values in (IMAGENET_MEAN, IMAGENET_STD)
            )
            self.model.to(memory_format=torch.channels_last)  # saves a sixth of the time there
            self._on_gpu = Replayed(self._of_pixels)

    @classmethod
    def published(cls, input_size: Size | None) -> Published:
        return cls.weights[input_size or cls.input_sizes[0]]

    def heatmaps(self, crops: np.ndarray) -> np.ndarray:
        import torch

        from stages.pose.crops import normalized

        with torch.inference_mode():
            if self._on_gpu is not None:
                return self._on_gpu(torch.from_numpy(crops).to(self.device)).cpu().numpy()
            return self.model(torch.from_numpy(normalized(crops))).numpy()

    def _of_pixels(self, crops_BHW3: Tensor) -> Tensor:
        """Heatmaps of crops uint8 on a GPU, where the pixels take a quarter of the way as bytes."""
        return self.model(((crops_BHW3.float() - self._mean) / self._std).permute(0, 3, 1, 2))


class HRNetW48(HRNetW32):
    """HRNet-W48."""

    input_sizes = (LARGE, SMALL)
    card = ModelCard("Apache-2.0", "COCO AP 76.7 at 384x288, 75.6 at 256x192 (MMPose)", 998)
    body = "hrnet_w48"
    weights = {
        SMALL: Published(_ZOO + "td-hm_hrnet-w48_8xb32-210e_coco-256x192-0e67c616_20220913.pth", 254),
        LARGE: Published(_ZOO + "td-hm_hrnet-w48_8xb32-210e_coco-384x288-c161b7de_20220915.pth", 254),
    }
