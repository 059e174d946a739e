"""MediaPipe's landmarks as CSV: a line for each frame (and person), or for each landmark in it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import ClipError
from recognizer.skeletons import MEDIAPIPE33
from stages.skeletons.mediapipe import FRAME, HEIGHT, PERSON, VISIBILITY, WIDTH, frame_size, recording
from stages.skeletons.people import Sighting
from stages.skeletons.skeleton_file import SkeletonFile

if TYPE_CHECKING:
    import pandas as pd

_MOST_BYTES = 2**30
_LANDMARK = ("landmark", "landmark_id", "landmark_index", "landmark_idx", "landmark_name", "joint", "keypoint")
"""Columns that say which landmark a line is of, by number or name."""
_AXES = {"x": 0, "y": 1} | dict.fromkeys(VISIBILITY, 2)
_AXIS = "|".join(_AXES)
_WIDE = (
    re.compile(rf"(?P<axis>{_AXIS})_?(?P<landmark>\d\d?)"),  # x0, x_0
    re.compile(rf"(?:pose_)?(?:landmark_?)?(?P<landmark>\d\d?)_(?P<axis>{_AXIS})"),  # landmark_0_x, 0_x
    re.compile(rf"(?:pose_)?(?P<landmark>[a-z_]+)_(?P<axis>{_AXIS})"),  # left_shoulder_x
)
"""Names of columns that hold an axis of a landmark."""
_NUMBERS = {name: number for number, name in enumerate(MEDIAPIPE33.joints)} | {
    "mouth_left": MEDIAPIPE33.joints.index("left_mouth"),  # MediaPipe's own names
    "mouth_right": MEDIAPIPE33.joints.index("right_mouth"),
}


def read_mediapipe_csv(path: Path, entry: str | None = None) -> SkeletonFile:
    """Wide, with columns such as ``x0, y0, z0, visibility0`` or ``left_shoulder_x``, or long, with the columns ``frame,
    landmark, x, y, z, visibility``.

    ``frame`` is the number of the frame (in a wide file without it, each line is the next frame), ``person`` who it is,
    where there are several. z is not read; landmarks without visibility are seen, those without coordinates are not.
    Raises ClipError that names the column or line that is wrong.
    """
    file = f"skeleton file {path}"
    table = _Table(path, file)
    frame, person = table.column(FRAME), table.column(PERSON)
    frames = np.arange(table.length) if frame is None else table.whole_numbers(frame)
    people: Sequence[str | None] = [None] * table.length if person is None else table.texts(person)
    landmark = table.column(_LANDMARK)
    if landmark is None:
        keypoints = _wide(table, file)
    else:
        if frame is None:
            raise ClipError(f"{file} has no column frame: which frame is each landmark of?")
        first: dict[tuple[int, str | None], int] = {}
        rows = [first.setdefault(key, len(first)) for key in zip(frames.tolist(), people, strict=True)]
        keypoints = _long(table, landmark, np.array(rows, int), len(first), file)
        frames, people = np.array([key[0] for key in first], int), [key[1] for key in first]
    width, height = table.column(WIDTH), table.column(HEIGHT)
    size = None
    if width is not None and height is not None and table.length:
        size = frame_size(float(table.numbers(width)[0]), float(table.numbers(height)[0]), file)
    sightings = [Sighting(*one) for one in zip(frames.tolist(), keypoints, people, strict=True)]
    empty = any(not np.isfinite(one[:, :2]).all(1).any() or not one[:, :2].any() for one in keypoints)
    clip = recording(sightings, set(frames.tolist()) if empty or frame is None else None, size, file)
    return clip.skeletons(path, entry, "they are relative")


class _Table:
    """The columns of a CSV file, by lower-case name."""

    def __init__(self, path: Path, file: str) -> None:
        import pandas as pd

        self._file = file
        if (size := path.stat().st_size) > _MOST_BYTES:
            raise ClipError(f"{file} has {size / 2**30:.1f} GB, more than 1 GB: make a file for each clip")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)  # lines with more cells than the header
                self._table: pd.DataFrame = pd.read_csv(
                    path,
                    skipinitialspace=True,
                    encoding="utf-8-sig",
                    index_col=False,  # else a comma at the end of each line would shift all columns by one
                )
        except (ValueError, OSError, pd.errors.ParserWarning) as error:  # pandas' own errors are ValueErrors
            raise ClipError(f"{file} cannot be read as CSV: {str(error).strip()[:200]}") from error
        self._table.columns = self._table.columns.astype(str).str.strip().str.lower()
        self.length = len(self._table)
        self.names: list[str] = self._table.columns.tolist()

    def column(self, names: tuple[str, ...]) -> str | None:
        """The first of these columns that there is."""
        return next((name for name in names if name in self.names), None)

    def texts(self, name: str) -> list[str]:
        return self._table[name].astype(str).tolist()

    def numbers(self, name: str) -> np.ndarray:
        """float N, NaN for empty cells. Raises ClipError for the first cell that is not a number."""
        import pandas as pd

        column = self._table[name]
        numbers = pd.to_numeric(column, errors="coerce").to_numpy(float)
        wrong = np.isnan(numbers) & column.notna().to_numpy()
        self._refuse(name, wrong, "not a number")
        return numbers

    def whole_numbers(self, name: str) -> np.ndarray:
        """int N. Raises ClipError for the first cell that is not a whole number from 0."""
        numbers = self.numbers(name)
        self._refuse(name, ~((numbers >= 0) & (numbers < 2**53) & (numbers == np.floor(numbers))), "not a whole number")
        return numbers.astype(int)

    def _refuse(self, name: str, wrong: np.ndarray, what: str) -> None:
        if wrong.any():
            row = int(wrong.argmax())
            cell = str(self._table[name].iloc[row])[:40]
            raise ClipError(f"{self._file}, line {row + 2}: {name} is {cell!r}, {what}")


def _wide(table: _Table, file: str) -> np.ndarray:
    """Keypoints N,33,3 of lines that have all landmarks."""
    places: dict[tuple[str, int], str] = {}
    for name in table.names:
        found = next(filter(None, (pattern.fullmatch(name) for pattern in _WIDE)), None)
        if found and (found["landmark"].isdigit() or found["landmark"] in _NUMBERS):
            place = (found["landmark"], _AXES[found["axis"]])
            if place in places:
                raise ClipError(f"{file}: columns {places[place]} and {name} are the same number of a landmark")
            places[place] = name
    numbers = _landmark_numbers([landmark for landmark, _ in places], file)
    known = {(numbers[landmark], axis): name for (landmark, axis), name in places.items()}
    there = {landmark for landmark, _ in known}
    if not there or any((landmark, axis) not in known for landmark in there for axis in (0, 1)):
        raise ClipError(
            f"{file} has no columns of x and y of MediaPipe's {MEDIAPIPE33.count} landmarks, such as x0, y0 or "
            f"left_shoulder_x, left_shoulder_y; it has {', '.join(table.names[:6])}, ..."
        )
    keypoints = np.zeros((table.length, MEDIAPIPE33.count, 3))
    keypoints[:, list(there), 2] = 1
    for (landmark, axis), name in known.items():
        keypoints[:, landmark, axis] = table.numbers(name)
    return keypoints


def _long(table: _Table, landmark: str, rows: np.ndarray, count: int, file: str) -> np.ndarray:
    """Keypoints N,33,3 of lines that have one landmark each; ``rows`` says of which of the N."""
    axes = [table.column(names) for names in (("x",), ("y",), VISIBILITY)]
    if axes[0] is None or axes[1] is None:
        raise ClipError(f"{file} has a column {landmark}, but no x and y; it has {', '.join(table.names[:8])}")
    texts = [text.strip().lower().removesuffix(".0") for text in table.texts(landmark)]
    known = _landmark_numbers(texts, file)
    numbers = np.array([known[text] for text in texts], int)
    if len(set(zip(rows.tolist(), numbers.tolist(), strict=True))) < len(rows):
        raise ClipError(f"{file} has a landmark of a frame twice: a column person must say who it belongs to")
    keypoints = np.zeros((count, MEDIAPIPE33.count, 3))
    keypoints[rows, numbers, 2] = 1
    for axis, name in enumerate(axes):
        if name is not None:
            keypoints[rows, numbers, axis] = table.numbers(name)
    return keypoints


def _landmark_numbers(landmarks: list[str], file: str) -> dict[str, int]:
    """The number of each landmark, from 0, by what a file calls it: its name, or its number from 0 or 1."""
    found = {text: int(text) if text.isdigit() else _NUMBERS.get(_plain(text), -1) for text in landmarks}
    if len(found) == MEDIAPIPE33.count and set(found.values()) == set(range(1, MEDIAPIPE33.count + 1)):
        return {text: number - 1 for text, number in found.items()}
    for text, number in found.items():
        if not 0 <= number < MEDIAPIPE33.count:
            raise ClipError(
                f"{file}: {text[:40]!r} is not one of the {MEDIAPIPE33.count} landmarks of a pose, which are called "
                "0 to 32, or nose, left_eye_inner and so on"
            )
    return found


def _plain(name: str) -> str:
    """``left_eye_inner`` for ``PoseLandmark.LEFT_EYE_INNER`` and ``left eye (inner)``."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower().removeprefix("poselandmark.")).strip("_")
