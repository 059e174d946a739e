"""Who is who: joins the person boxes of a clip's frames into one track a person."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from stages.pose.appearance import difference
from stages.pose.boxes import generalized_iou, iou

_LEAST_LIKENESS = -0.4
"""Below, two boxes are two people: boxes of one size and look may be 1.3 times their width apart."""

_OTHER_COLORS = 30.0
"""A difference of looks that weighs as much as boxes that touch in place of boxes that coincide."""

_PART = 0.3
"""IoU above which a box that fits nobody is thought to be another box of somebody already seen, an arm perhaps."""


@dataclass
class Track:
    """One person in T frames."""

    boxes: np.ndarray
    """T,4: x1, y1, x2, y2; NaN where the person was not detected."""
    scores: np.ndarray
    """T: the detector's score; 0 where the person was not detected."""
    detections: np.ndarray
    """T: position in the frame's list of detections; -1 where the person was not detected."""

    @property
    def worth(self) -> float:
        """How surely this is a person who takes part: the sum of scores, weighted by how large the person is seen.

        Passers-by are seen as long as the others, but smaller or cut off.
        """
        extent = np.nan_to_num(self.boxes[:, 2:] - self.boxes[:, :2])
        return float((self.scores * np.sqrt(extent.prod(1))).sum())


def track(detections: list[np.ndarray], looks: list[np.ndarray]) -> list[Track]:
    """The people in a clip, those first who are seen longest and most surely.

    ``detections`` holds for each of T frames the boxes found there, float N,5 (x1, y1, x2, y2, score), and ``looks``
    what is in them, float N,9 (see ``looks``). In every frame people seen before, moved on by their velocity, and boxes
    are assigned to each other so that the sum of likenesses (of place and look) is largest; a box that is like nobody,
    and not a part of somebody, begins a new track. Gaps may have any length. The order of the boxes within a frame has
    no influence.
    """
    tracks: list[_Growing] = []
    for frame, boxes in enumerate(detections):
        order = np.lexsort(boxes.T[::-1])
        owners = _assign(tracks, boxes[order], looks[frame][order])
        known = np.array([owner is not None for owner in owners], dtype=bool)
        crowded = np.any(iou(boxes[order], boxes[order[known]]) > _PART, axis=1).tolist()
        for position, owner, hidden in zip(order, owners, crowded, strict=True):
            if owner is None:
                if hidden:
                    continue
                owner = len(tracks)
                tracks.append(_Growing())
            tracks[owner].add(frame, boxes[position], looks[frame][position], int(position))
    finished = [person.finished(len(detections)) for person in tracks]
    return sorted(finished, key=lambda one: (-one.worth, *np.nan_to_num(one.boxes).sum(0)))


class _Growing:
    """A track while its clip is gone through."""

    def __init__(self) -> None:
        self.sightings: list[tuple[int, np.ndarray, int]] = []
        self.velocity = np.zeros(2)
        self.look = np.zeros(9)
        """Mean over all sightings: a look at two people in each other's arms changes it little."""

    def add(self, frame: int, box: np.ndarray, look: np.ndarray, position: int) -> None:
        if self.sightings:
            last_frame, last_box, _ = self.sightings[-1]
            velocity = (_center(box) - _center(last_box)) / (frame - last_frame)
            self.velocity = velocity if len(self.sightings) == 1 else (self.velocity + velocity) / 2
        self.sightings.append((frame, box, position))
        self.look += (look - self.look) / len(self.sightings)

    def predicted(self) -> np.ndarray:
        """The box one frame later; after a gap too, because people who hide each other have stopped."""
        _, box, _ = self.sightings[-1]
        return box[:4] + np.tile(self.velocity, 2)

    def finished(self, length: int) -> Track:
        result = Track(np.full((length, 4), np.nan), np.zeros(length), np.full(length, -1))
        for frame, box, position in self.sightings:
            result.boxes[frame], result.scores[frame], result.detections[frame] = box[:4], box[4], position
        return result


def _center(box: np.ndarray) -> np.ndarray:
    return (box[:2] + box[2:4]) / 2


def _assign(tracks: list[_Growing], boxes: np.ndarray, looks: np.ndarray) -> list[int | None]:
    """For each box the track that it continues, or None."""
    owners: list[int | None] = [None] * len(boxes)
    if tracks and len(boxes):
        near = generalized_iou(np.stack([person.predicted() for person in tracks]), boxes)
        unlike = difference(np.stack([person.look for person in tracks]), looks) / _OTHER_COLORS
        likeness = near - np.minimum(unlike, 1)
        # What is no match at all must not pull the sum, or it would break up good pairs.
        floored = np.maximum(likeness, _LEAST_LIKENESS)
        for person, box in zip(*linear_sum_assignment(floored, maximize=True), strict=True):
            if likeness[person, box] > _LEAST_LIKENESS:
                owners[box] = int(person)
    return owners
