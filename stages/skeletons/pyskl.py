"""pyskl's and MMAction2's pickles of the skeletons of a whole data set.

``{split: {name: [clips]}, annotations: [{frame_dir, total_frames, img_shape, label, keypoint, keypoint_score}]}``, or
the list of annotations alone. ``keypoint`` is M,T,V,2 in pixels of ``img_shape`` (height, width), and
``keypoint_score`` M,T,V; or ``keypoint`` is M,T,V,3 with the scores in it. Without ``img_shape``, M,T,25,3 are meters
in front of a Kinect, as in ntu60_3danno.pkl.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.errors import ClipError
from recognizer.skeletons import Layout
from recognizer.skeletons import layout as layout_called
from stages.skeletons.safe_pickle import read_pickle
from stages.skeletons.skeleton_file import SkeletonFile
from stages.skeletons.stored_arrays import PickleRefused, StoredArray

LAYOUT_OF = {
    13: "pennaction13",
    15: "jhmdb15",
    17: "coco17",
    18: "openpose18",
    20: "kinect20",
    25: "ntu25",
    26: "halpe26",
    33: "mediapipe33",
}
"""The layout of V joints where an annotation does not say ``layout``: what these pickles have had."""

_KEYPOINT, _SCORE = ("keypoint", "kp"), ("keypoint_score", "kpscore")
"""Their names, the second of which early versions of MMAction2 wrote."""

_KINECT = (1920, 1080)
"""Width and height of the picture of Kinect v2's color camera."""
_FOCAL_LENGTH = 1060.0
"""Of that camera, in pixels. With its middle in the middle of the picture, it puts the joints of NTU RGB+D's genuine
recordings within 30 pixels of where the files say that they are in the color video."""


class PysklFile(NamedTuple):
    """What such a pickle holds; the arrays are still in the file."""

    splits: Mapping[str, Sequence[str]]
    """Names of clips by the name of the split; empty for a list of annotations alone."""
    annotations: Mapping[str, Mapping[str, Any]]
    """By the name of the clip, in the order of the file."""


def open_pyskl(path: Path) -> PysklFile:
    """What a pickle holds. It is read once, as long as it does not change. Raises ClipError."""
    try:
        status = path.stat()
        return _opened(path, status.st_size, status.st_mtime_ns)
    except PickleRefused as error:
        raise ClipError(f"skeleton file {path} cannot be read as a pickle of skeletons: {error}") from error
    except OSError as error:
        raise ClipError(f"skeleton file {path} cannot be read: {error.strerror}") from error


@lru_cache(maxsize=4)
def _opened(path: Path, size: int, modified: int) -> PysklFile:
    content = read_pickle(path)
    splits: object = {}
    if isinstance(content, dict):
        if lacks := {"split", "annotations"} - content.keys():
            raise ClipError(f"skeleton file {path} lacks {' and '.join(sorted(lacks))}: is it not from pyskl?")
        splits, content = content["split"], content["annotations"]
    if not isinstance(content, list) or not content or not all(isinstance(one, dict) for one in content):
        raise ClipError(f"skeleton file {path} has no list of annotations: is it not from pyskl?")
    if not isinstance(splits, dict) or not all(_are_names(names) for names in splits.values()):
        raise ClipError(f"skeleton file {path}: the splits are not lists of clips")
    called = "filename" if "filename" in content[0] else "frame_dir"
    if not _are_names([one.get(called) for one in content]):
        raise ClipError(f"skeleton file {path}: an annotation has no {called}, the name of its clip")
    annotations = {one[called]: one for one in content}
    if len(annotations) < len(content):
        raise ClipError(f"skeleton file {path}: {len(content) - len(annotations):,} clips are there more than once")
    return PysklFile(splits, annotations)


def _are_names(values: object) -> bool:
    return isinstance(values, list | tuple) and all(isinstance(value, str) for value in values)


def clips_of_pyskl(path: Path) -> Mapping[str, object]:
    """The names of a pickle's clips. Raises ClipError."""
    return open_pyskl(path).annotations


def read_pyskl(path: Path, entry: str | None = None) -> SkeletonFile:
    """The skeletons of one clip. entry: its name; None is right only for a pickle of one clip. Raises ClipError."""
    annotations = open_pyskl(path).annotations
    if entry is None and len(annotations) == 1:
        entry = next(iter(annotations))
    if entry is None:
        raise ClipError(f"skeleton file {path} has {len(annotations):,} clips: say which one (skeleton_entry)")
    if entry not in annotations:
        raise ClipError(f"skeleton file {path} has no clip called {entry}, as one of {len(annotations):,}")
    return skeletons_of(annotations[entry], path, entry)


