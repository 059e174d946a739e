"""The people in any picture of a video, from the skeletons that were estimated in some pictures of its windows.

A picture's people are those of the window whose middle is nearest. Between two sampled pictures that follow each other
closely, joints move in a straight line. Elsewhere a skeleton is held for a moment around the picture that it was
estimated in, and then nobody is drawn. Numbers go from window to window as in the tables.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from stages.cache.people import boxes_around
from stages.recognitions.people import Track, number
from stages.showing.people import Box, People, Person

HELD = 0.25
"""Seconds before and after a sampled picture for which its skeletons are shown, if they do not move on to the next."""
MARGIN = 0.1
"""Of a box around joints, on each side, relative to its longer side."""


class Sampled(NamedTuple):
    """The skeletons of a window."""

    times: np.ndarray
    """T seconds, ascending."""
    keypoints: np.ndarray
    """float16 M,T,R,3: x, y relative to the picture, and a score; 0: missing."""

    def at(self, time: float) -> np.ndarray:
        """M,R,3: the keypoints at a time, interpolated or held."""
        after = bisect_right(self.times, time)
        before, after = max(after - 1, 0), min(after, len(self.times) - 1)
        gap = self.times[after] - self.times[before]
        a_MR3, b_MR3 = (self.keypoints[:, i].astype(np.float64) for i in (before, after))
        nearest = before if time - self.times[before] <= self.times[after] - time else after
        held_MR3 = (a_MR3 if nearest == before else b_MR3) * (abs(self.times[nearest] - time) <= HELD)
        if not 0 < gap <= 2 * HELD:
            return held_MR3
        share = (time - self.times[before]) / gap
        both_MR1 = (a_MR3[..., 2:] > 0) & (b_MR3[..., 2:] > 0)
        return np.where(both_MR1, (1 - share) * a_MR3 + share * b_MR3, held_MR3)


class SampledPeople:
    """Everybody in a video, at any time."""

    def __init__(self, windows: Sequence[Sampled], layout: str) -> None:
        """windows: of the video, in any order. layout: of all their keypoints."""
        self._layout = layout
        self._windows = sorted(windows, key=_middle)
        self._cuts = [(_middle(a) + _middle(b)) / 2 for a, b in pairwise(self._windows)]
        """When each window but the first takes over."""
        self._numbers = self._linked()

    def at(self, time: float) -> People:
        """The people at a time, in seconds."""
        if not self._windows:
            return People(layout=self._layout)
        place = bisect_right(self._cuts, time)
        found = zip(self._numbers[place], self._windows[place].at(time), strict=True)
        persons = [Person(number, joints, _box(joints)) for number, joints in found if joints[:, 2].any()]
        return People(tuple(persons), self._layout)

    def _linked(self) -> list[list[int]]:
        """The number of each person of each window, as in the tables."""
        return number(
            [[Track(window.times, boxes) for boxes in boxes_around(window.keypoints)] for window in self._windows]
        )


def _middle(window: Sampled) -> float:
    return float(window.times[0] + window.times[-1]) / 2


def _box(joints_R3: np.ndarray) -> Box:
    """The box around joints, with a margin."""
    there = joints_R3[joints_R3[:, 2] > 0, :2]
    low, high = there.min(0), there.max(0)
    margin = MARGIN * (high - low).max()
    return float(low[0] - margin), float(low[1] - margin), float(high[0] + margin), float(high[1] + margin)
