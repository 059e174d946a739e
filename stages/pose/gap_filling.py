"""Frames in which a tracked person was not detected: where to look for the person, and which skeletons to keep."""

import numpy as np

from stages.pose.tracking import Track

_HELD = 4
"""The first and the last box are held for up to one quarter (1/4) of the clip before and after the detections."""

_MIN_SCORE = 0.4
"""Mean joint score below which a skeleton in a gap is dropped. On real video with SimplePose, 99 of 100 crops that show
a person score above 0.5, and 95 of 100 that show the ground score below 0.36."""

_SAME_PERSON = 0.1
"""Median joint distance, relative to the skeleton's size, below which two skeletons are the same person's."""


def filled_boxes(track: Track) -> np.ndarray:
    """float T,4: the detected boxes, interpolated between detections and held around them; NaN where the gap is too
    long."""
    length = len(track.boxes)
    detected = np.flatnonzero(track.detections >= 0)
    frames = np.arange(max(0, detected[0] - length // _HELD), min(length, detected[-1] + 1 + length // _HELD))
    boxes = np.full((length, 4), np.nan)
    for column in range(4):
        boxes[frames, column] = np.interp(frames, detected, track.boxes[detected, column])
    return boxes


def drop_unlikely(keypoints: np.ndarray, filled: np.ndarray) -> None:
    """Set skeletons to zero in keypoints M,T,R,3: those in gaps (bool M,T) that show nobody, and duplicates.

    Of two skeletons in the same place, the one in a gap is dropped, or else that of the less prominent person.
    """
    keypoints[filled & (keypoints[..., 2].mean(2) < _MIN_SCORE)] = 0
    persons, length = filled.shape
    for t in range(length):
        for m in range(persons):
            for other in range(m + 1, persons):
                if _same_person(keypoints[m, t], keypoints[other, t]):
                    dropped = m if filled[m, t] and not filled[other, t] else other
                    keypoints[dropped, t] = 0


def _same_person(a: np.ndarray, b: np.ndarray) -> bool:
    if not (a[:, 2].any() and b[:, 2].any()):
        return False
    size = np.sqrt(np.prod(np.ptp(a[:, :2], axis=0)))
    return bool(np.median(np.linalg.norm(a[:, :2] - b[:, :2], axis=1)) < _SAME_PERSON * size)
