import numpy as np
import pytest

from stages.recognitions.people import Track, number, overlap


def walker(times, start, speed=0.0, size=0.1, missing=()):
    """A box that moves to the right, in frame widths a second."""
    times = np.array(times, float)
    left = start + speed * times
    boxes = np.stack([left, np.full_like(times, 0.4), left + size, np.full_like(times, 0.6)], 1)
    boxes[list(missing)] = np.nan
    return Track(times, boxes)


def test_tracks_of_one_box_overlap_wholly_and_strangers_not_at_all():
    one = walker([0, 1, 2], 0.1)
    assert overlap(one, walker([1.5, 2.5], 0.1)) == pytest.approx(1)
    assert overlap(one, walker([1.5, 2.5], 0.5)) == 0


def test_people_keep_their_numbers_in_whatever_order_windows_list_them():
    def window(first):
        times = np.arange(first, first + 2, 0.25)
        return [walker(times, 0.1, 0.02), walker(times, 0.8, -0.02)]

    windows = [window(first) if first % 2 else window(first)[::-1] for first in range(5)]
    assert number(windows) == [[1, 2], [2, 1], [1, 2], [2, 1], [1, 2]]


def test_times_that_windows_do_not_share_are_interpolated():
    assert number([[walker([0, 0.5, 1.0], 0.1, 0.1)], [walker([0.6, 0.9, 1.4], 0.1, 0.1)]]) == [[1], [1]]


def test_who_comes_back_soon_is_known_and_who_comes_later_is_new():
    first, soon, late = walker([0, 1], 0.1), walker([3, 4], 0.1), walker([30, 31], 0.1)
    assert number([[first], [], [soon], [late]]) == [[1], [], [1], [2]]


def test_frames_without_a_person_do_not_count():
    seen = walker([0, 1, 2], 0.1, missing=[1, 2])
    assert number([[seen], [walker([1, 2, 3], 0.1, missing=[0])]]) == [[1], [1]]


def test_nobody_is_two_people_at_once():
    both = [walker([0, 1], 0.1), walker([0, 1], 0.11)]
    assert number([both, both]) == [[1, 2], [1, 2]]
