"""Who is in a picture between those in which skeletons were estimated."""

import numpy as np
import pytest

from stages.recognitions.sampled_people import Sampled, SampledPeople
from stages.showing.people import People


def window(times: list[float], *people: list[tuple[float, float] | None]) -> Sampled:
    """Two joints, 0.2 apart, at these places of each person at each time; None: not there."""
    keypoints = np.zeros((len(people), len(times), 2, 3))
    for m, places in enumerate(people):
        for t, place in enumerate(places):
            if place is not None:
                keypoints[m, t] = [(*place, 0.8), (place[0] + 0.2, place[1] + 0.2, 0.6)]
    return Sampled(np.array(times), keypoints)


def seen(people: People) -> dict[int, tuple[float, float]]:
    return {person.number: tuple(person.keypoints[0, :2].round(6).tolist()) for person in people.persons}


def test_close_samples_are_interpolated() -> None:
    people = SampledPeople([window([1.0, 1.4], [(0.1, 0.2), (0.5, 0.2)])], "two")
    assert seen(people.at(1.0)) == {1: (0.1, 0.2)}
    assert seen(people.at(1.1)) == {1: (0.2, 0.2)}
    assert seen(people.at(1.4)) == {1: (0.5, 0.2)}
    (person,) = people.at(1.2).persons
    assert person.keypoints[:, 2].tolist() == pytest.approx([0.8, 0.6])
    assert person.box == pytest.approx((0.28, 0.18, 0.52, 0.42))
    assert people.at(1.2).layout == "two"


def test_distant_samples_are_held_for_a_moment() -> None:
    people = SampledPeople([window([1.0, 3.0], [(0.1, 0.2), (0.5, 0.2)])], "two")
    times = (0.7, 0.8, 1.2, 1.3, 2.7, 2.8, 3.2, 3.3)
    found = [seen(people.at(time)) for time in times]
    first, second = {1: (0.1, 0.2)}, {1: (0.5, 0.2)}
    assert found == [{}, first, first, {}, {}, second, second, {}]


def test_a_joint_that_is_missing_in_one_of_two_samples_does_not_move() -> None:
    people = SampledPeople([window([1.0, 1.4], [(0.1, 0.2), None])], "two")
    assert [seen(people.at(time)) for time in (1.1, 1.3)] == [{1: (0.1, 0.2)}, {}]


def test_a_short_clip_that_repeats_a_picture() -> None:
    people = SampledPeople([window([0.0, 0.0, 0.0], [(0.1, 0.2)] * 3)], "two")
    assert [seen(people.at(time)) for time in (0.0, 0.2, 0.3)] == [{1: (0.1, 0.2)}, {1: (0.1, 0.2)}, {}]


def test_people_keep_their_numbers_in_the_next_window() -> None:
    left, right, new = [(0.1, 0.1)] * 3, [(0.6, 0.6)] * 3, [(0.1, 0.7)] * 3
    windows = [window([0.0, 0.4, 0.8], left, right), window([0.4, 0.8, 1.2], right, new, left)]
    people = SampledPeople(windows[::-1], "two")
    assert seen(people.at(0.1)) == {1: (0.1, 0.1), 2: (0.6, 0.6)}
    assert seen(people.at(1.1)) == {1: (0.1, 0.1), 2: (0.6, 0.6), 3: (0.1, 0.7)}


def test_somebody_who_is_not_seen_where_a_window_takes_over_keeps_the_number_of_the_tables() -> None:
    times = [0.0, 1.0, 2.0]
    windows = [window(times, [(0.1, 0.1), None, None]), window([1.5, 2.0, 2.5], [None, (0.1, 0.1), (0.1, 0.1)])]
    assert seen(SampledPeople(windows, "two").at(2.5)) == {1: (0.1, 0.1)}


def test_a_picture_belongs_to_the_window_whose_middle_is_nearest() -> None:
    windows = [window([0.0, 0.5, 1.0], [(0.1, 0.1)] * 3), window([0.5, 1.0, 1.5], [(0.15, 0.1)] * 3)]
    people = SampledPeople(windows, "two")
    assert [seen(people.at(time))[1][0] for time in (0.5, 0.7, 0.8, 1.0)] == [0.1, 0.1, 0.15, 0.15]


def test_nobody() -> None:
    assert SampledPeople([], "").at(1).persons == ()
    windows = [window([0.0, 0.4], [None, None]), window([0.4, 0.8], [(0.1, 0.1)] * 2)]
    people = SampledPeople(windows, "two")
    assert (seen(people.at(0.1)), seen(people.at(0.7))) == ({}, {2: (0.1, 0.1)})
