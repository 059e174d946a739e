"""ViTPose (Xu et al. 2022) and ViTPose++ (2023): a plain vision transformer that estimates COCO's keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pipeline.errors import StageError
from recognizer.skeletons import COCO17
from stages.pose.estimators import EstimatorSettings, HeatmapEstimator, Size
from stages.pose.transformers_model import CONFIG, beside, check_package, json_object, load
from stages.pose.zoo import ModelCard, Published, hub_file

_BASE: dict[str, Any] = {
    "model_type": "vitpose",
    "backbone_config": {
        "model_type": "vitpose_backbone",
        "out_indices": [12],
        "num_experts": 6,
        "part_features": 192,
    },
    "id2label": dict(enumerate(COCO17.joints)),
    "use_simple_decoder": False,
}
"""The published ViTPose+-B. Each expert was trained on another data set; the first one on COCO."""


class ViTPose(HeatmapEstimator):
    """Any ViTPose of 17 joints. Weights without a config.json beside them are taken for a ViTPose+-B."""

    takes = HeatmapEstimator.takes | {"weights"}
    layout = COCO17
    card = ModelCard("Apache-2.0", "COCO AP 77.0 at 256x192 (ViTPose+-B, ViTAE-Transformer)", 708)
    weights: ClassVar[Published] = hub_file(
        "usyd-community/vitpose-plus-base",
        "92be54d7a29e42fad47b6e2ca01dd9e685a61e0d",
        "model.safetensors",
        502,
        "640225e4a9dd544239f1da0ae36af865a6e76e21e5f33a12656aa7b77fa5a5fa",
    )

    def __init__(self, settings: EstimatorSettings) -> None:
        check_package("estimator: vitpose")
        from transformers import VitPoseConfig, VitPoseForPoseEstimation

        assert settings.weights is not None
        weights, self.device = settings.weights, settings.device
        described = next((json_object(path) for path in beside(weights, CONFIG)), _BASE)
        if described.get("model_type") != "vitpose":
            raise StageError(f"{weights.with_name(CONFIG)} describes a {described.get('model_type')}, not a vitpose")
        self.model = load(VitPoseForPoseEstimation, VitPoseConfig, described, weights, self.device)
        config = self.model.config
        if config.num_labels != self.layout.count:
            raise StageError(
                f"{weights} finds {config.num_labels} joints; vitpose takes models of the {self.layout.count} of COCO"
            )
        height, width = config.backbone_config.image_size
        self.input_size = height, width
        self.experts = config.backbone_config.num_experts

    @classmethod
    def published(cls, input_size: Size | None) -> Published:
        return cls.weights

    @classmethod
    def files(cls, weights: Path | None) -> Sequence[Path]:
        return beside(weights, CONFIG)

    def heatmaps(self, crops: np.ndarray) -> np.ndarray:
        import torch

        from stages.pose.crops import normalized

        expert = torch.zeros(len(crops), dtype=torch.long, device=self.device) if self.experts > 1 else None
        with torch.inference_mode():
            found = self.model(torch.from_numpy(normalized(crops)).to(self.device), dataset_index=expert)
        return found.heatmaps.float().cpu().numpy()

    def keypoints(self, crops: np.ndarray, flip_test: bool) -> np.ndarray:
        """Decoded in HRNet's way but for the scale: first and last pixels of ViTPose's heatmaps are those of the crop
        ("UDP", Huang et al. 2020), so that mirrored heatmaps need no shift."""
        from stages.pose.heatmaps import decode

        heatmaps = self.heatmaps(crops)
        if flip_test:
            mirrored = self.heatmaps(np.ascontiguousarray(crops[:, :, ::-1]))
            heatmaps = (heatmaps + mirrored[:, list(self.layout.flip), :, ::-1]) / 2
        points, scores = decode(heatmaps)
        height, width = heatmaps.shape[2:]
        strides = (self.input_size[1] - 1) / (width - 1), (self.input_size[0] - 1) / (height - 1)
        return np.concatenate([points * strides, scores[..., None]], axis=2)
