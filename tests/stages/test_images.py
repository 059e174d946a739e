import cv2
import numpy as np
import pytest

from stages.images import BLANK, encoded, tile


@pytest.mark.parametrize(("size", "expected"), [((20, 40), (32, 64)), ((300, 100), (64, 21)), ((1, 500), (1, 64))])
def test_a_tile_has_the_longer_side_asked_for(size: tuple[int, int], expected: tuple[int, int]) -> None:
    frame = np.full((*size, 3), (10, 200, 90), np.uint8)
    drawn = tile(frame, 64)
    assert drawn.shape[:2] == expected and (drawn == frame[0, 0]).all()


def test_without_a_frame_there_is_a_dark_square() -> None:
    blank = tile(None, 16)
    assert blank.shape == (16, 16, 3) and (blank == BLANK).all()


def test_images_are_encoded_as_rgb() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[..., 0] = 255
    for kind, tolerance in ((".png", 0), (".jpg", 3)):
        decoded = cv2.imdecode(np.frombuffer(encoded(image, kind), np.uint8), cv2.IMREAD_COLOR_RGB)
        assert np.abs(decoded.astype(int) - image).max() <= tolerance
