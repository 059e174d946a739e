"""A user's own person detector, as an example: an ncnn model.

A manifest names it as ``detector: tests.plugins.ncnn_detector:NcnnDetector`` and gives the model's ``.param`` file as
``detector_weights``; its ``.bin`` stands beside it.
"""

from pathlib import Path

import ncnn
import numpy as np


class NcnnDetector:
    """A detector with an input ``data`` of 320 x 320 RGB pixels in [0, 1] and an output ``output`` with rows of
    label, score and x1, y1, x2, y2 relative to the image."""

    def __init__(self, weights: Path, device: str) -> None:
        self.net = ncnn.Net()
        self.net.opt.num_threads = 1
        if self.net.load_param(str(weights)) or self.net.load_model(str(weights.with_suffix(".bin"))):
            raise ValueError(f"{weights} and its .bin hold no ncnn model")

    def detect(self, images: list[np.ndarray]) -> list[np.ndarray]:
        return [self._detect(image) for image in images]

    def _detect(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        side = max(height, width)
        square = np.zeros((side, side, 3), np.uint8)  # keeps the people's proportions
        square[:height, :width] = image
        pixels = ncnn.Mat.from_pixels_resize(square, ncnn.Mat.PixelType.PIXEL_RGB, side, side, 320, 320)
        pixels.substract_mean_normalize([], [1 / 255] * 3)
        run = self.net.create_extractor()
        run.input("data", pixels)
        _, output = run.extract("output")
        if output.empty():
            return np.empty((0, 5))
        rows = np.array(output, dtype=float)
        boxes = np.clip(rows[:, 2:6] * side, 0, [width, height, width, height])
        return np.column_stack([boxes, rows[:, 1]])
