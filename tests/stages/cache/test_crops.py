import numpy as np
import pytest

from stages.cache.crops import Crop, center_crop, person_crop


def keypoints(*places: tuple[float, float, float]) -> np.ndarray:
    """One person, one frame."""
    return np.array(places, np.float16)[None, None]


def test_square_is_around_all_visible_joints_with_padding():
    crop = person_crop(keypoints((0.4, 0.4, 1), (0.6, 0.5, 1), (0, 0, 0)), 100, 200, padding=0.25)
    assert crop is not None
    left, top, side = crop
    assert (left, top, side) == pytest.approx((70, 15, 60), abs=0.1)


def test_square_is_moved_into_the_frame():
    crop = person_crop(keypoints((0.9, 0.8, 1), (1.0, 1.0, 1)), 100, 100, padding=0.5)
    assert crop == pytest.approx((60, 60, 40), abs=0.1)


def test_square_larger_than_the_frame_reaches_out_evenly_and_cuts_nobody():
    points = keypoints((0.0, 0.5, 1), (1.0, 0.5, 1))
    crop = person_crop(points, 100, 200, padding=0.25)
    assert crop == pytest.approx((0, -50, 200))
    assert (crop.keypoints(points, 100, 200)[..., 2] > 0).all()
    image = np.full((100, 200, 3), 255, np.uint8)
    assert crop.on_pixels().frame(image, 200).mean(axis=(1, 2)).tolist() == [0] * 50 + [255] * 100 + [0] * 50


def test_nobody_gives_no_crop_and_a_lone_joint_a_sensible_one():
    assert person_crop(keypoints((0.5, 0.5, 0)), 100, 100, 0.25) is None
    crop = person_crop(keypoints((0.5, 0.5, 1)), 160, 80, 0.25)
    assert crop is not None and crop.side == 20


def test_joints_outside_are_missing():
    kept = Crop(0, 0, 50).keypoints(keypoints((0.2, 0.2, 0.5), (0.8, 0.2, 1), (0, 0, 0)), 100, 100)
    assert kept[0, 0] == pytest.approx(np.array([[0.4, 0.4, 0.5], [0, 0, 0], [0, 0, 0]]), abs=1e-3)


def test_center_is_the_largest_square():
    assert center_crop(90, 160) == (35, 0, 90)
