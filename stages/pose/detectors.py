"""What a person detector is, and the ones that come with the package."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from stages.plugins import load_class
from stages.pose.zoo import ModelCard, Published

DETECTORS = {
    "faster_rcnn": "stages.pose.faster_rcnn:FasterRCNN",
    "faster_rcnn_mobilenet": "stages.pose.faster_rcnn:FasterRCNNMobileNet",
    "rtdetr": "stages.pose.transformers_detector:RTDETR",
    "nanodet": "stages.pose.nanodet:NanoDet",
    "movenet_multipose": "stages.pose.movenet_multipose:MultiPoseBoxes",
    "onnx": "stages.pose.onnx_detector:OnnxDetector",
    "yolo": "stages.pose.yolo:YoloDetector",
    "mini": "stages.pose.mini:MiniDetector",
    "whole_frame": "stages.pose.detectors:WholeFrame",
}
"""The detectors of the package, by the name that a manifest gives under ``detector``."""


class Detector(ABC):
    """A model that finds people. A user's own need not derive from this class: it has a constructor and ``detect``."""

    takes_weights: ClassVar[bool] = True
    uses_gpu: ClassVar[bool] = True
    version: ClassVar[int] = 1
    """To be increased when the same frames and weights give other boxes; part of the keys."""
    card: ClassVar[ModelCard | None] = None
    """What it costs, and how good it is published to be (``pipeline models``)."""

    @abstractmethod
    def __init__(self, weights: Path | None, device: str) -> None:
        """Load the model. weights: a file that exists, or None. device: a torch device's name."""

    @classmethod
    def published(cls) -> Published | None:
        """The weights that are downloaded if none are given; None if it needs none, or cannot do so."""
        return None

    @classmethod
    def files(cls, weights: Path | None) -> Sequence[Path]:
        """Files besides ``weights`` that decide the result, such as weights that ship with it: part of the keys."""
        return ()

    @classmethod
    def why_no_gpu(cls, weights: Path | None) -> str | None:
        """Why it cannot use a GPU here with these weights although ``uses_gpu`` is true; None if nothing is known."""
        return None

    @abstractmethod
    def detect(self, images: list[np.ndarray]) -> list[np.ndarray]:
        """For each RGB image (uint8 H,W,3) the people in it, float N,5: x1, y1, x2, y2 in pixels, and a score."""


class WholeFrame(Detector):
    """Takes each image for one person: for data sets whose videos are cropped to a person."""

    takes_weights = False
    uses_gpu = False

    def __init__(self, weights: Path | None = None, device: str = "cpu") -> None:
        """There is nothing to load."""

    def detect(self, images: list[np.ndarray]) -> list[np.ndarray]:
        return [np.array([[0, 0, image.shape[1], image.shape[0], 1]], dtype=float) for image in images]


def declared_detector(name: str) -> type[Detector]:
    """The class that says what a detector needs.

    For a user's own that is ``Detector`` with its defaults: the module is imported only where the detector runs, so it
    may import anything at its top.
    """
    return load_class(DETECTORS[name], "detector") if name in DETECTORS else Detector
