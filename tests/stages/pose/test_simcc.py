"""Keypoints from the vectors of SimCC, against an obvious version."""

import numpy as np
import pytest

from recognizer.skeletons import COCO17
from stages.pose.simcc import decode, mirrored, split_ratio


def plain_decode(x: np.ndarray, y: np.ndarray, bins: float) -> list[list[list[float]]]:
    """One joint after the other."""
    people = []
    for vectors in zip(x, y, strict=True):
        person = []
        for columns, rows in zip(*vectors, strict=True):
            column, row = list(columns).index(max(columns)), list(rows).index(max(rows))
            score = min(columns[column], rows[row])
            person.append([column / bins, row / bins, min(max(score, 0), 1)])
        people.append(person)
    return people


@pytest.mark.parametrize("bins", [1, 2, 3])
def test_keypoints_are_where_both_vectors_peak(bins: int) -> None:
    rng = np.random.default_rng(bins)
    x, y = (rng.normal(0.3, 0.4, (4, 17, length * bins)).astype(np.float32) for length in (48, 64))
    x[0, 0] = -1  # nothing seen: a score of 0
    found = decode(x, y, bins)
    np.testing.assert_allclose(found, plain_decode(x, y, bins))
    assert found[0, 0, 2] == 0
    assert found[..., 2].min() >= 0 and found[..., 2].max() == 1


@pytest.mark.parametrize("bins", [1, 2, 4])
def test_mirrored_is_undone_to_the_bin(bins: int) -> None:
    """A joint in pixel i of 48 is in pixel 47 - i of the mirrored crop, with left and right exchanged."""
    places = np.random.default_rng(0).integers([0, 0], [48, 64], (3, 17, 2))
    seen_in_mirror = (places * [-1, 1] + [47, 0])[:, list(COCO17.flip)]
    x, y = (np.eye(length * bins)[seen_in_mirror[..., axis] * bins] for axis, length in enumerate((48, 64)))
    found = decode(*mirrored(x, y, COCO17.flip, bins), bins)
    np.testing.assert_array_equal(found[..., :2], places)
    assert (found[..., 2] == 1).all()


def test_bins_per_pixel_come_from_the_shapes() -> None:
    x, y = np.zeros((2, 17, 384)), np.zeros((2, 17, 512))
    assert split_ratio(x, y, (256, 192)) == 2
    assert split_ratio(x, y, (128, 96)) == 4
    assert split_ratio(y, x, (256, 192)) is None
    assert split_ratio(x, y[:, :16], (256, 192)) is None
    assert split_ratio(x[0], y[0], (256, 192)) is None
