"""Keypoints from heatmaps."""

import numpy as np
import pytest

from recognizer.skeletons import COCO17
from stages.pose.heatmaps import decode, mirrored


def gaussians(places: np.ndarray, sigma: float, height: int = 64, width: int = 48) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    distance = (x - places[..., 0, None, None]) ** 2 + (y - places[..., 1, None, None]) ** 2
    return np.exp(-distance / (2 * sigma**2)).astype(np.float32)


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
def test_the_peak_of_a_gaussian_is_found_between_the_pixels(sigma: float) -> None:
    places = np.random.default_rng(0).uniform([10, 10], [38, 54], (5, 17, 2))
    found, scores = decode(gaussians(places, sigma))
    np.testing.assert_allclose(found, places, atol=0.002)
    np.testing.assert_array_less(0.75, scores)


def test_peaks_at_the_border_and_empty_heatmaps_stay_on_their_pixels() -> None:
    places = np.array([[[0.0, 0.0], [47, 63], [0, 30]]])
    np.testing.assert_array_equal(decode(gaussians(places, 2))[0], places)
    found, scores = decode(np.zeros((1, 2, 64, 48), np.float32))
    assert not found.any()
    assert not scores.any()


def test_scores_stay_in_0_to_1() -> None:
    noise = np.random.default_rng(0).normal(0, 3, (2, 17, 64, 48)).astype(np.float32)
    found, scores = decode(noise)
    assert np.isfinite(found).all()
    assert 0 <= scores.min() <= scores.max() <= 1


def test_mirrored_swaps_sides_and_columns() -> None:
    places = np.random.default_rng(0).integers([10, 10], [38, 54], (3, 17, 2)).astype(float)
    seen_in_mirror = places[:, list(COCO17.flip)] * [-1, 1] + [48, 0]
    np.testing.assert_allclose(decode(mirrored(gaussians(seen_in_mirror, 2), COCO17.flip))[0], places, atol=1e-3)
