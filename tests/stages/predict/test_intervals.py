"""Intervals: against values worked out by hand, and against how often they contain the truth."""

import numpy as np
import pytest

from stages.predict.intervals import accuracy_interval, count_groups, wilson_interval


def test_wilson_interval():
    """Against the values of Agresti & Coull's formula worked out by hand."""
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson_interval(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


def test_clips_that_are_alone_give_wilsons_interval() -> None:
    hits = [1.0] * 8 + [0.0] * 2
    assert accuracy_interval(hits, [None] * 10) == wilson_interval(8, 10)
    assert accuracy_interval(hits, [f"group {i}" for i in range(10)]) == wilson_interval(8, 10)
    assert count_groups([None] * 10) is count_groups(list("abc")) is None
    assert count_groups([None, None, "a", "a", "b"]) == 4


def test_few_groups_are_worth_few_clips() -> None:
    """100 clips of 4 recordings, of which three are recognized and one is not, tell as much as about one clip."""
    groups = [f"group {i // 25}" for i in range(100)]
    low, high = accuracy_interval([float(i < 75) for i in range(100)], groups)
    assert low < 0.2 and high > 0.95
    low, high = accuracy_interval([1.0] * 100, groups)
    assert low < 0.5 and high == 1, "that all are right says nothing of the variance"
    low, high = accuracy_interval([float(i % 4 > 0) for i in range(100)], ["one"] * 100)
    assert low < 0.2 and high > 0.95


def test_intervals_contain_the_truth_as_often_as_they_say() -> None:
    """Recordings of 2 to 19 clips, of which some are easy and some hard; 0.8 of all clips are recognized."""
    rng = np.random.default_rng(0)
    over_groups = over_clips = 0
    for _ in range(400):
        sizes = rng.integers(2, 20, 12)
        groups = np.repeat(np.arange(12), sizes)
        hits = (rng.random(len(groups)) < rng.beta(2.4, 0.6, 12)[groups]).astype(float)
        low, high = accuracy_interval(hits.tolist(), groups.tolist())
        over_groups += low <= 0.8 <= high
        low, high = wilson_interval(hits.sum(), len(hits))
        over_clips += low <= 0.8 <= high
    assert over_groups >= 0.92 * 400
    assert over_clips < 0.8 * 400, "clips of a recording are not independent"
