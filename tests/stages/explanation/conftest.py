"""A clip of one person walking right, with attention given by the test instead of a network."""

from collections.abc import Callable

import numpy as np
import pytest

from stages.cache.shards import Sample
from stages.explanation.attention import BlockAttention, ClipAttention


@pytest.fixture
def make_clip() -> Callable[..., ClipAttention]:
    """``make_clip(points, weight)``: x, y, t of the points; T frames and M persons, of which only the first is there.

    Joints' attention is even.
    """

    def make(
        points: np.ndarray | None = None,
        weight: np.ndarray | None = None,
        frames: int = 3,
        persons: int = 2,
        video: bool = True,
    ) -> ClipAttention:
        keypoints = np.zeros((persons, frames, 17, 3), np.float32)
        spread = np.random.default_rng(0).uniform(-0.1, 0.1, (17, 2))
        for t in range(frames):
            center = np.array([0.3 + 0.4 * t / frames, 0.5])
            keypoints[0, t] = np.c_[spread + center, np.ones(17)]
        even = (keypoints[..., 2] > 0) / (frames * 17)
        images = np.full((frames, 32, 32, 3), 120, np.uint8) if video else None
        sample = Sample("walk/1", images, keypoints)
        return ClipAttention(sample, "coco17", None, "walk", 0.9, (BlockAttention(points, weight, even.copy(), even),))

    return make