def skeletons_of(annotation: Mapping[str, Any], path: Path, entry: str | None) -> SkeletonFile:
    """The skeletons of one annotation of a file. Raises ClipError."""
    where = f"skeleton file {path}" if entry is None else f"{entry} in skeleton file {path}"
    keypoint = _array(annotation, _KEYPOINT, where)
    if keypoint is None:
        raise ClipError(f"{where} has no keypoint: its skeletons are in another file, as those of Kinetics are")
    if keypoint.ndim != 4 or keypoint.shape[3] not in (2, 3) or not len(keypoint):
        raise ClipError(f"{where}: the shape of keypoint is {keypoint.shape}, not M,T,V,2 or 3")
    if annotation.get("total_frames", keypoint.shape[1]) != keypoint.shape[1]:
        raise ClipError(f"{where}: total_frames is not {keypoint.shape[1]}, the frames that keypoint has")
    layout, size = _layout(annotation, keypoint.shape[2], where), _size(annotation, where)
    score = _array(annotation, _SCORE, where)
    if score is not None and score.shape != keypoint.shape[:3]:
        raise ClipError(f"{where}: the shape of keypoint_score is {score.shape}, that of keypoint {keypoint.shape}")
    if keypoint.shape[3] == 3 and size is None:
        return SkeletonFile(path, _seen_by_kinect(keypoint, layout, where), layout, _KINECT, entry)
    if score is None:
        is_there = np.isfinite(keypoint).all(-1) & (keypoint != 0).any(-1)
        score = keypoint[..., 2] if keypoint.shape[3] == 3 else is_there
    keypoints = np.concatenate([keypoint[..., :2], score[..., None]], axis=3, dtype=float)
    keypoints[..., 2] = keypoints[..., 2].clip(0, 1)
    return SkeletonFile(path, keypoints, layout, size, entry)


def _array(annotation: Mapping[str, Any], names: tuple[str, ...], where: str) -> np.ndarray | None:
    """An array of an annotation as float64, by any of its names."""
    name = next((name for name in names if annotation.get(name) is not None), None)
    if name is None:
        return None
    array = annotation[name]
    if not isinstance(array, StoredArray | np.ndarray):
        raise ClipError(f"{where}: {name} is not a NumPy array")
    try:
        return (array.read() if isinstance(array, StoredArray) else array).astype(float)
    except (PickleRefused, TypeError) as error:
        raise ClipError(f"{where}: {name}: {error}") from error


def _layout(annotation: Mapping[str, Any], joints: int, where: str) -> Layout:
    name = annotation.get("layout", LAYOUT_OF.get(joints))
    if not isinstance(name, str):
        raise ClipError(f"{where}: no joint layout is known for {joints} joints")
    try:
        found = layout_called(name)
    except ValueError as error:
        raise ClipError(f"{where}: {error}") from error
    if found.count != joints:
        raise ClipError(f"{where}: layout {found.name} has {found.count} joints, keypoint has {joints}")
    return found


def _size(annotation: Mapping[str, Any], where: str) -> tuple[float, float] | None:
    """Width and height of the frames, which ``img_shape`` gives in the other order."""
    shape = annotation.get("img_shape", annotation.get("original_shape"))
    if shape is None:
        return None
    edges = shape if isinstance(shape, list | tuple) else ()
    if len(edges) < 2 or not all(isinstance(edge, int | float) and 0 < edge < np.inf for edge in edges[:2]):
        raise ClipError(f"{where}: img_shape is not the height and width of the video")
    return float(edges[1]), float(edges[0])


def _seen_by_kinect(meters: np.ndarray, layout: Layout, where: str) -> np.ndarray:
    """Keypoints M,T,V,3 with scores, in pixels of Kinect's color video, from points M,T,V,3 in front of the camera.

    x is to the right, y up, and z away from the camera, whose lens is approximated by a hole.
    """
    is_there = np.isfinite(meters).all(-1) & (meters != 0).any(-1)
    x, y, z = np.moveaxis(np.where(is_there[..., None], meters, 1.0), -1, 0)
    if layout.name != "ntu25" or (z <= 0).any():
        raise ClipError(
            f"{where}: keypoint has three coordinates and no img_shape, and is not a Kinect's view of {layout.name}: "
            "its pixels are not known; project it and give img_shape"
        )
    width, height = _KINECT
    pixels = [width / 2 + _FOCAL_LENGTH * x / z, height / 2 - _FOCAL_LENGTH * y / z, is_there]
    return np.stack(pixels, axis=-1) * is_there[..., None]
