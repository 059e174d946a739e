"""The network behind the two models of ``mini.py``, a small HRNet, and the arithmetic before and after it.

The estimator's outputs are a heatmap per joint, the detector's are a map of people's centers and four of box distances.
"""

import math
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.errors import StageError
from recognizer.skeletons import COCO17
from stages.pose.boxes import non_maximum_suppression

DETECTOR_INPUT = 128
"""Side in pixels of the square that the detector's frames are scaled to."""
STRIDE = 4
"""Input pixels per cell of the output."""
SIGMA = 1.0
"""Standard deviation of a joint's heatmap, in cells."""
DISTANCE_UNIT = 8
"""Cells per unit of the detector's box distances."""
MIN_SCORE = 0.3
"""Lower peaks of the center map are ignored."""


def conv(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Convolution and batch normalization, without an activation."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs))


class Residual(nn.Module):
    """The basic block of ResNet (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv(channels, channels)
        self.second = conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class Exchange(nn.Module):
    """Each resolution receives the sum of all resolutions, resampled (Sun et al. 2019, section 3)."""

    def __init__(self, channels: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        levels = range(len(channels))
        self.paths = nn.ModuleList(
            nn.ModuleList(self._path(channels, source, target) for source in levels) for target in range(outputs)
        )

    @staticmethod
    def _path(channels: tuple[int, ...], source: int, target: int) -> nn.Module:
        if source == target:
            return nn.Identity()
        if source > target:
            up = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
            return nn.Sequential(conv(channels[source], channels[target], kernel=1), up)
        steps: list[nn.Module] = []
        for level in range(source, target):
            steps += [conv(channels[level], channels[level + 1], stride=2), nn.ReLU()]
        return nn.Sequential(*steps[:-1])

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """Branch i: B,C_i,H/2^i,W/2^i."""
        mixed = []
        for paths in self.paths:
            assert isinstance(paths, nn.ModuleList)
            mixed.append(F.relu(torch.stack([path(x) for path, x in zip(paths, branches, strict=True)]).sum(0)))
        return mixed


class MiniHRNet(nn.Module):
    """Parallel branches at 1/4, 1/8 and 1/16 of the input's resolution, which exchange features after each stage.

    Input: B,3,H,W in [0, 1], H and W divisible by 16. Output: B,outputs,H/4,W/4.
    """

    def __init__(self, channels: tuple[int, ...], outputs: int, stages: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            conv(3, channels[0], stride=2), nn.ReLU(), conv(channels[0], channels[0], stride=2), nn.ReLU()
        )
        self.start = Residual(channels[0])
        self.widen = nn.ModuleList(
            nn.Sequential(conv(narrow, wide, stride=2), nn.ReLU()) for narrow, wide in pairwise(channels)
        )
        self.stages = nn.ModuleList(
            nn.ModuleList(nn.Sequential(Residual(width), Residual(width)) for width in channels) for _ in range(stages)
        )
        # Only the finest branch is used at the end.
        self.exchanges = nn.ModuleList(
            Exchange(channels, len(channels) if stage < stages - 1 else 1) for stage in range(stages)
        )
        self.head = nn.Conv2d(channels[0], outputs, 1)

    def forward(self, images: Tensor) -> Tensor:
        branches = [self.start(self.stem(images - 0.5))]
        for widen in self.widen:
            branches.append(widen(branches[-1]))
        for stage, exchange in zip(self.stages, self.exchanges, strict=True):
            assert isinstance(stage, nn.ModuleList)
            branches = exchange([blocks(x) for blocks, x in zip(stage, branches, strict=True)])
        return self.head(branches[0])


def build_estimator() -> MiniHRNet:
    """The untrained ``hrnet_mini``: one heatmap per joint."""
    return MiniHRNet((24, 40, 72), COCO17.count, stages=2)


def build_detector() -> MiniHRNet:
    """The untrained detector: a logit of a person's center, and its distance to the box's left, top, right and bottom
    edges in units of ``DISTANCE_UNIT`` cells (CenterNet, Zhou et al. 2019, with the box of FCOS, Tian et al. 2019)."""
    return MiniHRNet((16, 32, 48), 5, stages=2)


def load_weights(model: MiniHRNet, file: Path, device: str) -> MiniHRNet:
    """``model`` with the weights of ``file`` (float16), ready to run. Raises StageError if they do not fit."""
    try:
        state = {name: value.float() for name, value in load_file(file).items()}
        # Counters of batches are not stored, because only training reads them.
        counters = {name: value for name, value in model.state_dict().items() if name.endswith("num_batches_tracked")}
        model.load_state_dict(state | counters)
    except Exception as error:
        raise StageError(f"{file}, which belongs to this package, is damaged: install it again ({error})") from error
    return model.eval().to(device).to(memory_format=torch.channels_last)


def pixels(images: NDArray[np.uint8], device: str) -> Tensor:
    """float32 B,3,H,W in [0, 1] of RGB images uint8 B,H,W,3."""
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 255


def joint_probabilities(logits_BRHW: Tensor) -> Tensor:
    """B,R,H*W+1: the probability of each joint to be in each of the cells, and, last, to be outside of the crop."""
    outside = logits_BRHW.new_zeros(*logits_BRHW.shape[:2], 1)
    return torch.cat([logits_BRHW.flatten(2), outside], 2).softmax(2)


def joint_heatmaps(logits_BRHW: Tensor) -> Tensor:
    """Heatmaps B,R,H,W whose highest value is 1 where the model is certain."""
    probabilities = joint_probabilities(logits_BRHW)[:, :, :-1]
    # A joint of probability 1 is spread as in training, over a Gaussian with this peak.
    heatmaps = (probabilities * (2 * math.pi * SIGMA**2)).clamp(max=1)
    return heatmaps.unflatten(2, logits_BRHW.shape[2:])


def fit_to_square(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image, scaled to fit into the detector's square input, at its upper left; the rest is black."""
    scale = DETECTOR_INPUT / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = np.zeros((DETECTOR_INPUT, DETECTOR_INPUT, 3), np.uint8)
    canvas[:height, :width] = cv2.resize(image, (width, height), interpolation=method)
    return canvas


def peak_scores(logits_BHW: Tensor) -> Tensor:
    """Probabilities B,H,W of a person's center; zero except at local maxima."""
    scores = logits_BHW.sigmoid()
    return torch.where(F.max_pool2d(scores[:, None], 3, 1, 1)[:, 0] == scores, scores, 0.0)


def boxes_at(rows: Tensor, columns: Tensor, distances: Tensor) -> Tensor:
    """Boxes N,4 (x1, y1, x2, y2 in pixels of the detector's input) of cells N with distances N,4."""
    center = (torch.stack([columns, rows, columns, rows], 1) + 0.5) * STRIDE - 0.5
    return center + distances * DISTANCE_UNIT * STRIDE * torch.tensor([-1.0, -1.0, 1.0, 1.0])


def person_boxes(scores: Tensor, distances: Tensor, height: int, width: int) -> NDArray[np.float32]:
    """Boxes N,5 (best first) in an image of this height and width, from ``peak_scores`` H,W and distances 4,H,W."""
    rows, columns = torch.nonzero(scores > MIN_SCORE, as_tuple=True)
    edges = torch.tensor([width, height, width, height]) - 0.5
    scale = DETECTOR_INPUT / max(height, width)
    boxes = (boxes_at(rows, columns, distances[:, rows, columns].T) + 0.5) / scale - 0.5
    boxes = boxes.clamp(min=-0.5).minimum(edges)
    confidence = scores[rows, columns]
    ranked = torch.cat([boxes, confidence[:, None]], 1)[confidence.argsort(descending=True)].numpy()
    return ranked[non_maximum_suppression(ranked)]
