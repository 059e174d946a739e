"""NanoDet-g (RangiLyu 2021): a small person detector for images of 416 x 416."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from stages.pose.boxes import non_maximum_suppression
from stages.pose.detectors import Detector
from stages.pose.zoo import ModelCard, Published, fetch, graph_model

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 416
_MEAN_STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)
"""Of blue, green and red, in this order."""
_GRAY = 114
"""What is below or beside an image whose sides are no multiples of the largest stride."""
_STRIDES = (8, 16, 32)
_HEADS = ("/Add_29", "/Add_33", "/Add_37")
"""The outputs for these strides: 80 categories and 4 sides x 11 bins for each cell."""
_CATEGORIES, _BINS = 80, 11
_PERSON = 0
_LEAST = 0.05
"""Score below which a box is none."""


class NanoDet(Detector):
    """Boxes of people."""

    card = ModelCard("Apache-2.0", "COCO box AP 22.9 over all categories (RangiLyu)", 84)
    weights: ClassVar[Published] = graph_model(
        "nanodet",
        7.7,
        "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d",
        "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9",
    )

    def __init__(self, weights: Path | None, device: str) -> None:
        from stages.pose.graph_network import GraphNetwork

        self.device = device
        self.model = GraphNetwork(weights or fetch(self.published(), "detector_weights"), "input_1", _HEADS).to(device)

    @classmethod
    def published(cls) -> Published:
        return cls.weights

    def detect(self, images: list[np.ndarray]) -> list[np.ndarray]:
        size = 1 if self.device == "cpu" else 16
        found = []
        for _, alike in groupby(images, key=np.shape):
            same = list(alike)
            for start in range(0, len(same), size):
                found += self._detect(same[start : start + size])
        return found

    def _detect(self, images: list[np.ndarray]) -> list[np.ndarray]:
        import torch

        from stages.pose.crops import padded_size, scaled

        scale = SIDE / max(images[0].shape)
        size = padded_size(images[0].shape[:2], scale, _STRIDES[-1])
        pixels = np.stack([scaled(image, scale, size, _GRAY) for image in images])
        with torch.inference_mode():
            boxes_BN4, scores_BN = self.decoded(torch.from_numpy(pixels).to(self.device))
        found = []
        for image, boxes, scores in zip(images, boxes_BN4.cpu().numpy(), scores_BN.cpu().numpy(), strict=True):
            height, width = image.shape[:2]
            likely = scores >= _LEAST
            edges = np.clip(boxes[likely] * max(height, width) / SIDE, 0, [width, height] * 2)
            people = np.column_stack([edges, scores[likely]])
            found.append(people[non_maximum_suppression(people)])
        return found

    def decoded(self, images_BHW3: Tensor) -> tuple[Tensor, Tensor]:
        """For all cells of RGB images uint8 B,H,W,3, of up to 416 x 416: boxes B,N,4 (x1, y1, x2, y2 in pixels), and
        how likely they are people, B,N."""
        import torch

        mean, std = torch.tensor(_MEAN_STD, device=self.device)
        bgr_BHW3 = (images_BHW3.flip(3) - mean) / std
        height, width = images_BHW3.shape[1:3]
        outputs = self.model(bgr_BHW3.permute(0, 3, 1, 2), (height / SIDE, width / SIDE))
        boxes, scores = [], []
        for stride, output in zip(_STRIDES, outputs, strict=True):
            cells_BNC = output.flatten(1, 2)
            bins_BN4K = cells_BNC[..., _CATEGORIES:].unflatten(2, (4, _BINS)).softmax(3)
            distances_BN4 = (bins_BN4K * torch.arange(_BINS, device=self.device)).sum(3) * stride
            rows, columns = (torch.arange(0.5, side / stride, device=self.device) * stride for side in (height, width))
            x_N, y_N = columns.repeat(len(rows)), rows.repeat_interleave(len(columns))
            low_BN2 = torch.stack([x_N, y_N], 1) - distances_BN4[..., :2]
            high_BN2 = torch.stack([x_N, y_N], 1) + distances_BN4[..., 2:]
            boxes.append(torch.cat([low_BN2, high_BN2], 2))
            scores.append(cells_BNC[..., _PERSON].sigmoid())
        return torch.cat(boxes, 1).double(), torch.cat(scores, 1).double()
