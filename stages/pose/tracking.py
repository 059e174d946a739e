"""Joins the person boxes of a clip's frames into one track per person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stages.pose.appearance import color_distances
from stages.pose.boxes import generalized_iou, iou

_MIN_SIMILARITY = -0.4
"""Boxes that are less similar are two people. Boxes of the same size and colors reach it 1.3 widths apart."""

_OTHER_COLORS = 30.0
"""The color distance that counts as much as the difference between boxes that only touch and boxes that coincide."""

_PART_OF_SOMEBODY = 0.3
"""IoU with the box of a tracked person above which an unassigned box is taken for a part of that person, such as an
arm."""


_DOUBTFUL = 0.4
"""Boxes with less than the least score, but more than this share of it, continue tracks and begin none: people who bend
down or are half hidden look less like people (ByteTrack, Zhang et al. 2022)."""


class Found(NamedTuple):
    """What a detector found in one frame."""

    boxes: np.ndarray
    """float N,5: x1, y1, x2, y2 and a score."""
    appearances: np.ndarray
    """float N,9: the colors in the boxes (see ``appearance.appearances``)."""


@dataclass
class Track:
    """One person in T frames."""

    boxes: np.ndarray
    """float T,4: x1, y1, x2, y2; NaN where the person was not detected."""
    scores: np.ndarray
    """float T: the detector's score; 0 where the person was not detected."""
    detections: np.ndarray
    """int T: index into the frame's list of detections; -1 where the person was not detected."""
    appearances: np.ndarray
    """float T,9; NaN where the person was not detected."""
    prominence: float
    """How likely this person takes part in the action: the sum over the frames of scores times the square roots of box
    areas. Passers-by are visible as long as the others, but smaller or cut off."""


def least_score(min_score: float) -> float:
    """The score below which a box is of no use for tracking, given that of confident ones."""
    return _DOUBTFUL * min_score


def track(found: Mapping[int, Found], length: int, min_score: float) -> list[Track]:
    """The people in a clip of T = ``length`` frames, the most prominent first.

    found: what a detector found in the frames that it was given, some or all. min_score: boxes with a lower score
    continue a track that no other box does, and begin none.

    In every frame, the boxes of the people tracked so far, moved by their velocities, are matched with the detected
    boxes so that the sum of similarities (in position and colors) is largest. A box that matches nobody starts a new
    track, unless it is a part of somebody. Gaps may have any length. The order of the boxes within a frame has no
    influence.
    """
    tracks: list[_OpenTrack] = []
    before = 0
    for frame in sorted(found):
        boxes, appearances = found[frame]
        order = np.lexsort(boxes.T[::-1])
        owners = _assign(tracks, boxes[order], appearances[order], min_score, frame, before)
        assigned = np.array([owner is not None for owner in owners], dtype=bool)
        is_part = np.any(iou(boxes[order], boxes[order[assigned]]) > _PART_OF_SOMEBODY, axis=1).tolist()
        for index, owner, part in zip(order, owners, is_part, strict=True):
            if owner is None:
                if part or boxes[index, 4] < min_score:
                    continue
                owner = len(tracks)
                tracks.append(_OpenTrack())
            tracks[owner].add(frame, boxes[index], appearances[index], int(index))
        before = frame
    shares = _shares(sorted(found), length)
    closed = [person.closed(shares) for person in tracks]
    return sorted(closed, key=lambda one: (-one.prominence, *np.nan_to_num(one.boxes).sum(0)))


def same_people(chosen: Sequence[Track], tracks: Sequence[Track]) -> tuple[list[int], list[Track]]:
    """Which of the chosen ones are still somebody, and the tracks that have most detections in common with them."""
    found: dict[int, int] = {}
    for m, one in enumerate(chosen):
        shared = [int(((one.detections == b.detections) & (one.detections >= 0)).sum()) for b in tracks]
        found.setdefault(int(np.argmax(shared)), m)
    return list(found.values()), [tracks[n] for n in found]


