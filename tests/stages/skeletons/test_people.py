"""People of single frames become skeletons that stay with their person."""

import numpy as np
from walkers import walker

from stages.skeletons.people import Sighting, main_people


def seen(*people: np.ndarray, identities: tuple[int | None, ...] = (None, None, None), reverse_odd: bool = True):
    """Sightings of people T,R,3, in another order in every other frame."""
    found = []
    for frame in range(len(people[0])):
        here = [Sighting(frame, one[frame], who) for one, who in zip(people, identities, strict=False)]
        found += here[::-1] if reverse_odd and frame % 2 else here
    return [sighting for sighting in found if sighting.keypoints[:, 2].any()]


def test_people_are_joined_whatever_their_order_in_a_frame() -> None:
    a, b = walker(20, start=100), walker(20, start=300, size=60)
    found = main_people(seen(a, b), 20)
    np.testing.assert_array_equal(found, [a, b])


def test_people_who_cross_keep_their_skeletons() -> None:
    a, b = walker(40, start=100, step=5), walker(40, start=300, step=-5, size=60)
    b[..., 1] += 20
    found = main_people(seen(a, b), 40)
    np.testing.assert_array_equal(found, [a, b])


def test_a_gap_is_zeros_and_ends_where_it_began() -> None:
    a, b = walker(20), walker(20, start=400, size=60)
    a[5:12] = 0
    found = main_people(seen(a, b), 20)
    np.testing.assert_array_equal(found, [b, a])


def test_somebody_far_away_is_somebody_else() -> None:
    a, b = walker(10), walker(10, start=600)
    a[5:], b[:5] = 0, 0
    assert len(main_people(seen(a, b), 10)) == 2


def test_who_is_seen_longest_and_largest_comes_first() -> None:
    long, large, short = walker(20, start=600), walker(20, start=100, size=160), walker(20, start=900)
    short[5:] = 0
    found = main_people(seen(short, long, large), 20)
    np.testing.assert_array_equal(found, [large, long, short])


def test_identities_are_believed_where_they_tell_people_apart() -> None:
    a, b = walker(10), walker(10, start=300)
    a[5:], b[5:] = b[5:].copy(), a[5:].copy()  # they change places at once, which only identities can tell
    found = main_people(seen(a, b, identities=(7, 3)), 10)
    np.testing.assert_array_equal(found, [a, b])


def test_identities_that_are_all_the_same_or_twice_in_a_frame_are_not() -> None:
    a, b, c = walker(10), walker(10, start=300, size=60), walker(10, start=700, size=50)
    for identities in ((0, 0), (1, None), (None, None)):
        np.testing.assert_array_equal(main_people(seen(a, b, identities=identities), 10), [a, b])
    np.testing.assert_array_equal(main_people(seen(a, b, c, identities=(4, 4, 5)), 10), [a, b, c])


def test_people_without_a_joint_in_common_are_as_far_apart_as_their_middles() -> None:
    a = walker(2)
    a[0, :8], a[1, 8:] = 0, 0
    assert len(main_people(seen(a), 2)) == 1


def test_a_crowd_that_is_new_in_each_frame_stays_small() -> None:
    rng = np.random.default_rng(0)
    crowd = [
        Sighting(frame, np.concatenate([rng.uniform(0, 5, (17, 2)) + rng.uniform(0, 9e5, 2), np.ones((17, 1))], 1))
        for frame in range(8)
        for _ in range(300)
    ]
    found = main_people(crowd, 8)
    assert len(found) <= 8 * 100
    assert main_people(crowd, 400_000).nbytes <= 2**30


def test_nobody_is_one_empty_skeleton() -> None:
    assert not main_people([], 5).any()


def test_a_single_identity_is_believed_unless_it_is_0() -> None:
    fast = walker(10, step=90)
    np.testing.assert_array_equal(main_people(seen(fast, identities=(1,)), 10), [fast])
    assert len(main_people(seen(fast, identities=(0,)), 10)) == 10
