"""Skeletons in space as a picture: projected along one of the axes, without perspective."""

from typing import Literal

import numpy as np

from stages.skeletons.skeleton_file import SkeletonFile

Axis = Literal["x", "-x", "y", "-y", "z", "-z"]
Plane = tuple[Axis, Axis]
"""Which axis points to the right of the picture, and which one down."""

FRONT: Plane = ("x", "-y")
"""The front where y points up, as with the Kinect."""

PIXELS = 1000
"""Of the longer side of a picture."""
MARGIN = 0.1
"""Around the people, as a share of the longer side of their box."""


def projected(file: SkeletonFile, *planes: Plane) -> SkeletonFile:
    """The skeletons as a picture in a plane, if they are in space (M,T,R,4: x, y, z, score); else as they are.

    With several planes each person becomes several, one after the other: what is seen of them in each plane. All
    pictures have the same middle and the same scale.
    """
    if file.keypoints.shape[3] == 3:
        return file
    views = [_seen(file.keypoints, plane) for plane in planes]
    flat = np.stack(views if len(views) == 1 else [_centered(view) for view in views], axis=1)
    keypoints, size = framed(flat.reshape(-1, *flat.shape[2:]))
    return file._replace(keypoints=keypoints, size=size)


def _seen(keypoints_MTR4: np.ndarray, plane: Plane) -> np.ndarray:
    chosen = ["xyz".index(axis[-1]) for axis in plane]
    signs = [-1.0 if axis.startswith("-") else 1.0 for axis in plane]
    return np.concatenate([keypoints_MTR4[..., chosen] * signs, keypoints_MTR4[..., 3:]], axis=3)


def _centered(keypoints_MTR3: np.ndarray) -> np.ndarray:
    """The keypoints with the middle of the box around the people at 0."""
    known = _known(keypoints_MTR3)
    if not known.any():
        return keypoints_MTR3
    points = keypoints_MTR3[known][:, :2]
    centered = keypoints_MTR3.copy()
    centered[..., :2] -= (points.min(0) + points.max(0)) / 2
    return centered


def _known(keypoints: np.ndarray) -> np.ndarray:
    return (keypoints[..., 2] > 0) & np.isfinite(keypoints).all(-1)


def framed(keypoints: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Keypoints M,T,R,3 in any unit as pixels of a picture around them, and the picture's width and height.

    The picture is the same for all frames of a clip, with the people in its middle, and one unit is equally long in
    both directions.
    """
    points = keypoints[_known(keypoints)][:, :2]
    if not len(points):
        return keypoints, (PIXELS, PIXELS)
    low, high = points.min(0), points.max(0)
    side = float((high - low).max()) or 1.0
    pixels = keypoints.copy()
    pixels[..., :2] = ((keypoints[..., :2] - low) / side + MARGIN) / (1 + 2 * MARGIN) * PIXELS
    width, height = ((high - low) / side + 2 * MARGIN) / (1 + 2 * MARGIN) * PIXELS
    return pixels, (float(width), float(height))
