"""From a clip's frames to its people's keypoints: detect, track, estimate."""

from abc import ABC, abstractmethod
from hashlib import blake2b

import cv2
import numpy as np

from pipeline.errors import ClipError
from recognizer.skeletons import Layout
from stages.pose.appearance import appearances
from stages.pose.boxes import non_maximum_suppression
from stages.pose.crop_queue import CropQueue
from stages.pose.detectors import Detector
from stages.pose.estimators import WholeImageEstimator
from stages.pose.gap_filling import drop_unlikely, filled_boxes
from stages.pose.tracking import Track, track


class Estimation(ABC):
    """Takes the clips of one partition from frames to keypoints.

    min_score: detected people with a lower score are dropped. persons: at most so many are kept per clip.
    """

    def __init__(self, layout: Layout, min_score: float, persons: int) -> None:
        self.layout = layout
        self.min_score = min_score
        self.persons = persons
        self.tracks: list[Track] = []
        """The tracks in the clip that was added last, in the order of its keypoints."""

    @abstractmethod
    def add(self, jpegs: list[bytes]) -> np.ndarray:
        """Keypoints M,T,R,3 (x, y in pixels, score; zeros where missing) of the best tracks in a clip's T frames.

        They are complete only after ``run_all``. M is 0 where nobody was found.
        """

    @abstractmethod
    def run_full_batches(self) -> None:
        """Run the estimator on full batches, so that hardly more than one clip's crops wait in memory."""

    @abstractmethod
    def run_all(self) -> None:
        """Run the estimator on the rest."""

    def _confident(self, boxes: np.ndarray, *rest: np.ndarray) -> list[np.ndarray]:
        """The boxes N,5 that have an extent and enough score, one per person, and the rows of ``rest`` beside them."""
        boxes = np.asarray(boxes, dtype=float).reshape(-1, 5)
        confident = (boxes[:, 4] >= self.min_score) & (boxes[:, 2:4] > boxes[:, :2]).all(1)
        candidates = np.flatnonzero(confident & np.isfinite(boxes).all(1))
        kept = candidates[non_maximum_suppression(boxes[candidates])]
        return [array[kept] for array in (boxes, *rest)]

    def _tracks(self, images: list[np.ndarray], boxes: list[np.ndarray]) -> list[Track]:
        self.tracks = track(boxes, [appearances(*pair) for pair in zip(images, boxes, strict=True)])[: self.persons]
        return self.tracks


class TopDownEstimation(Estimation):
    """With a detector for the boxes, and an estimator for the crops.

    In frames where a tracked person was not detected, the estimator is given a crop of where the person may be.
    """

    def __init__(self, detector: Detector, queue: CropQueue, min_score: float, persons: int) -> None:
        super().__init__(queue.estimator.layout, min_score, persons)
        self._detector = detector
        self._queue = queue
        self._filled: list[tuple[np.ndarray, np.ndarray]] = []
        self._detected: dict[bytes, np.ndarray] = {}
        """Boxes by frame: windows that overlap show the same frames."""

    def add(self, jpegs: list[bytes]) -> np.ndarray:
        images = _decoded(jpegs)
        frames = [blake2b(jpeg, digest_size=16).digest() for jpeg in jpegs]
        new = {frame: image for frame, image in zip(frames, images, strict=True) if frame not in self._detected}
        if new:
            self._detected.update(zip(new, self._detector.detect(list(new.values())), strict=True))
        tracks = self._tracks(images, [self._confident(self._detected[frame])[0] for frame in frames])
        keypoints = np.zeros((len(tracks), len(images), self.layout.count, 3))
        for m, person in enumerate(tracks):
            boxes = filled_boxes(person)
            for t in np.flatnonzero(~np.isnan(boxes[:, 0])):
                self._queue.add(frames[t], images[t], boxes[t], keypoints[m, t])
        if tracks:
            self._filled.append((keypoints, np.stack([person.detections < 0 for person in tracks])))
        return keypoints

    def run_full_batches(self) -> None:
        self._queue.run_full_batches()

    def run_all(self) -> None:
        self._queue.run_all()
        for keypoints, filled in self._filled:
            drop_unlikely(keypoints, filled)
        self._filled.clear()


class WholeImageEstimation(Estimation):
    """With an estimator that finds people and their keypoints at once: a clip is complete when it has been added."""

    def __init__(self, estimator: WholeImageEstimator, min_score: float, persons: int) -> None:
        super().__init__(estimator.layout, min_score, persons)
        self._estimator = estimator

    def add(self, jpegs: list[bytes]) -> np.ndarray:
        images = _decoded(jpegs)
        found = [self._confident(*people) for people in self._estimator.people(images)]
        tracks = self._tracks(images, [boxes for boxes, _ in found])
        keypoints = np.zeros((len(tracks), len(images), self.layout.count, 3))
        for m, person in enumerate(tracks):
            for t in np.flatnonzero(person.detections >= 0):
                keypoints[m, t] = found[t][1][person.detections[t]]
        return keypoints

    def run_full_batches(self) -> None:
        """Nothing waits."""

    def run_all(self) -> None:
        """Nothing waits."""


def _decoded(jpegs: list[bytes]) -> list[np.ndarray]:
    """RGB uint8 H,W,3 per frame. Raises ClipError that names the first one that cannot be read."""
    images = []
    for position, jpeg in enumerate(jpegs):
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
        if image is None:
            raise ClipError(
                f"decoded frame {position} is not a readable JPEG image: decode the clip again (--force decode)"
            )
        images.append(image)
    return images
