"""PennAction's label files (Zhang, Zhu and Derpanis 2013)."""

from pathlib import Path

import numpy as np

from pipeline.errors import ClipError
from recognizer.skeletons import PENNACTION13
from stages.skeletons.skeleton_file import SkeletonFile

_OCCLUDED = 0.5
"""Score of a joint that an annotator marked although it is not visible."""


def read_pennaction(path: Path, entry: str | None = None) -> SkeletonFile:
    """MATLAB 5 file with ``x``, ``y`` and ``visibility``, all T,13, and ``dimensions`` (height, width, frames).

    Joints outside of the frame, and those that the annotator could not locate, have visibility 0 and coordinates in the
    upper left corner: 1, 1 in the original video, which is less than 2, 2 in the videos as published.
    """
    from scipy.io import loadmat

    try:
        labels = loadmat(path, variable_names=("x", "y", "visibility", "dimensions"))
        x, y, visible = (np.asarray(labels[name], float) for name in ("x", "y", "visibility"))
        height, width = np.asarray(labels["dimensions"], float).ravel()[:2].tolist()
    except KeyError as error:
        raise ClipError(f"skeleton file {path} lacks the array {error}: is it not from PennAction?") from error
    except Exception as error:
        raise ClipError(f"skeleton file {path} cannot be read as a MATLAB 5 file: {error}") from error
    if not (x.shape == y.shape == visible.shape == (len(x), PENNACTION13.count)):
        raise ClipError(f"skeleton file {path}: the shape of x is {x.shape}, not frames by {PENNACTION13.count} joints")
    located = (x >= 2) | (y >= 2)
    score = np.where(visible > 0, 1.0, np.where(located, _OCCLUDED, 0.0))
    return SkeletonFile(path, np.stack([x - 1, y - 1, score], axis=-1)[None], PENNACTION13, (width, height))
