from itertools import pairwise

import numpy as np
import pytest

from stages.recognitions.segments import Merging, Segment, Window, merge


def windows(labels, seconds=2.0, stride=1.0, sure=0.9, classes=3):
    """Windows whose likeliest class is the one given."""
    rows = []
    for i, label in enumerate(labels):
        probabilities = np.full(classes, (1 - sure) / (classes - 1))
        probabilities[label] = sure
        rows.append(Window(i * stride, i * stride + seconds, probabilities.tolist()))
    return rows


def spans(segments):
    return [(segment.start, segment.end, segment.label) for segment in segments]


def test_nothing_shown_has_no_segments():
    assert merge([]) == []


def test_a_single_window_is_a_segment_whatever_its_length():
    assert spans(merge(windows([1]), Merging(min_seconds=60))) == [(0, 2, 1)]


def test_overlapping_windows_of_one_class_are_one_segment():
    (segment,) = merge(windows([2, 2, 2]))
    assert segment == Segment(0, 4, 2, pytest.approx(0.9))


def test_a_change_lies_between_the_middles_of_the_windows_that_differ():
    first, second = spans(merge(windows([0, 0, 0, 1, 1, 1])))
    assert first[0] == 0 and second[1] == 7 and (first[2], second[2]) == (0, 1)
    assert first[1] == second[0] and 3 <= first[1] <= 4


def test_windows_in_any_order_give_the_same():
    rows = windows([0, 0, 1, 1, 2])
    assert merge(rows[::-1]) == merge(rows)


def test_the_unlikely_has_no_label_but_says_how_unlikely():
    rows = [*windows([0, 0]), Window(4, 6, [0.3, 0.4, 0.3])]
    found = merge(rows, Merging(min_score=0.5))
    assert spans(found) == [(0, 3, 0), (4, 6, None)]
    assert found[1].score == pytest.approx(0.4) and found[1].nearest == 1 and found[0].nearest is None


def test_time_that_no_window_shows_is_in_no_segment():
    rows = [Window(0, 2, [1, 0]), Window(5, 7, [1, 0])]
    assert spans(merge(rows)) == [(0, 2, 0), (5, 7, 0)]


def test_short_segments_become_a_part_of_the_likelier_neighbor():
    rows = windows([0, 0, 0, 2, 1, 1, 1], stride=2.0)
    rows[3] = rows[3]._replace(probabilities=[0.1, 0.3, 0.6])
    assert spans(merge(rows, Merging(min_seconds=3))) == [(0, 6, 0), (6, 14, 1)]
    assert len(merge(rows)) == 3


def test_short_segments_do_not_spread_over_gaps():
    rows = [Window(0, 1, [1, 0]), Window(9, 19, [0, 1])]
    assert spans(merge(rows, Merging(min_seconds=5))) == [(0, 1, 0), (9, 19, 1)]


def test_smoothing_removes_flicker():
    rows = windows([0, 0, 0, 1, 0, 0, 0], stride=2.0, sure=0.6)
    assert len(merge(rows)) == 3
    assert spans(merge(rows, Merging(smoothing=2.0))) == [(0, 14, 0)]


def test_segments_cover_what_windows_cover():
    rng = np.random.default_rng(0)
    for _ in range(50):
        rows = [Window(s, s + rng.uniform(0.5, 3), rng.dirichlet(np.ones(4)).tolist()) for s in rng.uniform(0, 20, 15)]
        merging = Merging(rng.uniform(0, 0.6), rng.uniform(0, 2), rng.uniform(0, 1))
        found = merge(rows, merging)
        cuts = np.unique([edge for row in rows for edge in row[:2]])
        middles = (cuts[:-1] + cuts[1:]) / 2
        shown = [any(row.start < middle < row.end for row in rows) for middle in middles]
        assert shown == [any(one.start < middle < one.end for one in found) for middle in middles]
        assert all(a.end <= b.start for a, b in pairwise(found))
        assert all(a.label != b.label for a, b in pairwise(found) if a.end == b.start)
