"""Who is who: people who were tracked within windows, numbered through all windows of a video."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SAME = 0.2
"""Least overlap (intersection over union) of two tracks of one person, as a mean over the time that they share, or of
the last box of one with the first of the other."""
FORGOTTEN = 3.0
"""Seconds after which a person who comes back has a new number."""


class Track(NamedTuple):
    """Where a person is in a window."""

    times: np.ndarray
    """T seconds from the beginning of the file, ascending."""
    boxes: np.ndarray
    """T,4: x1, y1, x2, y2 relative to the frame; NaN: not seen."""

    def seen(self) -> "Track":
        """The part with boxes."""
        there = np.isfinite(self.boxes[:, 0])
        return Track(self.times[there], self.boxes[there])

    def at(self, times: np.ndarray) -> np.ndarray:
        """The boxes at other times, in between linearly, before and after as at the ends."""
        return np.stack([np.interp(times, self.times, edge) for edge in self.boxes.T], 1)


def number(windows: Sequence[Sequence[Track]]) -> list[list[int]]:
    """The number of each person of each window, from 1: the same in all windows of a video.

    windows: in order of time. Each window's people are matched with those before, so that the sum of the overlaps is
    largest.
    """
    from scipy.optimize import linear_sum_assignment

    numbers: list[list[int]] = []
    last: dict[int, Track] = {}
    count = 0
    for window in windows:
        tracks = [track.seen() for track in window]
        began = min((track.times[0] for track in tracks if len(track.times)), default=0.0)
        known = {name: track for name, track in last.items() if began - track.times[-1] <= FORGOTTEN}
        if any(len(track.times) for track in tracks):
            last = known  # windows are in order of time: who is forgotten now will be in the next one
        names = list(known)
        overlaps = np.array([[overlap(known[name], track) for name in names] for track in tracks])
        matched: dict[int, int] = {}
        if overlaps.size:
            for i, j in zip(*linear_sum_assignment(-overlaps), strict=True):
                if overlaps[i, j] >= SAME:
                    matched[i] = names[j]
        own = []
        for i, track in enumerate(tracks):
            if i not in matched:
                count += 1
                matched[i] = count
            own.append(matched[i])
            if len(track.times):
                last[matched[i]] = track
        numbers.append(own)
    return numbers


def overlap(earlier: Track, later: Track) -> float:
    """Mean intersection over union of two tracks in the time that they share, or at the ends that face each other."""
    if not len(earlier.times) or not len(later.times):
        return 0.0
    shared = later.times[(later.times >= earlier.times[0]) & (later.times <= earlier.times[-1])]
    times = shared if len(shared) else later.times[:1]
    a, b = earlier.at(times), later.at(times)
    sides = np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0)
    both = sides.prod(1)
    either = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - both
    return float(np.mean(both / np.maximum(either, 1e-9)))
