"""Skeletons as NumPy arrays, one ``.npz`` file per clip. (Many clips in one file: see skeleton_set.py.)

Arrays: ``keypoints`` (M,T,R,3 or M,T,R,2: x and y in pixels, score; best person first; or M,T,R,4: x, y and z in any
unit, score), ``layout`` (a name, a YAML file beside it that defines one, or the content of such a file) and ``size``
(width and height in pixels; required only for skeletons without a video and not in space). Or the arrays of an
annotation of pyskl: ``keypoint``, ``keypoint_score``, ``img_shape`` and so on (pyskl.py says what is in them).
"""

import zipfile
from pathlib import Path

import numpy as np

from pipeline.errors import ClipError
from recognizer.skeletons import find_layout
from stages.file_kinds import HEAD, kind_of
from stages.skeletons.pyskl import skeletons_of
from stages.skeletons.skeleton_file import SkeletonFile, are_shares
from stages.skeletons.skeleton_set import read_set

_OF_PYSKL = ("keypoint", "keypoint_score", "img_shape", "original_shape", "total_frames", "layout")
"""The arrays of an annotation that are read."""


def read_npz(path: Path, entry: str | None = None) -> SkeletonFile:
    """Raises ClipError where an array is missing, has another shape, or is of relative coordinates.

    entry: a clip of a whole set.
    """
    if entry is not None:
        return read_set(path).clip(entry)
    try:
        with np.load(path, allow_pickle=False) as file:
            there = ", ".join(file.files)
            if "keypoints" not in file and "keypoint" in file:
                return _annotation(path, {name: file[name] for name in file.files if name in _OF_PYSKL})
            keypoints, name = file["keypoints"].astype(float), str(file["layout"])
            size = tuple(file["size"].astype(float).tolist()) if "size" in file else None
    except KeyError as error:
        name = str(error.args[0]).partition(" ")[0]
        raise ClipError(f"skeleton file {path} lacks the array {name!r}; it has {there or 'none'}") from error
    except ClipError:
        raise
    except Exception as error:
        with path.open("rb") as opened:
            kind = kind_of(opened.read(HEAD))
        cause = f"it is {kind}" if kind and not zipfile.is_zipfile(path) else str(error)
        raise ClipError(f"skeleton file {path} cannot be read as .npz: {cause}") from error
    try:
        layout = find_layout(name, path.parent)
    except ValueError as error:
        raise ClipError(f"skeleton file {path}: {error}") from error
    if keypoints.ndim != 4 or keypoints.shape[2] != layout.count or keypoints.shape[3] not in (2, 3, 4):
        raise ClipError(
            f"skeleton file {path}: the shape of keypoints is {keypoints.shape}, not M,T,{layout.count},2, 3 or 4 "
            f"({layout.name})"
        )
    if keypoints.shape[3] == 2:
        keypoints = np.concatenate([keypoints, np.isfinite(keypoints).all(3, keepdims=True)], axis=3)
    if size is not None and not (len(size) == 2 and all(0 < edge < np.inf for edge in size)):
        raise ClipError(f"skeleton file {path}: size is {size}, not the width and height of the video")
    keypoints[(keypoints[..., :-1] == 0).all(-1), -1] = 0  # how many files write a missing joint
    if keypoints.shape[3] == 3:
        _refuse_shares(path, keypoints)
    keypoints[..., -1] = keypoints[..., -1].clip(0, 1)  # COCO's visibility, which some data sets have, goes up to 2
    return SkeletonFile(path, keypoints, layout, size)


def _annotation(path: Path, arrays: dict[str, np.ndarray]) -> SkeletonFile:
    """The skeletons of the arrays that pyskl's pickles have for each clip."""
    values = {name: array if name.startswith("keypoint") else array.tolist() for name, array in arrays.items()}
    found = skeletons_of(values, path, None)
    if found.size is not None:
        _refuse_shares(path, found.keypoints)
    return found


def _refuse_shares(path: Path, keypoints: np.ndarray) -> None:
    if are_shares(keypoints):
        raise ClipError(
            f"skeleton file {path}: no coordinate is beyond 1.5, so they are not pixels: multiply them by the width "
            "and height of the video"
        )


def layout_file(path: Path) -> Path | None:
    """The file that defines the layout of an ``.npz`` file, if it names one."""
    try:
        with np.load(path, allow_pickle=False) as file:
            name = str(file["layout"])
    except Exception:
        return None  # reading the skeletons will say what is wrong
    return path.parent / name if "\n" not in name and name.lower().endswith((".yaml", ".yml")) else None
