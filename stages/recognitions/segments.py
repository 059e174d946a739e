"""Segments: windows of a video, which overlap, merged into spans of time that have one label."""

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
    """A span in seconds, the number of its class (None: no class is likely enough), and the mean probability of this
    class, or of the likeliest one."""

    start: float
    end: float
    label: int | None
    score: float


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
    starts, ends = (np.array([window[i] for window in windows], np.float64) for i in (0, 1))
    probabilities_WC = np.array([window.probabilities for window in windows], np.float64)
    cuts = np.unique(np.concatenate([starts, ends]))
    edges = np.stack([cuts[:-1], cuts[1:]], 1)
    found = [_mean(edge, starts, ends, probabilities_WC) for edge in edges]
    shown = np.array([mean is not None for mean in found])
    pieces_PC = np.array([np.zeros(probabilities_WC.shape[1]) if mean is None else mean for mean in found])
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


def _mean(edge: np.ndarray, starts: np.ndarray, ends: np.ndarray, probabilities_WC: np.ndarray) -> np.ndarray | None:
    """The probabilities of the piece between two cuts; None if no window shows it."""
    middle = edge.mean()
    over = (starts < middle) & (ends > middle)
    if not over.any():
        return None
    half = (ends[over] - starts[over]) / 2
    nearness = 1 - np.abs(middle - (starts[over] + ends[over]) / 2) / half
    mean: np.ndarray = np.average(probabilities_WC[over], axis=0, weights=nearness)
    return mean


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
    while True:
        lengths = [float(seconds[run.first : run.last].sum()) for run in runs]
        short = [
            (length, i)
            for i, (run, length) in enumerate(zip(runs, lengths, strict=True))
            if length < least - 1e-6 and run.label != NOT_SHOWN and _neighbors(runs, i)
        ]
        if not short:
            return runs
        _, i = min(short)
        run = runs[i]
        pieces = slice(run.first, run.last)

        def likelihood(label: int, pieces: slice = pieces) -> float:
            if label == UNLIKELY:
                return float(1 - np.average(pieces_PC[pieces].max(1), weights=seconds[pieces]))
            return float(np.average(pieces_PC[pieces, label], weights=seconds[pieces]))

        label = max(_neighbors(runs, i), key=likelihood)
        spread = [run._replace(label=label) if j == i else run for j, run in enumerate(runs)]
        runs = _joined(spread)


def _neighbors(runs: list[_Run], i: int) -> list[int]:
    """The labels of the runs before and after, where they are shown."""
    around = runs[max(i - 1, 0) : i] + runs[i + 1 : i + 2]
    return [run.label for run in around if run.label != NOT_SHOWN]


def _joined(runs: list[_Run]) -> list[_Run]:
    joined: list[_Run] = []
    for run in runs:
        if joined and joined[-1].label == run.label:
            joined[-1] = joined[-1]._replace(last=run.last)
        else:
            joined.append(run)
    return joined


def _segment(run: _Run, edges: np.ndarray, pieces_PC: np.ndarray, seconds: np.ndarray) -> Segment:
    pieces = slice(run.first, run.last)
    mean_C = np.average(pieces_PC[pieces], axis=0, weights=seconds[pieces])
    label = None if run.label == UNLIKELY else run.label
    score = float(mean_C.max() if label is None else mean_C[label])
    return Segment(float(edges[run.first, 0]), float(edges[run.last - 1, 1]), label, score)
