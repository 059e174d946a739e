"""From a clip's frames to its people's keypoints: detect, track, estimate."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
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
from stages.pose.gap_filling import carried_boxes, doubtful_skeletons, drop_unlikely, filled_boxes
from stages.pose.key_frames import doubtful_frames, key_frames
from stages.pose.tracking import Found, Track, least_score, same_people, sample, track

_CANDIDATES = 2
"""How many times as many people are considered as are kept."""


class Skeletons:
    """The people of a clip, as far as they are known."""

    def __init__(self, jpegs: Sequence[bytes], joints: int) -> None:
        self.jpegs = jpegs
        self.frames = [blake2b(jpeg, digest_size=16).digest() for jpeg in jpegs]
        """What tells frames apart: windows that overlap show the same ones."""
        self.found: dict[int, Found] = {}
        """What the detector found in the frames that it has seen."""
        self._joints = joints
        self.follow([])

    def follow(self, tracks: Sequence[Track]) -> None:
        """Begin again with these people."""
        count, length = len(tracks), len(self.jpegs)
        self.tracks = list(tracks)
        self.keypoints = np.zeros((count, length, self._joints, 3))
        """float M,T,R,3: x, y in pixels and a score; zeros where missing. M is 0 where nobody was found."""
        self.boxes = np.stack([filled_boxes(one) for one in tracks]) if tracks else np.empty((0, length, 4))
        """float M,T,4: where the people are, detected or between detections; NaN: unknown."""
        self.detected = np.stack([one.detections >= 0 for one in tracks]) if tracks else np.empty((0, length), bool)
        """bool M,T: where the detector found them."""
        self.estimated = np.zeros((count, length), bool)
        """bool M,T: where their keypoints were asked for."""
        self.alternatives: list[tuple[int, int, np.ndarray]] = []
        """Person, frame and other keypoints R,3, which count if their score is higher."""

    def keep(self, people: Sequence[int]) -> None:
        """Leave out all others."""
        self.tracks = [self.tracks[m] for m in people]
        self.keypoints, self.boxes = self.keypoints[people], self.boxes[people]
        self.detected, self.estimated = self.detected[people], self.estimated[people]

    def best_score(self) -> float:
        """The detector's highest score for anybody in any frame that it has seen, counted for a track or not."""
        return max((float(found.boxes[:, 4].max(initial=0)) for found in self.found.values()), default=0.0)

    @property
    def known(self) -> np.ndarray:
        """bool M,T: where it is known where they are."""
        return ~np.isnan(self.boxes[..., 0])

    def main_people(self, count: int) -> list[int]:
        """Which people matter most, by their prominence times the score that is usual for their skeletons: a jacket on
        a chair and somebody of whom only an arm is in the picture have large boxes, but hardly any joints."""
        scores = np.ma.masked_array(self.keypoints[..., 2].mean(2), ~(self.detected & self.estimated))
        weights = np.ma.median(scores, axis=1).filled(0) * [one.prominence for one in self.tracks]
        return np.argsort(-weights, kind="stable")[:count].tolist()


