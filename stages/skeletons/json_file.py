"""Reads JSON files, and checks the values in them."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import ClipError
from stages.file_kinds import HEAD, kind_of

_MOST_BYTES = 2 * 2**30
_NUMBERS = ("keypoints", "keypoint_scores", "pose_keypoints_2d", "pose_keypoints", "joints")
"""Fields whose lists of numbers are kept as arrays, which take a quarter of the memory."""
_UNREAD = ("segmentation", "face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d", "part_candidates")
"""Fields that may be large, and that nobody here reads."""


def read_json_file(path: Path, file: str) -> Any:
    """The content of a JSON file, with arrays in place of the lists of numbers that hold keypoints.

    Raises ClipError that says where it ends or is wrong; ``file`` is what the message calls it.
    """
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise ClipError(f"{file} has {size / 2**30:.1f} GB, more than 2 GB: split it, as into one file for each clip")
    try:
        with path.open(encoding="utf-8-sig") as opened:
            return json.load(opened, object_hook=_compact)
    except UnicodeDecodeError as error:
        kind = kind_of(_head(path))
        raise ClipError(
            f"{file} " + (f"is {kind}, not JSON" if kind else "cannot be read as JSON: not UTF-8")
        ) from error
    except json.JSONDecodeError as error:
        if kind := _no_json(_head(path)):
            raise ClipError(f"{file} is {kind}, not JSON") from error
        ends = not error.doc[error.pos :].strip()
        cause = "it ends in the middle: copy or write it again" if ends else f"{error.msg}"
        raise ClipError(f"{file}, line {error.lineno}, cannot be read as JSON: {cause}") from error
    except RecursionError:
        raise ClipError(f"{file} cannot be read as JSON: it is nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits
        raise ClipError(f"{file} cannot be read as JSON: {str(error)[:200]}") from error
    except OSError as error:
        raise ClipError(f"{file} cannot be read: {error.strerror}") from error


def _head(path: Path) -> bytes:
    with path.open("rb") as opened:
        return opened.read(HEAD)


def _no_json(head: bytes) -> str | None:
    """What a file is that does not even begin like JSON."""
    if kind := kind_of(head):
        return kind
    text = head.decode("utf-8-sig", "replace").strip()
    return f"a text that begins with {shown(text.splitlines()[0][:40])}" if text and text[0] not in '[{"' else None


def _compact(value: dict[str, Any]) -> dict[str, Any]:
    for name in _UNREAD:
        value.pop(name, None)
    for name in _NUMBERS:
        numbers = value.get(name)
        if isinstance(numbers, list) and all(type(number) in (int, float) for number in numbers):
            try:
                value[name] = np.array(numbers, float)
            except OverflowError:
                continue  # an integer beyond all floats: refused where the list is needed
    return value


def shown(value: object) -> str:
    """A value as errors quote it: its beginning, or how long it is."""
    if isinstance(value, np.ndarray | list | dict):
        return f"{len(value)} {'number' if isinstance(value, np.ndarray) else 'entrie'}s"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def whole_number(value: object, file: str, place: str) -> int:
    """A number of a frame or an image. Raises ClipError for everything else, such as text or 1.5."""
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    if type(value) is not int or value < 0:
        raise ClipError(f"{file}, {place}: expected a whole number from 0, not {shown(value)}")
    return value


def an_object(value: object, file: str, place: str) -> Mapping[str, Any]:
    """Raises ClipError if the value is not an object."""
    if not isinstance(value, dict):
        raise ClipError(f"{file}, {place}: expected an object, not {shown(value)}")
    return value


def objects(value: object, file: str, name: str) -> Sequence[Mapping[str, Any]]:
    """Raises ClipError if the value is not a list of objects."""
    if not isinstance(value, list):
        raise ClipError(f"{file}: {name} is missing or not a list")
    return [an_object(one, file, f"{name}, {number}") for number, one in enumerate(value)]
