"""What a pose estimator is, and the ones that come with the package.

An estimator is one class, derived from one of three kinds:

- ``HeatmapEstimator`` turns the crop of a person into a heatmap per joint, from which the keypoints are decoded;
- ``TopDownEstimator`` turns the crop of a person into keypoints;
- ``WholeImageEstimator`` finds all people in an image and their keypoints at once, without a detector.

The class itself says which parameters of the pose stage it takes. Planning imports its module to find out, so heavy
imports (torch, onnxruntime, cv2) go inside the methods.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from pipeline.errors import StageError
from recognizer.skeletons import COCO17, Layout
from stages.plugins import load_class
from stages.pose.zoo import ModelCard, Published

Size = tuple[int, int]
"""Height and width in pixels."""

ESTIMATORS = {
    "hrnet_w32": "stages.pose.hrnet:HRNetW32",
    "hrnet_w48": "stages.pose.hrnet:HRNetW48",
    "vitpose": "stages.pose.vitpose:ViTPose",
    "movenet_thunder": "stages.pose.movenet:MoveNetThunder",
    "movenet_lightning": "stages.pose.movenet:MoveNetLightning",
    "movenet_multipose": "stages.pose.movenet_multipose:MoveNetMultiPose",
    "keypointrcnn": "stages.pose.keypoint_rcnn:KeypointRCNN",
    "hrnet_mini": "stages.pose.mini:HRNetMini",
    "onnx": "stages.pose.onnx_model:OnnxModel",
    "yolo": "stages.pose.yolo:YoloPose",
    "mmpose": "stages.pose.mmpose_model:MMPoseModel",
}
"""The estimators of the package, by the name that a manifest gives under ``estimator``."""


class EstimatorSettings(NamedTuple):
    """The pose stage's parameters, as its estimator receives them."""

    weights: Path | None = None
    """A file that exists: the parameter ``weights``, or else what was downloaded from ``published``."""
    input_size: Size | None = None
    """The parameter ``input_size``, or else the first of the class's ``input_sizes``; None if that is empty."""
    layout: Layout = COCO17
    min_score: float = 0.0
    device: str = "cpu"
    """A torch device's name."""


class Estimator:
    """What all estimators have in common. Derive from one of the three kinds, not from this class."""

    takes: ClassVar[frozenset[str]] = frozenset()
    """Which of the parameters weights, input_size, layout, detector, detector_weights, detect_every and flip_test have
    an effect; the stage refuses the others. A class adds its own to those of its kind, such as
    ``TopDownEstimator.takes | {"weights"}``."""
    input_sizes: ClassVar[tuple[Size, ...]] = ()
    """The values that input_size may have, the default first. Empty: any, and no default."""
    uses_gpu: ClassVar[bool] = True
    version: ClassVar[int] = 1
    """To be increased when the same frames and weights give other skeletons; part of the keys."""
    card: ClassVar[ModelCard | None] = None
    """What it costs, and how good it is published to be (``pipeline models``)."""
    layout: Layout
    """The joints that it finds; an attribute of the class unless it takes the parameter layout."""

    def __init__(self, settings: EstimatorSettings) -> None:
        """Load the model. May raise StageError with a message for the user."""

    @classmethod
    def published(cls, input_size: Size | None) -> Published | None:
        """The weights that are downloaded if none are given.

        None: there is none, so that an estimator that takes weights requires them.
        """
        return None

    @classmethod
    def files(cls, weights: Path | None) -> Sequence[Path]:
        """Files besides ``weights`` that decide the result, such as weights that ship with it: part of the keys."""
        return ()

    @classmethod
    def why_no_gpu(cls, weights: Path | None) -> str | None:
        """Why it cannot use a GPU here with these weights although ``uses_gpu`` is true; None if nothing is known."""
        return None


class TopDownEstimator(Estimator, ABC):
    """Estimates the skeleton of the one person in a crop."""

    takes = frozenset({"detector", "detector_weights", "detect_every"})
    input_size: Size
    """Height and width of a crop."""
    cpu_batch: ClassVar[int] = 1
    """Crops per batch on a CPU. More than one is faster only where a crop takes next to no time."""

    def crop_size(self, height: float, width: float) -> Size:
        """Height and width of the crop for a person of this height and width in a crop of ``input_size``; what is less
        than ``input_size`` is cut off on both sides."""
        return self.input_size

    @abstractmethod
    def keypoints(self, crops: np.ndarray, flip_test: bool) -> np.ndarray:
        """float B,R,3 (x, y in pixels of the crop, and a score from 0 to 1) of RGB crops uint8 B,h,w,3.

        flip_test: average with the mirrored crops; never true unless the class takes flip_test.
        """


class HeatmapEstimator(TopDownEstimator):
    """Estimates a heatmap for each joint of the one person in a crop."""

    takes = TopDownEstimator.takes | {"flip_test"}

    @abstractmethod
    def heatmaps(self, crops: np.ndarray) -> np.ndarray:
        """float32 B,R,h/s,w/s, with some stride s, of RGB crops uint8 B,h,w,3. The peak is 1 if it is certain."""

    def keypoints(self, crops: np.ndarray, flip_test: bool) -> np.ndarray:
        from stages.pose.heatmaps import decode, mirrored

        heatmaps = self.heatmaps(crops)
        if flip_test:
            flipped = self.heatmaps(np.ascontiguousarray(crops[:, :, ::-1]))
            heatmaps = (heatmaps + mirrored(flipped, self.layout.flip)) / 2
        points, scores = decode(heatmaps)
        height, width = heatmaps.shape[2:]
        strides = self.input_size[1] / width, self.input_size[0] / height
        return np.concatenate([points * strides, scores[..., None]], axis=2)


class WholeImageEstimator(Estimator, ABC):
    """Finds the people in an image and their keypoints at once."""

    @abstractmethod
    def people(self, images: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each RGB image (uint8 H,W,3) its people: boxes float N,5 (x1, y1, x2, y2 in pixels, and a score), and
        keypoints float N,R,3 (x, y in pixels, and a score from 0 to 1)."""


def find_estimator(name: str) -> type[Estimator]:
    """The class that ``name`` means: one of ``ESTIMATORS``, or a user's ``my_module:MyEstimator``.

    Raises StageError if it cannot be imported, or is not a complete estimator.
    """
    found = load_class(ESTIMATORS.get(name, name), "estimator")
    kinds = (TopDownEstimator, WholeImageEstimator)
    if not (isinstance(found, type) and issubclass(found, kinds)):
        raise StageError(
            f"estimator: {name} is not a pose estimator: derive it from HeatmapEstimator, TopDownEstimator or "
            f"WholeImageEstimator of {__name__}"
        )
    missing = sorted(found.__abstractmethods__)
    if "layout" not in found.takes and not hasattr(found, "layout"):
        missing.append("layout")
    if missing:
        raise StageError(f"estimator: {name} lacks {', '.join(missing)}, as {__name__} describes them")
    return found