class Estimation(ABC):
    """Takes the clips of one partition from frames to keypoints: ``add`` all, ``run_all``, ``look_again`` at all,
    ``run_all``, and ``finish`` each.

    min_score: detected people with a lower score do not count. persons: at most so many are kept per clip.
    """

    def __init__(self, layout: Layout, min_score: float, persons: int) -> None:
        self.layout = layout
        self.min_score = min_score
        self.persons = persons
        self._images: dict[bytes, np.ndarray] = {}
        """Of the clip before: windows that overlap show the same frames."""

    @abstractmethod
    def add(self, jpegs: Sequence[bytes], numbers: Sequence[int]) -> Skeletons:
        """Find the people in a clip's T frames. numbers: those of the frames in the video, ascending."""

    @abstractmethod
    def look_again(self, skeletons: Skeletons) -> None:
        """Find the people where tracks or skeletons proved wrong."""

    @abstractmethod
    def run_full_batches(self) -> None:
        """Run the estimator on full batches, so that hardly more than one clip's crops wait in memory."""

    @abstractmethod
    def run_all(self) -> None:
        """Run the estimator on the rest."""

    def finish(self, skeletons: Skeletons) -> np.ndarray:
        """The keypoints M,T,R,3, without those that show nobody or somebody twice."""
        for m, t, keypoints in skeletons.alternatives:
            if keypoints[:, 2].mean() > skeletons.keypoints[m, t, :, 2].mean():
                skeletons.keypoints[m, t] = keypoints
        drop_unlikely(skeletons.keypoints, ~skeletons.detected, self.layout)
        return skeletons.keypoints

    def _decoded(self, skeletons: Skeletons) -> list[np.ndarray]:
        """RGB uint8 H,W,3 per frame. Raises ClipError that names the first one that cannot be read."""
        images = {}
        for position, (frame, jpeg) in enumerate(zip(skeletons.frames, skeletons.jpegs, strict=True)):
            if frame not in images:
                images[frame] = self._images[frame] if frame in self._images else _decoded(jpeg, position)
        self._images = images
        return [images[frame] for frame in skeletons.frames]

    def _usable(self, boxes: np.ndarray) -> np.ndarray:
        """Indices of the boxes N,5 that have an extent and enough score to be tracked, one per person."""
        usable = (boxes[:, 4] >= least_score(self.min_score)) & (boxes[:, 2:4] > boxes[:, :2]).all(1)
        candidates = np.flatnonzero(usable & np.isfinite(boxes).all(1))
        return candidates[non_maximum_suppression(boxes[candidates])]


class TopDownEstimation(Estimation):
    """With a detector for the boxes, and an estimator for the crops.

    The detector sees every so many frames, and those where it is unclear what happened between two of these. In frames
    where a tracked person was not detected, the estimator is given a crop of where the person may be.
    """

    def __init__(self, detector: Detector, every: int, queue: CropQueue, min_score: float, persons: int) -> None:
        super().__init__(queue.estimator.layout, min_score, persons)
        self._detector = detector
        self._every = every
        self._queue = queue
        self._found: dict[bytes, Found] = {}
        """By frame."""

    def add(self, jpegs: Sequence[bytes], numbers: Sequence[int]) -> Skeletons:
        skeletons = Skeletons(jpegs, self.layout.count)
        images = self._decoded(skeletons)
        tracks = self._tracks(skeletons, images, key_frames(numbers, self._every))[: _CANDIDATES * self.persons]
        skeletons.follow(tracks)
        for m, one in enumerate(tracks):
            self._request(skeletons, images, m, np.flatnonzero(skeletons.known[m]) if m < self.persons else sample(one))
        return skeletons

    def look_again(self, skeletons: Skeletons) -> None:
        """Choose the main people, look for them where nobody did and no skeleton was found, and also try boxes that
        their skeletons before and after suggest: a detector may have found a part of a person, or lost one who bends
        down."""
        skeletons.keep(skeletons.main_people(self.persons))
        estimated, before = skeletons.estimated, skeletons.keypoints
        doubtful = doubtful_skeletons(before, skeletons.detected) & estimated
        if not doubtful.any() and (estimated == skeletons.known).all():
            return
        images = self._decoded(skeletons)
        people, tracks = list(range(len(before))), skeletons.tracks
        if missed := [t for t in np.flatnonzero(doubtful.any(0)).tolist() if t not in skeletons.found]:
            people, tracks = same_people(tracks, self._tracks(skeletons, images, missed))
        skeletons.follow(tracks)
        for m, former in enumerate(people):
            self._request(skeletons, images, m, np.flatnonzero(skeletons.known[m]))
            boxes = carried_boxes(before[former], ~doubtful[former] & estimated[former])
            for t in np.flatnonzero(doubtful[former] & ~np.isnan(boxes[:, 0])).tolist():
                skeletons.alternatives.append((m, t, np.zeros_like(before[former, t])))
                self._queue.add(skeletons.frames[t], images[t], boxes[t], skeletons.alternatives[-1][2])

    def run_full_batches(self) -> None:
        self._queue.run_full_batches()

    def run_all(self) -> None:
        self._queue.run_all()

    def _request(self, skeletons: Skeletons, images: list[np.ndarray], m: int, frames: Iterable[int]) -> None:
        """Have the skeletons of a person estimated in these frames."""
        for t in frames:
            skeletons.estimated[m, t] = True
            self._queue.add(skeletons.frames[t], images[t], skeletons.boxes[m, t], skeletons.keypoints[m, t])

    def _tracks(self, skeletons: Skeletons, images: list[np.ndarray], frames: Iterable[int]) -> list[Track]:
        """The people, after a look at these frames and at those where it turns out to be needed."""
        tracks: list[Track] = []
        while frames:
            self._detect(skeletons, images, frames)
            tracks = track(skeletons.found, len(images), self.min_score)
            frames = doubtful_frames(tracks[: self.persons], sorted(skeletons.found))
        return tracks

    def _detect(self, skeletons: Skeletons, images: list[np.ndarray], frames: Iterable[int]) -> None:
        new = {skeletons.frames[t]: images[t] for t in frames if skeletons.frames[t] not in self._found}
        found = self._detector.detect(list(new.values())) if new else []
        for (frame, image), boxes in zip(new.items(), found, strict=True):
            boxes = np.asarray(boxes, dtype=float).reshape(-1, 5)
            boxes = boxes[self._usable(boxes)]
            self._found[frame] = Found(boxes, appearances(image, boxes))
        skeletons.found.update({t: self._found[skeletons.frames[t]] for t in frames})


