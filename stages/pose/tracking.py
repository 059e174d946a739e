"""Joins the person boxes of a clip's frames into one track per person."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from stages.pose.appearance import color_distances
from stages.pose.boxes import generalized_iou, iou

_MIN_SIMILARITY = -0.4
"""Boxes that are less similar are two people. Boxes of the same size and colors reach it 1.3 widths apart."""

_OTHER_COLORS = 30.0
"""The color distance that counts as much as the difference between boxes that only touch and boxes that coincide."""

_PART_OF_SOMEBODY = 0.3
"""IoU with the box of a tracked person above which an unassigned box is taken for a part of that person, such as an
arm."""


@dataclass
class Track:
    """One person in T frames."""

    boxes: np.ndarray
    """float T,4: x1, y1, x2, y2; NaN where the person was not detected."""
    scores: np.ndarray
    """float T: the detector's score; 0 where the person was not detected."""
    detections: np.ndarray
    """int T: index into the frame's list of detections; -1 where the person was not detected."""

    @property
    def prominence(self) -> float:
        """How likely this person takes part in the action: the sum of scores times the square roots of box areas.

        Passers-by are visible as long as the others, but smaller or cut off.
        """
        extent = np.nan_to_num(self.boxes[:, 2:] - self.boxes[:, :2])
        return float((self.scores * np.sqrt(extent.prod(1))).sum())


def track(detections: list[np.ndarray], appearances: list[np.ndarray]) -> list[Track]:
    """The people in a clip, the most prominent first.

    detections: for each of T frames the boxes found there, float N,5 (x1, y1, x2, y2, score).
    appearances: for each frame the colors in these boxes, float N,9 (see ``appearance.appearances``).

    In every frame, the boxes of the people tracked so far, moved by their velocities, are matched with the detected
    boxes so that the sum of similarities (in position and colors) is largest. A box that matches nobody starts a new
    track, unless it is a part of somebody. Gaps may have any length. The order of the boxes within a frame has no
    influence.
    """
    tracks: list[_OpenTrack] = []
    for frame, boxes in enumerate(detections):
        order = np.lexsort(boxes.T[::-1])
        owners = _assign(tracks, boxes[order], appearances[frame][order])
        assigned = np.array([owner is not None for owner in owners], dtype=bool)
        is_part = np.any(iou(boxes[order], boxes[order[assigned]]) > _PART_OF_SOMEBODY, axis=1).tolist()
        for index, owner, part in zip(order, owners, is_part, strict=True):
            if owner is None:
                if part:
                    continue
                owner = len(tracks)
                tracks.append(_OpenTrack())
            tracks[owner].add(frame, boxes[index], appearances[frame][index], int(index))
    closed = [person.closed(len(detections)) for person in tracks]
    return sorted(closed, key=lambda one: (-one.prominence, *np.nan_to_num(one.boxes).sum(0)))


class _OpenTrack:
    """A track to which further frames are added."""

    def __init__(self) -> None:
        self.detections: list[tuple[int, np.ndarray, int]] = []
        """Frame, box and index of each detection."""
        self.velocity = np.zeros(2)
        self.appearance = np.zeros(9)
        """Mean over all detections: a box that shows two people who embrace changes it little."""

    def add(self, frame: int, box: np.ndarray, appearance: np.ndarray, index: int) -> None:
        if self.detections:
            last_frame, last_box, _ = self.detections[-1]
            velocity = (_center(box) - _center(last_box)) / (frame - last_frame)
            self.velocity = velocity if len(self.detections) == 1 else (self.velocity + velocity) / 2
        self.detections.append((frame, box, index))
        self.appearance += (appearance - self.appearance) / len(self.detections)

    def predicted(self) -> np.ndarray:
        """The box one frame after the last detection; also after a gap, because people who hide each other have
        stopped."""
        _, box, _ = self.detections[-1]
        return box[:4] + np.tile(self.velocity, 2)

    def closed(self, length: int) -> Track:
        """The track over a clip of this many frames."""
        result = Track(np.full((length, 4), np.nan), np.zeros(length), np.full(length, -1))
        for frame, box, index in self.detections:
            result.boxes[frame], result.scores[frame], result.detections[frame] = box[:4], box[4], index
        return result


def _center(box: np.ndarray) -> np.ndarray:
    return (box[:2] + box[2:4]) / 2


def _assign(tracks: list[_OpenTrack], boxes: np.ndarray, appearances: np.ndarray) -> list[int | None]:
    """For each box the index of the track that it continues, or None."""
    owners: list[int | None] = [None] * len(boxes)
    if tracks and len(boxes):
        position = generalized_iou(np.stack([person.predicted() for person in tracks]), boxes)
        colors = color_distances(np.stack([person.appearance for person in tracks]), appearances) / _OTHER_COLORS
        similarity = position - np.minimum(colors, 1)
        # Pairs that cannot match must not influence the sum, or they would break up good pairs.
        floored = np.maximum(similarity, _MIN_SIMILARITY)
        for person, box in zip(*linear_sum_assignment(floored, maximize=True), strict=True):
            if similarity[person, box] > _MIN_SIMILARITY:
                owners[box] = int(person)
    return owners
