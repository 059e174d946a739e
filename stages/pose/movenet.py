"""MoveNet (Google 2021): small networks that find COCO's keypoints of one person in a crop."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from recognizer.skeletons import COCO17
from stages.pose.estimators import EstimatorSettings, Size, TopDownEstimator
from stages.pose.zoo import ModelCard, Published, graph_model

if TYPE_CHECKING:
    from torch import Tensor

STRIDE = 4
"""Pixels of the crop per cell of the network's outputs."""
SCALE = 0.007843017578125
"""2 / 255 as the published files have it, in half precision."""
_HEADS = ("center_0/", "kpt_regress_0/", "kpt_heatmap_0/", "kpt_offset_0/")
_MULTIPLE = 32
"""Sides of a crop are multiples of this many pixels."""
_NEAR = 1.8
"""In cells. A joint's score in the heatmap is divided by this plus the distance to where the person should have it."""


class MoveNetThunder(TopDownEstimator):
    """The more accurate one."""

    takes = TopDownEstimator.takes | {"weights", "flip_test"}
    input_size = (256, 256)
    layout = COCO17
    card = ModelCard("Apache-2.0", "COCO AP 72.0 on images of one person (TensorFlow)", 61)
    weights: ClassVar[Published] = graph_model(
        "movenet-thunder",
        12.6,
        "7ac4e2a8449fc279f71b8b0ba52f7c5daafc124ce9b6bf7549289ca432e342b6",
        "a2925747fccaf737c0f20eacdeff919efd5d514e90242397002a0de349dff18c",
    )

    def __init__(self, settings: EstimatorSettings) -> None:
        from stages.pose.graph_network import GraphNetwork

        assert settings.weights is not None
        self.device = settings.device
        self.model = GraphNetwork(settings.weights, "/sub_1", _HEADS).to(self.device)

    @classmethod
    def published(cls, input_size: Size | None) -> Published:
        return cls.weights

    def crop_size(self, height: float, width: float) -> Size:
        """What surrounds the person is left out: half of a square on average, and of the time."""
        sides = zip((height, width), self.input_size, strict=True)
        own = [min(most, math.ceil(side / _MULTIPLE) * _MULTIPLE) for side, most in sides]
        return own[0], own[1]

    def keypoints(self, crops: np.ndarray, flip_test: bool) -> np.ndarray:
        import torch

        with torch.inference_mode():
            return self._keypoints(torch.from_numpy(crops).to(self.device), flip_test)

    def _keypoints(self, crops_BHWC: Tensor, flip_test: bool) -> np.ndarray:
        heads = self._outputs(crops_BHWC)
        if flip_test:
            mirrored = self._outputs(crops_BHWC.flip(2))
            heads = [(a + b) / 2 for a, b in zip(heads, _mirrored(mirrored, self.layout.flip), strict=True)]
        points_BR2, scores_BR = decode(*heads)
        # Cells are counted from the edge of the first pixel, pixels from its middle.
        pixels = points_BR2.double() * STRIDE - 0.5
        return np.concatenate([pixels.cpu().numpy(), scores_BR.double().cpu().numpy()[..., None]], axis=2)

    def _outputs(self, crops_BHWC: Tensor) -> list[Tensor]:
        """center B,H,W; regression B,H,W,R,2; heatmaps B,H,W,R; offsets B,H,W,R,2 (x, y in cells)."""
        share = crops_BHWC.shape[1] / self.input_size[0], crops_BHWC.shape[2] / self.input_size[1]
        center, regression, heatmaps, offsets = self.model(crops_BHWC.float() * SCALE - 1, share)
        pairs = [vectors.unflatten(3, (-1, 2)).flip(4) for vectors in (regression, offsets)]
        return [center[..., 0].sigmoid(), pairs[0], heatmaps.sigmoid(), pairs[1]]


class MoveNetLightning(MoveNetThunder):
    """The faster one."""

    input_size = (192, 192)
    card = ModelCard("Apache-2.0", "COCO AP 63.0 on images of one person (TensorFlow)", 20)
    weights = graph_model(
        "movenet-lightning",
        4.8,
        "df8cbde44d00f533ccc4916a7c6ebc17316532fb3fadad114ec667fef22872e9",
        "bf97bc10d9c8a11200b0190ed64ce039b6252f1aff7cb552aca99b3d191c2f34",
    )


def decode(center: Tensor, regression: Tensor, heatmaps: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Points B,R,2 (x, y in cells) and scores B,R of the person in the middle of each crop.

    Takes what ``_outputs`` gives. The cell with the highest center within the crop's middle half says where the joints
    should be; each joint is the best place of its heatmap near there.
    """
    import torch

    B, H, W, R = heatmaps.shape
    top, left = H // 4, W // 4
    middle = center[:, top : H - top, left : W - left]
    best_B = middle.flatten(1).argmax(1)
    y_B, x_B = top + best_B // middle.shape[2], left + best_B % middle.shape[2]
    b_B = torch.arange(B, device=center.device)
    start_BR2 = regression[b_B, y_B, x_B] + torch.stack([x_B, y_B], 1)[:, None]
    y_H, x_W = torch.arange(H, device=center.device), torch.arange(W, device=center.device)
    distances = torch.hypot(
        x_W[:, None] - start_BR2[:, None, None, :, 0], y_H[:, None, None] - start_BR2[:, None, None, :, 1]
    )
    best_BR = (heatmaps / (distances + _NEAR)).flatten(1, 2).argmax(1)
    y_BR, x_BR = best_BR // W, best_BR % W
    b_B1, r_R = b_B[:, None], torch.arange(R, device=center.device)
    points_BR2 = torch.stack([x_BR, y_BR], 2) + offsets[b_B1, y_BR, x_BR, r_R]
    return points_BR2, heatmaps[b_B1, y_BR, x_BR, r_R]


def _mirrored(outputs: list[Tensor], flip: tuple[int, ...]) -> list[Tensor]:
    """Turn outputs for mirrored crops into those for the crops: columns and left and right joints change places."""
    import torch

    joints = list(flip)
    center, regression, heatmaps, offsets = (output.flip(2) for output in outputs)
    # A point at x of a cell is at 1 - x of the mirrored one.
    one, sign = torch.tensor([1.0, 0], device=center.device), torch.tensor([-1.0, 1], device=center.device)
    regression, offsets = (one + sign * vectors[:, :, :, joints] for vectors in (regression, offsets))
    return [center, regression, heatmaps[..., joints], offsets]
