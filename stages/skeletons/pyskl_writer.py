"""Writes the pickles that pyskl and MMAction2 read (``stages.skeletons.pyskl``), one clip after the other.

A pickle is put together from pieces, so that no more than one clip is in memory. The pieces are of protocol 3, in which
each says where it remembers a value, so that a piece may follow another. NumPy's functions are called what NumPy 1
called them, which pyskl needs and NumPy 2 still understands.
"""

import pickle
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.files import replacing
from recognizer.skeletons import layout_text
from stages.skeletons.exported_clips import ExportedClip

_PROTOCOL = 3
_START, _STOP = pickle.PROTO + bytes([_PROTOCOL]), pickle.STOP
_NEW_ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"


def write_pyskl(path: Path, clips: Iterable[ExportedClip], class_names: Sequence[str]) -> int:
    """Write ``path`` and, beside it, the class names in the order of the labels (``.labels.txt``). Returns the number
    of clips."""
    splits: defaultdict[str, list[str]] = defaultdict(list)
    numbers = {name: number for number, name in enumerate(class_names)}
    count = 0
    with replacing(path) as file:
        file.write(_START + pickle.EMPTY_DICT + _value("annotations") + pickle.EMPTY_LIST)
        for clip in clips:
            file.write(_annotation(clip, numbers[clip.label]) + pickle.APPEND)
            count += 1
            if clip.split is not None:
                splits[clip.split].append(clip.clip_id)
        file.write(pickle.SETITEM + _value("split") + _value(dict(splits)) + pickle.SETITEM + _STOP)
    with replacing(path.with_suffix(".labels.txt")) as file:
        file.write("".join(f"{name}\n" for name in class_names).encode())
    return count


def _annotation(clip: ExportedClip, label: int) -> bytes:
    """The fields that the loaders document, and the joint layout, which they ignore."""
    keypoints = np.ascontiguousarray(clip.keypoints_MTR3, "<f4")
    fields = {
        "frame_dir": _value(clip.clip_id),
        "total_frames": _value(keypoints.shape[1]),
        "img_shape": _value((clip.height, clip.width)),
        "original_shape": _value((clip.height, clip.width)),
        "label": _value(label),
        "keypoint": _array(keypoints[..., :2]),
        "keypoint_score": _array(keypoints[..., 2]),
        "layout": _value(layout_text(clip.layout)),
    }
    pieces = [_value(name) + value + pickle.SETITEM for name, value in fields.items()]
    return b"".join([pickle.EMPTY_DICT, *pieces])


def _value(value: Any) -> bytes:
    """A piece that leaves the value on the stack."""
    return pickle.dumps(value, _PROTOCOL).removeprefix(_START).removesuffix(_STOP)


def _array(array: np.ndarray) -> bytes:
    """A piece that leaves the array on the stack: a new one, and its version, shape, type, order and bytes."""
    state = [_value(1), _value(array.shape), _value(array.dtype), _value(False), _value(array.tobytes())]
    return b"".join([_NEW_ARRAY, pickle.MARK, *state, pickle.TUPLE, pickle.BUILD])