class WholeImageEstimation(Estimation):
    """With an estimator that finds people and their keypoints at once: a clip is complete when it has been added."""

    def __init__(self, estimator: WholeImageEstimator, min_score: float, persons: int) -> None:
        super().__init__(estimator.layout, min_score, persons)
        self._estimator = estimator
        self._people: dict[bytes, tuple[Found, np.ndarray]] = {}
        """Found people and their keypoints N,R,3, by frame."""

    def add(self, jpegs: Sequence[bytes], numbers: Sequence[int]) -> Skeletons:
        skeletons = Skeletons(jpegs, self.layout.count)
        images = dict(zip(skeletons.frames, self._decoded(skeletons), strict=True))
        new = {frame: image for frame, image in images.items() if frame not in self._people}
        if new:
            for (frame, image), people in zip(new.items(), self._estimator.people(list(new.values())), strict=True):
                boxes = np.asarray(people[0], dtype=float).reshape(-1, 5)
                usable = self._usable(boxes)
                self._people[frame] = Found(boxes[usable], appearances(image, boxes[usable])), people[1][usable]
        skeletons.found = {t: self._people[frame][0] for t, frame in enumerate(skeletons.frames)}
        self._follow(skeletons, track(skeletons.found, len(jpegs), self.min_score))
        self._follow(skeletons, [skeletons.tracks[m] for m in skeletons.main_people(self.persons)])
        return skeletons

    def _follow(self, skeletons: Skeletons, tracks: list[Track]) -> None:
        skeletons.follow(tracks)
        skeletons.estimated[:] = skeletons.detected
        for m, t in np.argwhere(skeletons.detected).tolist():
            skeletons.keypoints[m, t] = self._people[skeletons.frames[t]][1][tracks[m].detections[t]]

    def look_again(self, skeletons: Skeletons) -> None:
        """All frames have been looked at."""

    def run_full_batches(self) -> None:
        """Nothing waits."""

    def run_all(self) -> None:
        """Nothing waits."""


def _decoded(jpeg: bytes, position: int) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise ClipError(
            f"decoded frame {position} is not a readable JPEG image: decode the clip again (--force decode)"
        )
    return image
