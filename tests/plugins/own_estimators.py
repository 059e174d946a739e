"""Pose estimators of a user's own, as examples: ``estimator: own_estimators:RedDot``.

They know one kind of person, a green body with a red dot, and take the dot for every joint.
"""

import numpy as np

from recognizer.skeletons import COCO17
from stages.pose.estimators import EstimatorSettings, TopDownEstimator, WholeImageEstimator


def red(image: np.ndarray, threshold: float = 150) -> np.ndarray:
    """bool H,W of an RGB image H,W,3."""
    return (image[..., 0] > threshold) & (image[..., 1] < 100)


def dot(image: np.ndarray, threshold: float = 150) -> np.ndarray:
    """Keypoints R,3 in pixels; zeros where the image has no dot."""
    y, x = np.nonzero(red(image, threshold))
    return np.tile([x.mean(), y.mean(), 1] if len(x) else [0.0, 0, 0], (COCO17.count, 1))


class RedDot(TopDownEstimator):
    """Finds the dot in a crop. Its weights are a text file with the least value of red."""

    takes = TopDownEstimator.takes | {"weights"}
    uses_gpu = False
    input_size = (64, 48)
    layout = COCO17

    def __init__(self, settings: EstimatorSettings) -> None:
        assert settings.weights
        self.threshold = float(settings.weights.read_text())

    def keypoints(self, crops: np.ndarray, flip_test: bool) -> np.ndarray:
        return np.stack([dot(crop, self.threshold) for crop in crops])


class RedDotWithBody(WholeImageEstimator):
    """Finds the body and the dot in a whole image."""

    uses_gpu = False
    layout = COCO17

    def people(self, images: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        return [self._person(image) for image in images]

    def _person(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        y, x = np.nonzero(image.max(2) > 100)
        if not len(x):
            return np.empty((0, 5)), np.empty((0, COCO17.count, 3))
        box = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1, 0.9])
        return box[None], dot(image)[None]


class NoEstimator:
    """Derives from none of the kinds of estimators."""
