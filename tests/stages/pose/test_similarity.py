"""Object keypoint similarity."""

import numpy as np
import pytest

from recognizer.skeletons import COCO17, NTU25
from stages.pose.similarity import SIGMAS, agreement, sigmas, similarity


def skeleton(joints: int = 17, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(0, 100, joints), rng.uniform(0, 200, joints), np.full(joints, 0.8)])


def test_the_numbers_are_those_of_coco() -> None:
    coco = [26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]
    np.testing.assert_array_equal(sigmas(COCO17) * 1000, coco)
    assert len(sigmas(NTU25)) == 25 and sigmas(NTU25)[NTU25.joints.index("left_elbow")] == SIGMAS["elbow"]
    # A joint that is one standard deviation (of 2 sigma times the square root of the area) away.
    offsets = np.array([[2 * 0.079 * 50.0, 0]])
    assert agreement(offsets, 2500.0, np.array([0.079])) == pytest.approx(np.exp(-0.5))


def test_it_falls_from_one_to_zero_with_the_distance() -> None:
    a = skeleton()
    near, far = a.copy(), a.copy()
    near[:, 0] += 4
    far[:, 0] += 150
    assert similarity(a, a, COCO17) == 1
    assert 0.7 < similarity(a, near, COCO17) < 1
    assert similarity(a, far, COCO17) < 0.1
    assert similarity(a, near, COCO17) == pytest.approx(similarity(near, a, COCO17))


def test_only_joints_that_both_have_count() -> None:
    a, b = skeleton(), skeleton()
    b[5:] = 0
    assert similarity(a, b, COCO17) == 1
    b[:] = 0
    assert similarity(a, b, COCO17) == 0
