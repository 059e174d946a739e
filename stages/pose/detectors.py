"""Person detectors: where in an image the people are."""

from pathlib import Path
from typing import Protocol

import numpy as np

from pipeline.errors import StageError
from stages.plugins import load_class


class Detector(Protocol):
    """A model that finds people. A user's own is built as ``MyDetector(weights, device)``: a Path or None, and a
    torch device's name."""

    def detect(self, images: list[np.ndarray]) -> list[np.ndarray]:
        """For each RGB image (uint8 H,W,3) the people in it, float N,5: x1, y1, x2, y2 in pixels, and a score."""
        ...


class WholeFrame:
    """Takes every image for one person: for data sets whose videos are cut around a person."""

    def detect(self, images: list[np.ndarray]) -> list[np.ndarray]:
        return [np.array([[0, 0, image.shape[1], image.shape[0], 1]], dtype=float) for image in images]


def own_detector(target: str, weights: Path | None, device: str) -> Detector:
    """A user's ``my_module:MyDetector``. Raises StageError where it cannot be imported or built."""
    build = load_class(target, "detector")
    try:
        return build(weights, device)
    except Exception as error:
        raise StageError(f"detector: {target} cannot be built: {type(error).__name__}: {error}") from error
