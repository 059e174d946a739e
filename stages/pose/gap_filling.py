"""Where a person was not detected but may still be: boxes to look in, and which skeletons found there to believe."""

import numpy as np

from stages.pose.tracking import Track

_HELD = 4
"""A person's first and last box are held for a quarter of the clip before the first and after the last sighting."""

_LEAST_SCORE = 0.4
"""Mean joint score of a skeleton that is believed. On real video with SimplePose, 99 of 100 crops that show a person
score above 0.5, and 95 of 100 that show the ground, below 0.36."""

_SAME_PLACE = 0.1
"""Median distance of joints, over the skeleton's size, within which two skeletons are one person's."""


def guessed_boxes(track: Track) -> np.ndarray:
    """T,4: boxes of the sightings, interpolated between them and held around them; NaN where the person is given up."""
    length = len(track.boxes)
    seen = np.flatnonzero(track.detections >= 0)
    frames = np.arange(max(0, seen[0] - length // _HELD), min(length, seen[-1] + 1 + length // _HELD))
    boxes = np.full((length, 4), np.nan)
    for column in range(4):
        boxes[frames, column] = np.interp(frames, seen, track.boxes[seen, column])
    return boxes


def drop_unlikely(keypoints: np.ndarray, guessed: np.ndarray) -> None:
    """Zero, in M,T,R,3, the guessed skeletons (bool M,T) that are nobody, and those that are another person's.

    Of two skeletons in the same place a guessed one goes, else that of the later, less sure person.
    """
    nobody = guessed & (keypoints[..., 2].mean(2) < _LEAST_SCORE)
    keypoints[nobody] = 0
    persons, length = guessed.shape
    for t in range(length):
        for m in range(persons):
            for other in range(m + 1, persons):
                if _same_place(keypoints[m, t], keypoints[other, t]):
                    loser = m if guessed[m, t] and not guessed[other, t] else other
                    keypoints[loser, t] = 0


def _same_place(a: np.ndarray, b: np.ndarray) -> bool:
    if not (a[:, 2].any() and b[:, 2].any()):
        return False
    size = np.sqrt(np.prod(np.ptp(a[:, :2], axis=0)))
    return bool(np.median(np.linalg.norm(a[:, :2] - b[:, :2], axis=1)) < _SAME_PLACE * size)
