"""Skeletons as NumPy arrays, one ``.npz`` file per clip.

Arrays: ``keypoints`` (M,T,R,3 or M,T,R,2: x and y in pixels, score; best person first), ``layout`` (a name) and
``size`` (width and height in pixels; required only for skeletons without a video).
"""

from pathlib import Path

import numpy as np

from pipeline.errors import ClipError
from recognizer.skeletons import LAYOUTS
from stages.skeletons.skeleton_file import SkeletonFile, are_shares


def read_npz(path: Path, entry: str | None = None) -> SkeletonFile:
    """Raises ClipError where an array is missing, has another shape, or is of relative coordinates."""
    try:
        with np.load(path, allow_pickle=False) as file:
            there = ", ".join(file.files)
            keypoints, name = file["keypoints"].astype(float), str(file["layout"])
            size = tuple(file["size"].astype(float).tolist()) if "size" in file else None
    except KeyError as error:
        raise ClipError(f"skeleton file {path} lacks the array {error}; it has {there or 'none'}") from error
    except Exception as error:
        raise ClipError(f"skeleton file {path} cannot be read as .npz: {error}") from error
    if name not in LAYOUTS:
        raise ClipError(f"skeleton file {path}: layout {name!r} is not known ({', '.join(LAYOUTS)})")
    layout = LAYOUTS[name]
    if keypoints.ndim != 4 or keypoints.shape[2] != layout.count or keypoints.shape[3] not in (2, 3):
        raise ClipError(
            f"skeleton file {path}: the shape of keypoints is {keypoints.shape}, not M,T,{layout.count},2 or 3 ({name})"
        )
    if keypoints.shape[3] == 2:
        keypoints = np.concatenate([keypoints, np.isfinite(keypoints).all(3, keepdims=True)], axis=3)
    if size is not None and not (len(size) == 2 and all(0 < edge < np.inf for edge in size)):
        raise ClipError(f"skeleton file {path}: size is {size}, not the width and height of the video")
    keypoints[(keypoints[..., :2] == 0).all(-1), 2] = 0  # how many files write a missing joint
    if are_shares(keypoints):
        raise ClipError(
            f"skeleton file {path}: no coordinate is beyond 1.5, so they are not pixels: multiply them by the width "
            "and height of the video"
        )
    keypoints[..., 2] = keypoints[..., 2].clip(0, 1)  # COCO's visibility, which some data sets have, goes up to 2
    return SkeletonFile(path, keypoints, layout, size)
