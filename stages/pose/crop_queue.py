"""Collects the crops of many frames and clips, so that the estimator runs on full batches."""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from stages.pose.crops import crop, person_regions, to_frame, trimmed
from stages.pose.estimators import Size, TopDownEstimator


@dataclass
class _Request:
    """One crop, and all arrays that its keypoints are wanted in."""

    crop: np.ndarray
    region: np.ndarray
    targets: list[np.ndarray] = field(default_factory=list)
    keypoints: np.ndarray | None = None
    """R,3 once they are estimated."""


class CropQueue:
    """Estimates the people in crops, and writes the keypoints of each into an array of the caller's.

    The last batch is filled up with black crops: a network's rounding depends on the size of the batch, and a skeleton
    must not depend on what else is estimated along with it.
    """

    def __init__(self, estimator: TopDownEstimator, batch: int, flip_test: bool) -> None:
        self.estimator = estimator
        self.batch = batch
        self.flip_test = flip_test
        self._waiting: defaultdict[Size, list[_Request]] = defaultdict(list)
        self._requests: dict[tuple[bytes, bytes], _Request] = {}
        """All requests so far, by frame and box: windows that overlap ask for the same crops."""

    def add(self, frame: bytes, image: np.ndarray, box: np.ndarray, keypoints: np.ndarray) -> None:
        """Request the skeleton of the person in ``box`` (x1, y1, x2, y2) of ``image`` (uint8 H,W,3).

        frame: identifies the image. keypoints: R,3, usually a view into a larger array; ``run_full_batches`` or
        ``run_all`` writes x, y in pixels of the image and the score into it.
        """
        request = self._requests.get((frame, box.tobytes()))
        if request is None:
            most = np.array(self.estimator.input_size)
            region = person_regions(box[None], self.estimator.input_size)[0]
            width, height = (box[2:4] - box[:2]) / region[2:] * most[::-1]
            size = self.estimator.crop_size(height, width)
            region = trimmed(region, (size / most)[::-1])
            request = _Request(crop(image, region, size), region)
            self._requests[frame, box.tobytes()] = request
            self._waiting[size].append(request)
        if request.keypoints is None:
            request.targets.append(keypoints)
        else:
            keypoints[:] = request.keypoints

    def run_full_batches(self) -> None:
        """Run the estimator while the requests fill a batch."""
        for waiting in self._waiting.values():
            while len(waiting) >= self.batch:
                self._estimate(waiting[: self.batch])
                del waiting[: self.batch]

    def run_all(self) -> None:
        """Run the estimator on all requests."""
        self.run_full_batches()
        for waiting in self._waiting.values():
            if waiting:
                self._estimate(waiting)
                waiting.clear()

    def _estimate(self, waiting: list[_Request]) -> None:
        size = waiting[0].crop.shape[:2]
        crops = np.zeros((self.batch, *size, 3), np.uint8)
        crops[: len(waiting)] = [one.crop for one in waiting]
        keypoints = self.estimator.keypoints(crops, self.flip_test)[: len(waiting)]
        regions = np.stack([one.region for one in waiting])
        pixels = to_frame(keypoints[..., :2], regions, size)
        for one, xy, score in zip(waiting, pixels, keypoints[..., 2], strict=True):
            one.keypoints = np.concatenate([xy, score[:, None]], axis=1)
            one.crop = np.empty(0)  # its memory is needed for others
            for target in one.targets:
                target[:] = one.keypoints
