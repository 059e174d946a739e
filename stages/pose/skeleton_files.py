"""Reads ground-truth skeletons, in the formats of several data sets."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.errors import ClipError
from recognizer.skeletons import LAYOUTS, NTU25, PENNACTION13, Layout

_MIN_SHARE = 0.9
"""Share of the requested frames that a file must have: skeletons often end a few frames before the video."""
_COUNTS_DIFFER = 0.1
"""Share of a video's frames by which its skeleton file may be longer or shorter."""
_FEW = 3
"""Frames by which it may be so in any case."""
_RELATIVE = 1.5
"""If no coordinate is beyond this, they are relative to the frame, not pixels of it."""

_NTU_SIZE = (1920, 1080)
_OCCLUDED = 0.5
"""Score of a joint that an annotator marked although it is not visible."""


class SkeletonFile(NamedTuple):
    """The skeletons in all frames of a video."""

    path: Path
    keypoints: np.ndarray
    """float M,T,R,3: x, y in pixels of the video, and score; the best person first."""
    layout: Layout
    size: tuple[float, float] | None
    """Width and height of the video's frames in pixels, if the file has them."""

    def check(self, video_frames: int | None, width: int, height: int) -> None:
        """Raise ClipError if the file cannot be of a video with so many frames of this size.

        video_frames: None where only a part of the video was read.
        """
        length = self.keypoints.shape[1]
        if video_frames is not None and abs(length - video_frames) > max(_FEW, _COUNTS_DIFFER * video_frames):
            raise ClipError(
                f"skeleton file {self.path} has {length} frames, its video {video_frames}: it belongs to another "
                "video, or was made from other frames"
            )
        if self.size and (self.size[0] - self.size[1]) * (width - height) < 0:
            raise ClipError(
                f"skeleton file {self.path} says size {self.size[0]:g}, {self.size[1]:g}, but the video is {width} x "
                f"{height}: size is width and height, in this order"
            )
        edges = np.array(self.size or (width, height))
        points = self.keypoints[..., :2][self.keypoints[..., 2] > 0]
        outside = ((points < -0.1 * edges) | (points > 1.1 * edges)).any(-1)
        if len(points) and outside.mean() > 0.5:
            raise ClipError(
                f"skeleton file {self.path}: most joints lie far outside of the frame of {edges[0]:g} x {edges[1]:g}; "
                "give size, the width and height that its pixels refer to"
            )

    def frames(self, indices: Sequence[int] | np.ndarray, persons: int) -> np.ndarray:
        """Keypoints M,T,R,3 of the frames with these indices and of at most ``persons`` people; zeros where missing.

        Raises ClipError if the file is much shorter than the video.
        """
        length = self.keypoints.shape[1]
        wanted = np.asarray(indices)
        valid = wanted < length
        if len(wanted) - valid.sum() > max(1, (1 - _MIN_SHARE) * len(wanted)):
            raise ClipError(
                f"skeleton file {self.path} has {length} frames, but frame {wanted.max()} of the video is needed"
            )
        keypoints = np.zeros((min(persons, len(self.keypoints)), len(wanted), self.layout.count, 3))
        keypoints[:, valid] = self.keypoints[:persons, wanted[valid]]
        keypoints[~np.isfinite(keypoints).all(3) | (keypoints[..., 2] <= 0)] = 0
        return keypoints


def read_skeletons(path: Path) -> SkeletonFile:
    """Read a skeleton file, whose extension says the format:

    - ``.npz``: arrays ``keypoints`` (M,T,R,3 or M,T,R,2, best person first), ``layout`` (a name) and ``size`` (width
      and height in pixels; required only for skeletons without a video);
    - ``.skeleton``: NTU RGB+D's text format; the bodies that move most come first;
    - ``.mat``: PennAction's labels.

    Raises ClipError that says what is wrong, and where.
    """
    if not path.is_file():
        raise ClipError(f"skeleton file {path} not found")
    readers = {".npz": _read_npz, ".skeleton": _read_ntu, ".mat": _read_pennaction}
    suffix = path.suffix.lower()
    if suffix not in readers:
        raise ClipError(f"skeleton file {path}: extension {path.suffix!r} is not supported ({', '.join(readers)})")
    return readers[suffix](path)


def _read_npz(path: Path) -> SkeletonFile:
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
    valid = keypoints[..., :2][(keypoints[..., 2] > 0) & np.isfinite(keypoints).all(-1)]
    if len(valid) and np.ptp(valid) > 0 and np.abs(valid).max() <= _RELATIVE:
        raise ClipError(
            f"skeleton file {path}: coordinates are between {valid.min():.2g} and {valid.max():.2g}, not pixels: "
            "multiply them by the width and height of the video"
        )
    keypoints[..., 2] = keypoints[..., 2].clip(0, 1)  # COCO's visibility, which some data sets have, goes up to 2
    return SkeletonFile(path, keypoints, layout, size)


def _read_ntu(path: Path) -> SkeletonFile:
    """The lines are: the number of frames; for each frame, the number of bodies; for each body, its state (which starts
    with its id), the number of joints, and for each joint 12 numbers, of which the 6th and 7th are the joint's pixel in
    the color video."""
    lines = path.read_text(errors="replace").splitlines()
    number = 0

    def take(count: int, what: str) -> list[str]:
        nonlocal number
        fields = lines[number].split() if number < len(lines) else []
        number += 1
        if len(fields) < count:
            raise ClipError(f"skeleton file {path}, line {number}: expected {what}")
        return fields

    bodies: dict[str, np.ndarray] = {}
    try:
        length = int(take(1, "the number of frames")[0])
        for frame in range(length):
            for _ in range(int(take(1, "the number of bodies")[0])):
                body = take(1, "a body's state")[0]
                if int(take(1, "the number of joints")[0]) != NTU25.count:
                    raise ClipError(f"skeleton file {path}, line {number}: expected {NTU25.count} joints")
                keypoints = bodies.setdefault(body, np.zeros((length, NTU25.count, 3)))
                for joint in range(NTU25.count):
                    values = take(12, "the 12 numbers of a joint")
                    keypoints[frame, joint] = float(values[5]), float(values[6]), 1
    except ValueError as error:
        raise ClipError(f"skeleton file {path}, line {number}: {error}") from error
    if not bodies:
        raise ClipError(f"skeleton file {path} has no body in any of {length} frames")
    ranked = sorted(bodies, key=lambda body: _motion(bodies[body]), reverse=True)
    return SkeletonFile(path, np.stack([bodies[body] for body in ranked]), NTU25, _NTU_SIZE)


def _motion(keypoints: np.ndarray) -> float:
    """How much a body T,R,3 moves: the variance of its joints in pixels², times the number of frames that show it.

    The sensor sometimes takes furniture for a body, which hardly moves or soon disappears.
    """
    valid = keypoints[:, 0, 2] > 0
    return float(np.nan_to_num(keypoints[valid, :, :2]).var(axis=0).sum() * valid.sum())


def _read_pennaction(path: Path) -> SkeletonFile:
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
