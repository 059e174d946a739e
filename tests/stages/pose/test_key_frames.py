"""Where people are looked for."""

import numpy as np
import pytest

from stages.pose.key_frames import doubtful_frames, key_frames
from stages.pose.tracking import Found, Track, track

T = 17
WIDTH = 40.0
RED, BLUE = np.tile([50.0, 60, 40], 3), np.tile([40.0, 20, -60], 3)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 16, 48])
def test_the_first_the_last_and_every_so_many(count: int) -> None:
    for every in (1, 3, 4, 100):
        chosen = key_frames(range(0, 5 * count, 5), every)
        assert chosen[0] == 0 and chosen[-1] == count - 1 and sorted(set(chosen)) == chosen
        assert max(np.diff(chosen), default=1) <= every
    assert key_frames(range(count), 1) == list(range(count))
    assert len(key_frames(range(48), 4)) == 13


def test_windows_that_overlap_look_at_the_same_frames() -> None:
    video = range(0, 400, 5)
    first, second = video[:32], video[7:39]
    chosen = [{window[i] for i in key_frames(window, 4)} for window in (first, second)]
    shared = set(first) & set(second)
    assert chosen[0] & shared - {first[-1]} == chosen[1] & shared - {second[0]}


def test_frames_of_a_clip_shorter_than_the_sample() -> None:
    numbers = [0, 0, 0, 1, 1, 1, 2, 2, 2]
    chosen = key_frames(numbers, 4)
    assert chosen[0] == 0 and chosen[-1] == 8


def boxes(x: float, score: float = 0.9) -> np.ndarray:
    return np.array([[x, 0, x + WIDTH, 100, score]])


def found_at(positions: dict[int, float | None], colors: dict[int, np.ndarray] | None = None) -> list[Track]:
    """Tracks of one person who is at these places, or not there, in the frames that were looked at."""
    nobody = Found(np.empty((0, 5)), np.empty((0, 9)))
    found = {
        t: nobody if x is None else Found(boxes(x), (colors or {}).get(t, RED)[None]) for t, x in positions.items()
    }
    return track(found, T, 0.5)


def test_between_frames_in_which_somebody_hardly_moves_nothing_is_looked_at() -> None:
    positions = {0: 0.0, 4: 10.0, 8: 0.0, 16: 5.0}
    assert doubtful_frames(found_at(positions), sorted(positions)) == set()


@pytest.mark.parametrize(
    ("positions", "looked_at"),
    [({0: 0.0, 8: 35.0, 16: 40.0}, {4}), ({0: 0.0, 8: None, 16: None}, {4}), ({0: None, 8: None, 16: 0.0}, {12})],
)
def test_where_somebody_moves_much_comes_or_goes_the_middle_is_looked_at(
    positions: dict[int, float | None], looked_at: set[int]
) -> None:
    assert doubtful_frames(found_at(positions), sorted(positions)) == looked_at


def test_as_long_as_nobody_is_found_more_frames_are_looked_at() -> None:
    assert doubtful_frames([], [0, 8, 16]) == {4, 12}
    assert doubtful_frames([], list(range(T))) == set()


def test_where_somebody_else_may_have_taken_the_place() -> None:
    (one,) = found_at({0: 0.0, 8: 0.0}, {0: RED, 8: RED + 15})
    one.appearances[8] = BLUE
    assert doubtful_frames([one], [0, 8]) == {4}


def test_neighbors_leave_nothing_to_look_at() -> None:
    assert doubtful_frames(found_at({0: 0.0, 1: 200.0}), [0, 1]) == set()
