"""Pictures as a person sees them: upright, with square pixels, in their colors."""

import struct
from fractions import Fraction
from typing import Any

import cv2
import numpy as np


def as_seen(frame: Any, pixel_aspect: Fraction | None) -> np.ndarray:
    """A decoded frame as RGB, uint8 H,W,3.

    pixel_aspect: width of a pixel over its height; None: square. Pixels are made square by enlarging the picture.
    """
    image = frame.to_ndarray(format="rgb24")
    if pixel_aspect and pixel_aspect > 0 and pixel_aspect != 1:
        height, width = image.shape[:2]
        size = (width, round(height / pixel_aspect)) if pixel_aspect < 1 else (round(width * pixel_aspect), height)
        image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    matrix = _display_matrix(frame)
    return image if matrix is None else np.ascontiguousarray(_arranged(image, *matrix))


def _display_matrix(frame: Any) -> tuple[int, int, int, int] | None:
    """a, b, c, d of the matrix that takes coded x and y to a x + c y and b x + d y; None where there is none."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d, *_ = struct.unpack("<9i", bytes(data)[:36])
            return a, b, c, d
    return None


def _arranged(image: np.ndarray, a: int, b: int, c: int, d: int) -> np.ndarray:
    """The image mirrored, turned by quarters or transposed; other angles are taken to the nearest of these."""
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, across, down = image.swapaxes(0, 1), c, b
    else:
        across, down = a, d
    image = image[:, ::-1] if across < 0 else image
    return image[::-1] if down < 0 else image
