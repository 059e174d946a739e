"""MoveNet MultiPose (Google 2021): a small network that finds the people in an image, and COCO's keypoints of each."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from recognizer.skeletons import COCO17
from stages.pose.detectors import Detector
from stages.pose.estimators import EstimatorSettings, Size, WholeImageEstimator
from stages.pose.movenet import SCALE, STRIDE
from stages.pose.zoo import ModelCard, Published, fetch, graph_model

if TYPE_CHECKING:
    from torch import Tensor

_HEADS = ("center_0/", "box_scale_0/", "box_offset_0/", "kpt_regress_0/", "kpt_heatmap_0/", "kpt_offset_0/")
_MULTIPLE = 32
"""Sides of an image are multiples of this many pixels."""
_PEOPLE = 6
_NEAR = 0.300048828125
"""How far joints may be from where a person should have them: this share of the grid's shorter side is the variance."""
_CONFIDENT = 0.126953125
"""Joints with a higher score count in the score of their person."""


class MoveNetMultiPose(WholeImageEstimator):
    """Takes an image that fits into a square of ``input_size``; larger ones show smaller people better."""

    takes = frozenset({"weights", "input_size"})
    input_sizes = ((256, 256), (384, 384), (512, 512), (640, 640))
    layout = COCO17
    card = ModelCard("Apache-2.0", "none published", 50)
    weights: ClassVar[Published] = graph_model(
        "movenet-multipose",
        9.7,
        "3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de",
        "19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118",
    )

    def __init__(self, settings: EstimatorSettings) -> None:
        from stages.pose.graph_network import GraphNetwork

        assert settings.weights is not None
        self.side = (settings.input_size or self.input_sizes[0])[0]
        self.device = settings.device
        self.model = GraphNetwork(settings.weights, "/sub_1", _HEADS).to(self.device)

    @classmethod
    def published(cls, input_size: Size | None) -> Published:
        return cls.weights

    def people(self, images: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        import torch

        from stages.pose.crops import padded_size, scaled

        found = []
        for (height, width, _), same in groupby(images, key=np.shape):
            scale = self.side / max(height, width)
            size = padded_size((height, width), scale, _MULTIPLE)
            pieces = torch.from_numpy(np.stack([scaled(image, scale, size) for image in same]))
            for piece in pieces.split(1 if self.device == "cpu" else 16):
                with torch.inference_mode():
                    edges, points, centers, scores = self.decoded(piece.to(self.device))
                    boxes = torch.cat([edges / scale, centers[..., None]], 2)
                    # Cells are counted from the edge of the first pixel, pixels of points from its middle.
                    keypoints = torch.cat([points / scale - 0.5, scores[..., None]], 3)
                found += list(zip(boxes.double().cpu().numpy(), keypoints.double().cpu().numpy(), strict=True))
        return found

    def decoded(self, images_BHW3: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The six likeliest people in each image: boxes B,6,4 (x1, y1, x2, y2 in pixels from its corner), points
        B,6,R,2 (x, y), and the scores of people B,6 and joints B,6,R."""
        import torch
        from torch.nn import functional as F

        center, extents, middles, regression, heatmaps, offsets = self.model(images_BHW3.float() * SCALE - 1)
        B, H, W, R = heatmaps.shape
        center_BHW, heatmaps = center[..., 0].sigmoid(), heatmaps.sigmoid()
        # x before y, unlike in the file
        regression, offsets = (vectors.unflatten(3, (R, 2)).flip(4) for vectors in (regression, offsets))
        peaks_BHW = center_BHW * ((center_BHW - F.max_pool2d(center_BHW, 5, 1, 2)).abs() < 1e-6)
        centers_BM, best_BM = peaks_BHW.flatten(1).topk(_PEOPLE)
        y_BM, x_BM = best_BM // W, best_BM % W
        b_B1 = torch.arange(B, device=center.device)[:, None]
        cells_BM2 = torch.stack([x_BM, y_BM], 2)

        size = torch.tensor([W, H], device=center.device)
        middle_BM2 = cells_BM2 + middles[b_B1, y_BM, x_BM].flip(2)
        half_BM2 = extents[b_B1, y_BM, x_BM].flip(2).clamp(min=0) / 2
        low_BM2, high_BM2 = ((middle_BM2 + sign * half_BM2).clamp(min=0).minimum(size) for sign in (-1, 1))

        # Joints are sought in the box, near where the person's center expects them.
        start_BMR2 = regression[b_B1, y_BM, x_BM] + cells_BM2[:, :, None]
        xs, ys = torch.arange(W, device=center.device), torch.arange(H, device=center.device)[:, None]
        squares = (xs - start_BMR2[..., 0, None, None]) ** 2 + (ys - start_BMR2[..., 1, None, None]) ** 2
        inside = (xs >= low_BM2[..., 0, None, None]) & (xs < high_BM2[..., 0, None, None])
        inside = inside & (ys >= low_BM2[..., 1, None, None]) & (ys < high_BM2[..., 1, None, None])
        near = torch.exp(-squares / (_NEAR * min(H, W))) * inside[:, :, None]
        weighted_BMRHW = heatmaps.permute(0, 3, 1, 2)[:, None] * near
        best_BMR = weighted_BMRHW.flatten(3).argmax(3)
        y_BMR, x_BMR = best_BMR // W, best_BMR % W
        b, r = b_B1[..., None], torch.arange(R, device=center.device)
        points_BMR2 = (torch.stack([x_BMR, y_BMR], 3) + offsets[b, y_BMR, x_BMR, r]) * STRIDE
        scores_BMR = weighted_BMRHW.amax(1)[b, r, y_BMR, x_BMR]
        confident_BMR = scores_BMR > _CONFIDENT
        mean_BM = (scores_BMR * confident_BMR).sum(2) / confident_BMR.sum(2).clamp(min=1)
        return torch.cat([low_BM2, high_BM2], 2) * STRIDE, points_BMR2, centers_BM * mean_BM, scores_BMR


class MultiPoseBoxes(Detector):
    """The boxes alone."""

    card = MoveNetMultiPose.card

    def __init__(self, weights: Path | None, device: str) -> None:
        path = weights or fetch(self.published(), "detector_weights")
        self.estimator = MoveNetMultiPose(EstimatorSettings(path, device=device))

    @classmethod
    def published(cls) -> Published:
        return MoveNetMultiPose.weights

    def detect(self, images: list[np.ndarray]) -> list[np.ndarray]:
        return [boxes for boxes, _ in self.estimator.people(images)]
