"""Crops and back: what the estimator sees and where its answers lie in the frame."""

import numpy as np

from stages.pose.crops import IMAGENET_MEAN, IMAGENET_STD, crop, normalized, person_regions, to_frame, to_heatmap

INPUT = (256, 192)
HEATMAP = (64, 48)


def boxes(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    corner = rng.uniform(-20, 200, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(5, 300, (count, 2))], axis=1)


def test_regions_keep_center_and_aspect_and_hold_the_padded_box() -> None:
    some = boxes(50)
    regions = person_regions(some, INPUT)
    np.testing.assert_allclose(regions[:, :2] + regions[:, 2:] / 2, (some[:, :2] + some[:, 2:]) / 2)
    np.testing.assert_allclose(regions[:, 2] / regions[:, 3], 192 / 256)
    grown = regions[:, 2:] / (some[:, 2:] - some[:, :2])
    np.testing.assert_allclose(grown.min(axis=1), 1.25)


def test_places_in_heatmaps_and_frames_are_inverse_to_each_other() -> None:
    regions = person_regions(boxes(20), INPUT)
    points = np.random.default_rng(1).uniform(0, 48, (20, 17, 2))
    np.testing.assert_allclose(to_heatmap(to_frame(points, regions, HEATMAP), regions, HEATMAP), points)


def test_a_spot_of_the_frame_is_found_again_in_the_crop() -> None:
    frame = np.zeros((240, 320, 3), np.uint8)
    frame[100:103, 150:153] = 255
    region = person_regions(np.array([[120.0, 40, 200, 220]]), INPUT)
    seen = crop(frame, region[0], INPUT).mean(axis=2)
    y, x = (np.indices(seen.shape) * seen).sum((1, 2)) / seen.sum()
    np.testing.assert_allclose(to_frame(np.array([[[x, y]]]), region, INPUT)[0, 0], [151, 101], atol=0.1)


def test_pixels_become_planes_of_normalized_numbers() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (3, 12, 10, 3)).astype(np.uint8)
    expected = (crops / 255 - IMAGENET_MEAN) / IMAGENET_STD
    np.testing.assert_allclose(normalized(crops), expected.transpose(0, 3, 1, 2), atol=1e-6)
    mirrored = crops[:, :, ::-1]  # a view whose columns run backwards
    np.testing.assert_array_equal(normalized(mirrored), normalized(crops)[..., ::-1])
