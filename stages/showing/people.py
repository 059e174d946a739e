"""The people in a picture, and where they come from if nobody has to be looked for."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2, relative to the picture."""


class Person(NamedTuple):
    """One person in one picture."""

    number: int
    """From 1; the same throughout a video."""
    keypoints: np.ndarray
    """float R,3: x, y relative to the picture, and a score from 0 to 1; 0: missing."""
    box: Box | None = None
    """Where the person is, by detection; None if a skeleton is all that is known."""


class People(NamedTuple):
    """Everybody in one picture."""

    persons: tuple[Person, ...] = ()
    layout: str = "coco17"
    """Joint layout of their keypoints."""


def of_keypoints(keypoints_MTR3: np.ndarray, layout: str) -> Iterator[People]:
    """The people in each of T pictures, from keypoints relative to them."""
    for t in range(keypoints_MTR3.shape[1]):
        there = np.flatnonzero(keypoints_MTR3[:, t, :, 2].any(1)).tolist()
        yield People(tuple(Person(m + 1, keypoints_MTR3[m, t]) for m in there), layout)
