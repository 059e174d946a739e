"""Ground-truth skeletons that come with a data set, as keypoints of a clip's frames."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.errors import ClipError
from recognizer.skeletons import LAYOUTS, NTU25, PENNACTION13, Layout

_LEAST_SHARE = 0.9
"""Of the frames wanted, how many the file must have: recordings of skeletons and videos differ by a few at the end."""

_NTU_SIZE = (1920, 1080)
_OCCLUDED = 0.5
"""Score of a joint that an annotator placed without seeing it."""


class SkeletonFile(NamedTuple):
    """What a file says of all frames of a video."""

    path: Path
    keypoints: np.ndarray
    """float M,T,R,3: x, y in pixels of the video, and score; the best person first."""
    layout: Layout
    size: tuple[float, float] | None
    """Width and height of the video's frames in pixels, where the file says it."""

    def frames(self, indices: Sequence[int] | np.ndarray, persons: int) -> np.ndarray:
        """Keypoints M,T,R,3 of these frames and of at most so many persons; zeros where missing.

        Raises ClipError where the file is much shorter than the video.
        """
        length = self.keypoints.shape[1]
        wanted = np.asarray(indices)
        there = wanted < length
        if there.mean() < _LEAST_SHARE:
            raise ClipError(
                f"skeleton file {self.path} has {length} frames, but the video's frame {wanted.max()} is wanted"
            )
        keypoints = np.zeros((min(persons, len(self.keypoints)), len(wanted), self.layout.count, 3))
        keypoints[:, there] = self.keypoints[:persons, wanted[there]]
        keypoints[~np.isfinite(keypoints).all(3) | (keypoints[..., 2] <= 0)] = 0
        return keypoints


def read_skeletons(path: Path) -> SkeletonFile:
    """Read a file by its ending:

    - ``.npz``: ``keypoints`` (M,T,R,3 or M,T,R,2, best person first), ``layout`` (a name) and, where skeletons are
      used without a video, ``size`` (width and height in pixels);
    - ``.skeleton``: NTU RGB+D's text, the bodies that move most first;
    - ``.mat``: PennAction's labels.

    Raises ClipError with the place of what is wrong.
    """
    if not path.is_file():
        raise ClipError(f"skeleton file {path} not found")
    readers = {".npz": _read_npz, ".skeleton": _read_ntu, ".mat": _read_pennaction}
    if path.suffix not in readers:
        raise ClipError(f"skeleton file {path}: ending {path.suffix!r} is not known ({', '.join(readers)})")
    return readers[path.suffix](path)


def _read_npz(path: Path) -> SkeletonFile:
    try:
        with np.load(path, allow_pickle=False) as file:
            keypoints, name = file["keypoints"].astype(float), str(file["layout"])
            size = tuple(file["size"].astype(float).tolist()) if "size" in file else None
    except KeyError as error:
        raise ClipError(f"skeleton file {path} lacks the array {error}") from error
    except Exception as error:
        raise ClipError(f"skeleton file {path} cannot be read as .npz: {error}") from error
    if name not in LAYOUTS:
        raise ClipError(f"skeleton file {path}: layout {name!r} is not known ({', '.join(LAYOUTS)})")
    layout = LAYOUTS[name]
    if keypoints.ndim != 4 or keypoints.shape[2] != layout.count or keypoints.shape[3] not in (2, 3):
        raise ClipError(
            f"skeleton file {path}: keypoints are {keypoints.shape}, not M,T,{layout.count},2 or 3 ({name})"
        )
    if keypoints.shape[3] == 2:
        keypoints = np.concatenate([keypoints, np.isfinite(keypoints).all(3, keepdims=True)], axis=3)
    if size is not None and not (len(size) == 2 and all(0 < edge < np.inf for edge in size)):
        raise ClipError(f"skeleton file {path}: size is {size}, not the width and height of the video")
    keypoints[..., 2] = keypoints[..., 2].clip(0, 1)  # some data sets write COCO's visibility: 2 is visible
    return SkeletonFile(path, keypoints, layout, size)


def _read_ntu(path: Path) -> SkeletonFile:
    """The text has, line by line: how many frames; for each frame how many bodies; for each body its state (the id
    first), how many joints, and for each joint 12 numbers, of which the 6th and 7th are pixels of the color video."""
    lines = path.read_text(errors="replace").splitlines()
    at = 0

    def take(count: int, what: str) -> list[str]:
        nonlocal at
        fields = lines[at].split() if at < len(lines) else []
        at += 1
        if len(fields) < count:
            raise ClipError(f"skeleton file {path}, line {at}: expected {what}")
        return fields

    bodies: dict[str, np.ndarray] = {}
    try:
        length = int(take(1, "the number of frames")[0])
        for frame in range(length):
            for _ in range(int(take(1, "the number of bodies")[0])):
                body = take(1, "a body's state")[0]
                if int(take(1, "the number of joints")[0]) != NTU25.count:
                    raise ClipError(f"skeleton file {path}, line {at}: expected {NTU25.count} joints")
                places = bodies.setdefault(body, np.zeros((length, NTU25.count, 3)))
                for joint in range(NTU25.count):
                    numbers = take(12, "the 12 numbers of a joint")
                    places[frame, joint] = float(numbers[5]), float(numbers[6]), 1
    except ValueError as error:
        raise ClipError(f"skeleton file {path}, line {at}: {error}") from error
    if not bodies:
        raise ClipError(f"skeleton file {path} has no body in any of {length} frames")
    ranked = sorted(bodies, key=lambda body: _motion(bodies[body]), reverse=True)
    return SkeletonFile(path, np.stack([bodies[body] for body in ranked]), NTU25, _NTU_SIZE)


def _motion(places: np.ndarray) -> float:
    """How much a body (T,R,3) moves: variance of its joints in pixels², times the frames it is there.

    Bodies that the sensor saw in furniture hardly move, or soon vanish.
    """
    there = places[:, 0, 2] > 0
    return float(np.nan_to_num(places[there, :, :2]).var(axis=0).sum() * there.sum())


def _read_pennaction(path: Path) -> SkeletonFile:
    """MATLAB's format 5: ``x``, ``y`` and ``visibility``, frames by 13 joints; ``dimensions`` (height, width, frames).

    Joints that are out of view, or that nobody could place, are not visible and stand in the corner: at pixel 1, 1 of
    the original video, which is less than 2, 2 here.
    """
    from scipy.io import loadmat

    try:
        labels = loadmat(path, variable_names=("x", "y", "visibility", "dimensions"))
        x, y, visible = (np.asarray(labels[name], float) for name in ("x", "y", "visibility"))
        height, width = np.asarray(labels["dimensions"], float).ravel()[:2].tolist()
    except KeyError as error:
        raise ClipError(f"skeleton file {path} lacks the array {error}: it is no label file of PennAction") from error
    except Exception as error:
        raise ClipError(f"skeleton file {path} cannot be read as a MATLAB 5 file: {error}") from error
    if not (x.shape == y.shape == visible.shape == (len(x), PENNACTION13.count)):
        raise ClipError(f"skeleton file {path}: x is {x.shape}, not frames by {PENNACTION13.count} joints")
    placed = (x >= 2) | (y >= 2)
    score = np.where(visible > 0, 1.0, np.where(placed, _OCCLUDED, 0.0))
    return SkeletonFile(path, np.stack([x - 1, y - 1, score], axis=-1)[None], PENNACTION13, (width, height))
