"""Who is who: joins the person boxes of a clip's frames into one track a person."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

_LEAST_SIMILARITY = -0.3
"""Generalized IoU below which two boxes are two people: boxes of one size may be 0.86 of their width apart."""

_COASTING = 3
"""Frames for which a person out of sight is thought to walk on at the same speed."""


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
        """How surely this is a person who takes part: the sum of scores times the number of frames seen."""
        return float(self.scores.sum() * (self.detections >= 0).sum())

    def filled_boxes(self) -> np.ndarray:
        """Boxes with the gaps between two sightings interpolated; NaN before the first and after the last."""
        seen = np.flatnonzero(self.detections >= 0)
        frames = np.arange(seen[0], seen[-1] + 1)
        filled = self.boxes.copy()
        for column in range(4):
            filled[frames, column] = np.interp(frames, seen, self.boxes[seen, column])
        return filled


def track(detections: list[np.ndarray]) -> list[Track]:
    """The people in a clip, those first who are seen longest and most surely.

    ``detections`` holds for each of T frames the boxes found there, float N,5 (x1, y1, x2, y2, score). In every frame
    people seen before, moved on by their velocity, and boxes are assigned to each other so that the sum of generalized
    IoUs is largest (Rezatofighi et al. 2019); a box that nobody fits begins a new track. Gaps may have any length. The
    order of the boxes within a frame has no influence.
    """
    tracks: list[_Growing] = []
    for frame, boxes in enumerate(detections):
        order = np.lexsort(boxes.T[::-1]) if len(boxes) else np.empty(0, int)
        owners = _assign([person.predicted(frame) for person in tracks], boxes[order, :4])
        for position, owner in zip(order, owners, strict=True):
            if owner is None:
                owner = len(tracks)
                tracks.append(_Growing())
            tracks[owner].add(frame, boxes[position], int(position))
    finished = [person.finished(len(detections)) for person in tracks]
    return sorted(finished, key=lambda one: (-one.worth, *np.nan_to_num(one.boxes).sum(0)))


class _Growing:
    """A track while its clip is gone through."""

    def __init__(self) -> None:
        self.sightings: list[tuple[int, np.ndarray, int]] = []
        self.velocity = np.zeros(2)

    def add(self, frame: int, box: np.ndarray, position: int) -> None:
        if self.sightings:
            last_frame, last_box, _ = self.sightings[-1]
            velocity = (_center(box) - _center(last_box)) / (frame - last_frame)
            self.velocity = velocity if len(self.sightings) == 1 else (self.velocity + velocity) / 2
        self.sightings.append((frame, box, position))

    def predicted(self, frame: int) -> np.ndarray:
        last_frame, box, _ = self.sightings[-1]
        return box[:4] + np.tile(self.velocity * min(frame - last_frame, _COASTING), 2)

    def finished(self, length: int) -> Track:
        result = Track(np.full((length, 4), np.nan), np.zeros(length), np.full(length, -1))
        for frame, box, position in self.sightings:
            result.boxes[frame], result.scores[frame], result.detections[frame] = box[:4], box[4], position
        return result


def _center(box: np.ndarray) -> np.ndarray:
    return (box[:2] + box[2:4]) / 2


def _assign(predicted: list[np.ndarray], boxes: np.ndarray) -> list[int | None]:
    """For each box the track that it continues, or None."""
    owners: list[int | None] = [None] * len(boxes)
    if predicted and len(boxes):
        similarity = generalized_iou(np.stack(predicted), boxes)
        # What is no match at all must not pull the sum, or it would break up good pairs.
        likeness = np.maximum(similarity, _LEAST_SIMILARITY)
        for person, box in zip(*linear_sum_assignment(likeness, maximize=True), strict=True):
            if similarity[person, box] > _LEAST_SIMILARITY:
                owners[box] = int(person)
    return owners


def generalized_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """[N,M] of boxes [N,4] and [M,4]: IoU less the share of their common hull that neither covers; in (-1, 1]."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    union = np.prod(a[:, 2:] - a[:, :2], axis=1)[:, None] + np.prod(b[:, 2:] - b[:, :2], axis=1)[None] - shared
    hull_low, hull_high = np.minimum(a[:, None, :2], b[None, :, :2]), np.maximum(a[:, None, 2:], b[None, :, 2:])
    hull = np.prod(hull_high - hull_low, axis=2)
    return shared / np.maximum(union, 1e-9) - (hull - union) / np.maximum(hull, 1e-9)