def sample(one: Track) -> list[int]:
    """Two frames in which the person was detected, apart from each other and from the ends."""
    detected = np.flatnonzero(one.detections >= 0)
    return sorted({int(detected[len(detected) // 3]), int(detected[2 * len(detected) // 3])})


def _shares(frames: Sequence[int], length: int) -> np.ndarray:
    """float T: for how many frames each of these stands, since those between them are shared out; 0 for all others."""
    shares = np.zeros(length)
    if frames:
        middles = (np.array(frames[1:]) + frames[:-1]) / 2
        shares[list(frames)] = np.diff(np.concatenate([[-0.5], middles, [length - 0.5]]))
    return shares


class _OpenTrack:
    """A track to which further frames are added."""

    def __init__(self) -> None:
        self.detections: list[tuple[int, np.ndarray, np.ndarray, int]] = []
        """Frame, box, appearance and index of each detection."""
        self.velocity = np.zeros(2)
        self.appearance = np.zeros(9)
        """Mean over all detections: a box that shows two people who embrace changes it little."""

    def add(self, frame: int, box: np.ndarray, appearance: np.ndarray, index: int) -> None:
        if self.detections:
            last_frame, last_box, *_ = self.detections[-1]
            velocity = (_center(box) - _center(last_box)) / (frame - last_frame)
            self.velocity = velocity if len(self.detections) == 1 else (self.velocity + velocity) / 2
        self.detections.append((frame, box, appearance, index))
        self.appearance += (appearance - self.appearance) / len(self.detections)

    def predicted(self, frame: int, before: int) -> np.ndarray:
        """The box in a frame, given the one before it that was looked at. After a gap people are where they were last
        seen, one step further: those who hide each other have stopped."""
        _, box, *_ = self.detections[-1]
        return box[:4] + np.tile(self.velocity * (frame - before), 2)

    def closed(self, shares: np.ndarray) -> Track:
        """The track over a clip whose frames count this much (T)."""
        length = len(shares)
        boxes, scores, detections = np.full((length, 4), np.nan), np.zeros(length), np.full(length, -1)
        appearances = np.full((length, 9), np.nan)
        for frame, box, appearance, index in self.detections:
            boxes[frame], scores[frame], detections[frame], appearances[frame] = box[:4], box[4], index, appearance
        extents = np.sqrt(np.nan_to_num(boxes[:, 2:] - boxes[:, :2]).prod(1))
        return Track(boxes, scores, detections, appearances, float((shares * scores * extents).sum()))


def _center(box: np.ndarray) -> np.ndarray:
    return (box[:2] + box[2:4]) / 2


def _assign(
    tracks: list[_OpenTrack],
    boxes: np.ndarray,
    appearances: np.ndarray,
    min_score: float,
    frame: int,
    before: int,
) -> list[int | None]:
    """For each box the index of the track that it continues, or None: first for confident boxes, then for the others
    among the tracks that are left."""
    owners: list[int | None] = [None] * len(boxes)
    if not tracks or not len(boxes):
        return owners
    from scipy.optimize import linear_sum_assignment

    position = generalized_iou(np.stack([person.predicted(frame, before) for person in tracks]), boxes)
    colors = color_distances(np.stack([person.appearance for person in tracks]), appearances) / _OTHER_COLORS
    similarity = position - np.minimum(colors, 1)
    confident = boxes[:, 4] >= min_score
    for candidates in (np.flatnonzero(confident), np.flatnonzero(~confident)):
        left = np.array([person for person in range(len(tracks)) if person not in owners], dtype=int)
        # Pairs that cannot match must not influence the sum, or they would break up good pairs.
        floored = np.maximum(similarity[np.ix_(left, candidates)], _MIN_SIMILARITY)
        for person, box in zip(*linear_sum_assignment(floored, maximize=True), strict=True):
            if floored[person, box] > _MIN_SIMILARITY:
                owners[candidates[box]] = int(left[person])
    return owners
