"""Probabilities that mean what they say: of all clips recognized with 0.8, about 80 % should be recognized rightly.

Networks are trained to be sure, and with label smoothing to be unsure, so their probabilities are off. Dividing all
logits by one number, the temperature, corrects most of it and changes no ranking (Guo et al. 2017).
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MIN_CLIPS = 20
"""With fewer validation clips nothing is chosen on them."""
SPREAD = 0.5
"""How far a temperature is from 1 before any clip has been seen: the standard deviation of its logarithm. It keeps a
few clips, all of which may be right, from making a network sure of everything. Among hundreds it hardly counts."""
SHARES = (0.8, 0.9, 0.95, 0.99)
"""The shares of right clips for which a least score is kept."""
BINS = 15

Scores = NDArray[np.floating[Any]]


class Bin(NamedTuple):
    """The clips whose score, the probability of the most probable class, is in one of ``BINS`` equal spans."""

    clips: int
    score: float
    """Sum of the clips' scores."""
    right: float
    """How many of them were recognized rightly."""

    def means(self) -> dict[str, Any]:
        """The clips with their mean ``score`` and their ``accuracy``, which are null in an empty bin."""
        means = {"score": self.score, "accuracy": self.right}
        return {"clips": self.clips} | {
            name: total / self.clips if self.clips else None for name, total in means.items()
        }

    @classmethod
    def pooled(cls, means: Sequence[dict[str, Any]]) -> "Bin":
        """The bin of the clips of several, each as its ``means``."""
        score, right = (sum((own[name] or 0) * own["clips"] for own in means) for name in ("score", "accuracy"))
        return cls(sum(own["clips"] for own in means), score, right)


def calibrate(logits_NK: Scores, target_N: NDArray[np.int64]) -> dict[str, Any]:
    """What N validation clips say, as values that JSON can hold; empty if they are fewer than ``MIN_CLIPS``.

    The ``temperature``, ``min_scores`` by share and the number of ``validation_clips`` have the names that they have in
    a recognizer's config. ``ece`` is the expected calibration error before and after.
    """
    if len(target_N) < MIN_CLIPS:
        return {}
    temperature = round(fitted_temperature(logits_NK, target_N), 4)
    right_N = logits_NK.argmax(1) == target_N
    before_N, after_N = (softmax(logits_NK / by).max(1) for by in (1.0, temperature))
    return {
        "temperature": temperature,
        "min_scores": {str(share): score for share, score in min_scores(after_N, right_N).items()},
        "validation_clips": len(target_N),
        "ece": [calibration_error(reliability(score_N, right_N)) for score_N in (before_N, after_N)],
    }


def fitted_temperature(logits_NK: Scores, target_N: NDArray[np.int64]) -> float:
    """The most likely temperature, given N clips and that its logarithm is normally distributed about 0."""
    from scipy.optimize import minimize_scalar

    logits_NK = logits_NK.astype(np.float64)

    def cost(log_temperature: float) -> float:
        scaled_NK = logits_NK / math.exp(log_temperature)
        chosen_N = np.take_along_axis(scaled_NK, target_N[:, None], 1)[:, 0]
        return float((_log_sum(scaled_NK) - chosen_N).sum() + 0.5 * (log_temperature / SPREAD) ** 2)

    return math.exp(minimize_scalar(cost, bounds=(-3, 3), method="bounded", options={"xatol": 1e-6}).x)


def min_scores(score_N: Scores, right_N: NDArray[np.bool_]) -> dict[float, float]:
    """The lowest score from which on at least a share of the clips is right, for those of ``SHARES`` that have one.

    There must be so many clips from there on that one of them might have been wrong: 10 for a share of 0.9.
    """
    order = np.argsort(-score_N, kind="stable")
    sorted_N, count_N = score_N[order], np.arange(1, len(order) + 1)
    share_N = right_N[order].cumsum() / count_N
    last_N = np.append(sorted_N[1:] < sorted_N[:-1], True)  # of clips with the same score
    found = {}
    for share in SHARES:
        possible = np.flatnonzero((share_N >= share) & last_N & (count_N >= round(1 / (1 - share))))
        if len(possible):
            found[share] = math.floor(sorted_N[possible[-1]] * 1e6) / 1e6
    return found


def reliability(score_N: Scores, right_N: NDArray[np.bool_]) -> list[Bin]:
    """The clips by their score, in ``BINS`` equal spans of 0 to 1."""
    place_N = np.clip(np.ceil(score_N * BINS).astype(int) - 1, 0, BINS - 1)
    sums = (np.bincount(place_N, weights, BINS) for weights in (None, score_N, right_N))
    return [Bin(int(clips), float(score), int(right)) for clips, score, right in zip(*sums, strict=True)]


def calibration_error(bins: list[Bin]) -> float:
    """The expected calibration error: how far a bin's mean score is from its share of right clips, on average over the
    clips (Naeini et al. 2015)."""
    return sum(abs(own.score - own.right) for own in bins) / sum(own.clips for own in bins)


def softmax(logits_NK: Scores) -> Scores:
    """Probabilities of the classes."""
    logits_NK = logits_NK.astype(np.float64)
    return np.exp(logits_NK - _log_sum(logits_NK)[:, None])


def _log_sum(logits_NK: Scores) -> Scores:
    highest_N1 = logits_NK.max(1, keepdims=True)
    found: Scores = np.log(np.exp(logits_NK - highest_N1).sum(1)) + highest_N1[:, 0]
    return found
