"""Random motions: what the clips of a class have in common, and what differs."""

import numpy as np
import pytest

from stages.synthetic.programs import perform, random_action

T = np.linspace(0, 3, 40)


def rng(*names: int) -> np.random.Generator:
    return np.random.default_rng(names)


@pytest.mark.parametrize("two", [False, True])
def test_classes_and_clips_are_what_their_random_numbers_say(two: bool) -> None:
    action = random_action(rng(1), two)
    assert len(action.people) == 1 + two
    first, again = (perform(action, rng(1, 5), T) for _ in range(2))
    other = perform(action, rng(1, 6), T)
    assert len(first) == 1 + two
    for a, b, c in zip(first, again, other, strict=True):
        assert a.keys() == b.keys() == c.keys()
        assert all(np.array_equal(a[name], b[name]) for name in a)
        assert any(not np.array_equal(a[name], c[name]) for name in a)


def test_what_a_class_moves_moves_in_all_of_its_clips() -> None:
    for number in range(40):
        action = random_action(rng(2, number), two=False)
        (program,) = action.people
        assert program is not None
        assert all(len(values) == len(next(iter(program.channels.values()))) for values in program.channels.values())
        for clip in range(3):
            (pose,) = perform(action, rng(2, number, clip), T)
            assert all(np.isfinite(angles).all() and angles.shape == T.shape for angles in pose.values())
            swings = {name: np.ptp(pose[name]) for name in program.channels}
            assert max(swings.values()) > 0.1


def test_alternating_limbs_are_half_a_cycle_apart() -> None:
    programs = [random_action(rng(3, number), two=False).people[0] for number in range(200)]
    delayed = [program for program in programs if program and program.delayed]
    assert delayed and all(program.repeats for program in delayed)
    for program in delayed:
        for name in program.delayed:
            left = name.replace("right_", "left_")
            assert np.array_equal(program.channels[name], program.channels[left])


def test_people_who_only_stand_there() -> None:
    actions = [random_action(rng(4, number), two=True) for number in range(50)]
    second = [action.people[1] for action in actions]
    assert 0 < second.count(None) < 50
