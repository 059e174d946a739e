"""A whole skeleton set in one ``.npz`` file: the skeletons of all clips in one array.

Arrays, read without pickles:

``keypoints``    F,R,C or, for several persons, F,M,R,C: the frames of all clips after each other, with C numbers per
                 joint: x, y; or x, y, z, and what follows is ignored
``channels``     if the C numbers are something else: ``xys`` or ``xyzs``, where s is the score
``offsets``      N + 1 numbers for N clips: clip i has the frames from ``offsets[i]`` to before ``offsets[i + 1]``
``layout``       as in a file of one clip; or ``joint_names``, R names
``size``         width and height in pixels, if x and y are pixels. Without it, the picture is the box around the people
                 of a clip.
``name``         N names of clips; without them, clips are numbered

The source ``skeleton_set`` reads further arrays: ``label``, ``class_names``, and those that say which clips are for
training. A joint is missing if its score is not above 0, a number is not finite, or all of its coordinates are 0.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.errors import ClipError
from recognizer.skeletons import Layout, find_layout
from stages.skeletons.joint_names import layout_of_names
from stages.skeletons.projection import framed
from stages.skeletons.skeleton_file import SkeletonFile

CHANNELS = ("xy", "xyz", "xys", "xyzs")
SKELETONS = ("keypoints", "channels", "offsets", "layout", "joint_names", "size", "name")
"""The arrays that this file reads."""


class SkeletonSet(NamedTuple):
    """What a file says of the skeletons of its clips."""

    path: Path
    keypoints: np.ndarray
    """F,M,R,C."""
    channels: str
    offsets: np.ndarray
    layout: Layout
    size: tuple[float, float] | None
    numbers: dict[str, int]
    """The number of each clip by its name."""

    def clip(self, name: str) -> SkeletonFile:
        """The skeletons of one clip. Raises ClipError if there is none of this name."""
        if name not in self.numbers:
            raise ClipError(f"skeleton file {self.path} has no clip {name}")
        start, end = self.offsets[self.numbers[name] :][:2]
        if start == end:
            raise ClipError(f"{name} in skeleton file {self.path} has no frames")
        found = self.keypoints[start:end].astype(float).transpose(1, 0, 2, 3)
        points = found[..., : len(self.channels.rstrip("s"))]
        score = found[..., [len(self.channels) - 1]].clip(0, 1) if self.channels.endswith("s") else 1.0
        known = np.isfinite(points).all(-1, keepdims=True) & (points != 0).any(-1, keepdims=True)
        keypoints, size = np.concatenate([points, np.where(known, score, 0)], axis=3), self.size
        if keypoints.shape[3] == 3 and size is None:
            keypoints, size = framed(keypoints)
        return SkeletonFile(self.path, keypoints, self.layout, size, name)


def read_set(path: Path) -> SkeletonSet:
    """The set in a file. It stays in memory, so that reading its next clip takes no time.

    Raises ClipError that says what is wrong with the file.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise ClipError(f"skeleton set {path} cannot be read: {error.strerror}") from error
    return _read(path, status.st_size, status.st_mtime_ns)


def read_arrays(path: Path, chosen: Callable[[str], bool]) -> dict[str, np.ndarray]:
    """The arrays of a file whose names are chosen. Raises ClipError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if chosen(name)}
    except Exception as error:
        raise ClipError(f"skeleton set {path} cannot be read as .npz: {error}") from error


def clip_names(arrays: dict[str, np.ndarray], clips: int) -> list[str]:
    """The names of the clips of a set, or their numbers with as many digits as the last one."""
    if "name" in arrays:
        return [str(name) for name in arrays["name"].ravel()]
    return [str(i).zfill(len(str(clips - 1))) for i in range(clips)]


@lru_cache(maxsize=2)
def _read(path: Path, size: int, mtime_ns: int) -> SkeletonSet:
    arrays = read_arrays(path, SKELETONS.__contains__)
    for name in ("keypoints", "offsets"):
        if name not in arrays:
            raise ClipError(f"skeleton set {path} lacks the array {name!r}; it has {', '.join(arrays) or 'none'}")
    keypoints, offsets = arrays["keypoints"], arrays["offsets"]
    if keypoints.ndim == 3:
        keypoints = keypoints[:, None]
    if keypoints.ndim != 4 or keypoints.dtype.kind not in "fiu":
        raise ClipError(
            f"skeleton set {path}: keypoints are {keypoints.dtype} of shape {keypoints.shape}, not numbers F,R,C or "
            "F,M,R,C"
        )
    channels = str(arrays["channels"]) if "channels" in arrays else "xy" if keypoints.shape[3] == 2 else "xyz"
    if channels not in CHANNELS or len(channels) > keypoints.shape[3]:
        raise ClipError(
            f"skeleton set {path}: {keypoints.shape[3]} numbers per joint cannot be {channels[:20]!r}: channels is one "
            f"of {', '.join(CHANNELS)}"
        )
    if offsets.ndim != 1 or offsets.dtype.kind not in "iu" or len(offsets) < 2:
        raise ClipError(f"skeleton set {path}: offsets are not a list of whole numbers")
    if offsets[0] < 0 or offsets[-1] > len(keypoints) or (offsets[1:] < offsets[:-1]).any():
        raise ClipError(
            f"skeleton set {path}: offsets do not increase from 0 to {len(keypoints)}, its number of frames"
        )
    names = clip_names(arrays, len(offsets) - 1)
    if len(set(names)) != len(offsets) - 1:
        raise ClipError(f"skeleton set {path}: {len(set(names))} different names for {len(offsets) - 1} clips")
    numbers = {name: i for i, name in enumerate(names)}
    return SkeletonSet(path, keypoints, channels, offsets, _layout(path, arrays), _size(path, arrays), numbers)


def _layout(path: Path, arrays: dict[str, np.ndarray]) -> Layout:
    try:
        if "layout" in arrays:
            found = find_layout(str(arrays["layout"]), path.parent)
        elif "joint_names" in arrays:
            found = layout_of_names([str(name) for name in arrays["joint_names"].ravel()], path.stem)
        else:
            raise ValueError("it has neither layout nor joint_names")
    except ValueError as error:
        raise ClipError(f"skeleton set {path}: {error}") from error
    joints = arrays["keypoints"].shape[-2]
    if found.count != joints:
        raise ClipError(f"skeleton set {path}: keypoints have {joints} joints, layout {found.name} has {found.count}")
    return found


def _size(path: Path, arrays: dict[str, np.ndarray]) -> tuple[float, float] | None:
    if "size" not in arrays:
        return None
    size = arrays["size"]
    if size.shape != (2,) or size.dtype.kind not in "fiu" or not (np.isfinite(size) & (size > 0)).all():
        raise ClipError(f"skeleton set {path}: size is not the width and height of the videos")
    return float(size[0]), float(size[1])
