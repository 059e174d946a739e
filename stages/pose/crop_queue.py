"""Collects the crops of many frames and clips, so that the estimator runs on full batches."""

from typing import NamedTuple

import numpy as np

from stages.pose.crops import crop, person_regions, to_frame
from stages.pose.estimators import TopDownEstimator


class _Request(NamedTuple):
    crop: np.ndarray
    region: np.ndarray
    keypoints: np.ndarray


class CropQueue:
    """Estimates the people in crops, and writes the keypoints of each into an array of the caller's.

    The last batch is filled up with black crops: a network's rounding depends on the size of the batch, and a skeleton
    must not depend on what else is estimated along with it.
    """

    def __init__(self, estimator: TopDownEstimator, batch: int, flip_test: bool) -> None:
        self.estimator = estimator
        self.batch = batch
        self.flip_test = flip_test
        self._waiting: list[_Request] = []

    def add(self, image: np.ndarray, box: np.ndarray, keypoints: np.ndarray) -> None:
        """Request the skeleton of the person in ``box`` (x1, y1, x2, y2) of ``image`` (uint8 H,W,3).

        keypoints: R,3, usually a view into a larger array; ``run_full_batches`` or ``run_all`` writes x, y in pixels of
        the image and the score into it.
        """
        region = person_regions(box[None], self.estimator.input_size)[0]
        self._waiting.append(_Request(crop(image, region, self.estimator.input_size), region, keypoints))

    def run_full_batches(self) -> None:
        """Run the estimator while the requests fill a batch."""
        while len(self._waiting) >= self.batch:
            self._estimate(self._waiting[: self.batch])
            del self._waiting[: self.batch]

    def run_all(self) -> None:
        """Run the estimator on all requests."""
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
