"""What writers of skeleton files are given: the skeletons of one clip after the other."""

from typing import NamedTuple

import numpy as np

from recognizer.skeletons import Layout


class ExportedClip(NamedTuple):
    """The skeletons of a clip."""

    clip_id: str
    label: str
    split: str | None
    keypoints_MTR3: np.ndarray
    """float32: x, y in pixels, the middle of the first of which is at 0, and score; zeros for missing joints."""
    layout: Layout
    width: int
    height: int
