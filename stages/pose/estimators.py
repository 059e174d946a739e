"""Top-down pose estimators: networks that put out a heatmap for each joint of the one person in a crop."""

from typing import Protocol

import numpy as np

from recognizer.skeletons import Layout

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)


class Estimator(Protocol):
    """A model that estimates the skeleton of the one person in a crop."""

    input_size: tuple[int, int]
    """Height and width of a crop."""
    layout: Layout

    def heatmaps(self, crops: np.ndarray) -> np.ndarray:
        """float32 [B,R,h/4,w/4] of RGB crops uint8 [B,h,w,3]; the highest value is 1 where the model is certain."""
        ...


def normalized(crops: np.ndarray) -> np.ndarray:
    """RGB crops uint8 [B,h,w,3] as float32 [B,3,h,w] with ImageNet's mean and standard deviation."""
    pixels = crops * (1 / (255 * IMAGENET_STD)) - IMAGENET_MEAN / IMAGENET_STD
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
