"""Segments: windows of a video, which overlap, merged into spans of time that have one label."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

NOT_SHOWN = -2
UNLIKELY = -1


class Window(NamedTuple):
    """A span that the network was shown, in seconds, and the probability of each class."""

    start: float
    end: float
    probabilities: Sequence[float]


class Segment(NamedTuple):
    """A span in seconds, the number of its class (None: no class is likely enough), the mean probability of this
    class, or of the likeliest one, and where no class is likely enough, the number of the likeliest one."""

    start: float
    end: float
    label: int | None
    score: float
    nearest: int | None = None


@dataclass(frozen=True)
class Merging:
    """How windows are merged.

    min_score: a span whose likeliest class has a lower probability has no label.
    min_seconds: shorter segments become a part of a neighbor, unless they touch none.
    smoothing: standard deviation, in seconds, of a Gaussian mean of the probabilities over time; 0: none.
    """

    min_score: float = 0.0
    min_seconds: float = 0.0
    smoothing: float = 0.0


def merge(windows: Sequence[Window], merging: Merging = Merging()) -> list[Segment]:
    """The segments of one video, or of one person in it, in order of time.

    Time is cut wherever a window starts or ends. The probabilities of a piece are the mean over the windows that show
    it, in which a window counts the more, the nearer the piece is to its middle. Neighboring pieces with the same
    label become one segment. Time that no window shows belongs to none.
    """
    if not windows:
        return []
    cuts = np.unique([edge for window in windows for edge in window[:2]])
    edges = np.stack([cuts[:-1], cuts[1:]], 1)
    pieces_PC, shown = _means(windows, cuts)
    if merging.smoothing:
        pieces_PC = _smoothed(pieces_PC, edges, shown, merging.smoothing)
    best = pieces_PC.argmax(1)
    labels = np.where(pieces_PC.max(1) >= merging.min_score, best, UNLIKELY)
    labels[~shown] = NOT_SHOWN
    seconds = edges[:, 1] - edges[:, 0]
    runs = _absorb_short(_runs(labels.tolist()), pieces_PC, seconds, merging.min_seconds)
    return [_segment(run, edges, pieces_PC, seconds) for run in runs if run.label != NOT_SHOWN]


class _Run(NamedTuple):
    """Pieces ``first`` up to and without ``last``, which have the same label."""

    first: int
    last: int
    label: int


def _means(windows: Sequence[Window], cuts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities P,C of the pieces between the cuts, and which of them any window shows."""
    middles = (cuts[:-1] + cuts[1:]) / 2
    sums_PC = np.zeros((len(middles), len(windows[0].probabilities)))
    weights_P = np.zeros(len(middles))
    for start, end, probabilities in windows:
        over = slice(*np.searchsorted(middles, (start, end)))
        nearness = 1 - np.abs(middles[over] - (start + end) / 2) / ((end - start) / 2)
        sums_PC[over] += nearness[:, None] * np.asarray(probabilities, np.float64)
        weights_P[over] += nearness
    shown = weights_P > 0
    return sums_PC / np.where(shown, weights_P, 1)[:, None], shown


def _smoothed(pieces_PC: np.ndarray, edges: np.ndarray, shown: np.ndarray, sigma: float) -> np.ndarray:
    """Each piece's Gaussian mean over the pieces at most three standard deviations away, by their seconds."""
    middles, seconds = edges.mean(1), (edges[:, 1] - edges[:, 0]) * shown
    smooth = pieces_PC.copy()
    for i in np.flatnonzero(shown):
        near = slice(*np.searchsorted(middles, (middles[i] - 3 * sigma, middles[i] + 3 * sigma)))
        weights = np.exp(-0.5 * ((middles[near] - middles[i]) / sigma) ** 2) * seconds[near]
        smooth[i] = np.average(pieces_PC[near], axis=0, weights=weights)
    return smooth


def _runs(labels: Sequence[int]) -> list[_Run]:
    cuts = [0, *(i for i in range(1, len(labels)) if labels[i] != labels[i - 1]), len(labels)]
    return [_Run(first, last, labels[first]) for first, last in pairwise(cuts)]


def _absorb_short(runs: list[_Run], pieces_PC: np.ndarray, seconds: np.ndarray, least: float) -> list[_Run]:
    """The runs without those that are shorter than ``least`` seconds, which get the label of the neighbor that is the
    likelier one in their pieces: the shortest first."""
    elapsed = np.concatenate([[0.0], seconds.cumsum()])
    by_start = {run.first: run for run in runs}  # of those that are left
    by_end = {run.last: run for run in runs}

    def ranked(run: _Run) -> tuple[float, _Run]:
        return round(float(elapsed[run.last] - elapsed[run.first]), 6), run  # equal lengths stay equal

    queue = [ranked(run) for run in runs]
    heapq.heapify(queue)
    while queue and queue[0][0] < least:
        _, run = heapq.heappop(queue)
        around = [by_end.get(run.first), by_start.get(run.last)]
        neighbors = [other for other in around if other and other.label != NOT_SHOWN]
        if by_start.get(run.first) != run or run.label == NOT_SHOWN or not neighbors:
            continue
        pieces = slice(run.first, run.last)
        mean_C = np.average(pieces_PC[pieces], axis=0, weights=seconds[pieces])
        likelihood = {UNLIKELY: 1 - np.average(pieces_PC[pieces].max(1), weights=seconds[pieces])}
        label = max(neighbors, key=lambda other: likelihood.get(other.label, mean_C[other.label])).label
        joined = [other for other in neighbors if other.label == label]
        for old in (run, *joined):
            del by_start[old.first], by_end[old.last]
        run = _Run(min(run.first, joined[0].first), max(run.last, joined[-1].last), label)
        by_start[run.first] = by_end[run.last] = run
        heapq.heappush(queue, ranked(run))
    return [by_start[first] for first in sorted(by_start)]


def _segment(run: _Run, edges: np.ndarray, pieces_PC: np.ndarray, seconds: np.ndarray) -> Segment:
    pieces = slice(run.first, run.last)
    mean_C = np.average(pieces_PC[pieces], axis=0, weights=seconds[pieces])
    start, end = float(edges[run.first, 0]), float(edges[run.last - 1, 1])
    if run.label != UNLIKELY:
        return Segment(start, end, run.label, float(mean_C[run.label]))
    nearest = int(mean_C.argmax())
    return Segment(start, end, None, float(mean_C[nearest]), nearest)
