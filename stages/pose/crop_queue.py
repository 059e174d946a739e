"""Crops of many frames and clips on their way through an estimator, in full batches."""

from typing import NamedTuple

import numpy as np

from stages.pose.crops import crop, person_regions, to_frame
from stages.pose.estimators import TopDownEstimator


class _Request(NamedTuple):
    crop: np.ndarray
    region: np.ndarray
    keypoints: np.ndarray


class CropQueue:
    """Collects the crops of people and writes each one's keypoints where the caller asked for them.

    The last batch is filled up with empty crops: a network's rounding depends on the size of its batches, and a
    skeleton must not depend on what else happened to be estimated with it.
    """

    def __init__(self, estimator: TopDownEstimator, batch: int, flip_test: bool) -> None:
        self.estimator = estimator
        self.batch = batch
        self.flip_test = flip_test
        self._waiting: list[_Request] = []

    def add(self, image: np.ndarray, box: np.ndarray, keypoints: np.ndarray) -> None:
        """Ask for the skeleton of the person in ``box`` (x1, y1, x2, y2) of ``image`` (uint8 H,W,3).

        ``keypoints`` (R,3; usually a view into a larger array) receives x, y in pixels of the image and the score, but
        not before ``run_full_batches`` or ``run_all``.
        """
        region = person_regions(box[None], self.estimator.input_size)[0]
        self._waiting.append(_Request(crop(image, region, self.estimator.input_size), region, keypoints))

    def run_full_batches(self) -> None:
        """Estimate as many full batches as are waiting."""
        while len(self._waiting) >= self.batch:
            self._estimate(self._waiting[: self.batch])
            del self._waiting[: self.batch]

    def run_all(self) -> None:
        """Estimate all that is waiting."""
        self.run_full_batches()
        if self._waiting:
            self._estimate(self._waiting)
            self._waiting.clear()

    def _estimate(self, waiting: list[_Request]) -> None:
        crops = np.zeros((self.batch, *self.estimator.input_size, 3), np.uint8)
        crops[: len(waiting)] = [one.crop for one in waiting]
        keypoints = self.estimator.keypoints(crops, self.flip_test)[: len(waiting)]
        regions = np.stack([one.region for one in waiting])
        pixels = to_frame(keypoints[..., :2], regions, self.estimator.input_size)
        for one, xy, score in zip(waiting, pixels, keypoints[..., 2], strict=True):
            one.keypoints[:, :2] = xy
            one.keypoints[:, 2] = score
