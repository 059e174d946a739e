"""In which frames of a clip people are looked for; in those between them, tracks say where they are."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from stages.pose.appearance import color_distances
from stages.pose.boxes import iou
from stages.pose.tracking import Track

_STILL = 0.2
"""IoU of a person's boxes in two frames above which the boxes between them can be interpolated. In 20 videos of two
people who fight or hug, of 16 frames each, half of the frames were looked at, and one interpolated box in 250 had an
IoU below 0.5 with the detected one."""
_SAME_COLORS = 30.0
"""Color distance of a person in two frames below which nobody else took the place meanwhile."""


def key_frames(numbers: Sequence[int], every: int) -> list[int]:
    """Positions of the frames that are looked at first: every so many, the first and the last.

    numbers: those of the frames in the video. Windows that overlap share the frames that are looked at.
    """
    step = max(1, round(float(np.median(np.diff(numbers))))) if len(numbers) > 1 else 1
    places = np.array(numbers) // step
    chosen = places % every == 0
    chosen[[0, -1]] = True
    return np.flatnonzero(chosen).tolist()


def doubtful_frames(tracks: Sequence[Track], looked_at: Sequence[int]) -> set[int]:
    """Frames in the middle between two that were looked at where somebody moved much, came or went; all of them as long
    as nobody was found, since a detector may just have missed somebody.

    tracks: of the people who count.
    """
    pairs = [(a, b) for a, b in pairwise(looked_at) if b - a > 1]
    return {(a + b) // 2 for a, b in pairs if not tracks or any(_uncertain(person, a, b) for person in tracks)}


def _uncertain(person: Track, a: int, b: int) -> bool:
    detected = person.detections[[a, b]] >= 0
    if not detected.all():
        return bool(detected.any())
    overlap = iou(person.boxes[a, None], person.boxes[b, None]).item()
    colors = color_distances(person.appearances[a, None], person.appearances[b, None]).item()
    return overlap < _STILL or colors > _SAME_COLORS
