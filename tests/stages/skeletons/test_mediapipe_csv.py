"""MediaPipe's landmarks as CSV, in the forms in which programs save them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from walkers import walker

from pipeline.errors import ClipError
from recognizer.skeletons import MEDIAPIPE33
from stages.skeletons.formats import entries, read_skeletons

SIZE = (640, 480)
NAMES = [{"left_mouth": "mouth_left", "right_mouth": "mouth_right"}.get(name, name) for name in MEDIAPIPE33.joints]


def wide(keypoints: np.ndarray, name: Callable[[int, str], str]) -> pd.DataFrame:
    """A line for each frame of a person T,33,3 in pixels."""
    columns = {}
    for landmark in range(33):
        x, y, visibility = keypoints[:, landmark].T
        values = {"x": (x + 0.5) / SIZE[0], "y": (y + 0.5) / SIZE[1], "z": 0.1 * x, "visibility": visibility}
        columns |= {name(landmark, axis): value for axis, value in values.items()}
    return pd.DataFrame(columns)


def long(keypoints: np.ndarray) -> pd.DataFrame:
    """A line for each landmark."""
    frames, count, _ = keypoints.shape
    x, y, visibility = keypoints.reshape(-1, 3).T
    index = {"frame": np.repeat(np.arange(frames), count), "landmark": np.tile(np.arange(count), frames)}
    values = {"x": (x + 0.5) / SIZE[0], "y": (y + 0.5) / SIZE[1], "z": 0.0, "visibility": visibility}
    return pd.DataFrame(index | values)


def read(tmp_path: Path, table: pd.DataFrame) -> np.ndarray:
    """Keypoints M,T,R,3 in pixels of a video of SIZE."""
    path = tmp_path / "a.csv"
    table.to_csv(path, index=False)
    assert entries(path) is None
    file = read_skeletons(path)
    assert file.layout.name == "mediapipe33"
    return file.in_pixels(*SIZE).frames(range(file.keypoints.shape[1]), 2)


@pytest.mark.parametrize(
    "name",
    [
        lambda landmark, axis: f"{axis}{landmark}",
        lambda landmark, axis: f"{axis.replace('visibility', 'v')}{landmark + 1}",
        lambda landmark, axis: f"{axis}_{landmark}",
        lambda landmark, axis: f"landmark_{landmark}_{axis}",
        lambda landmark, axis: f"pose_{landmark}_{axis}",
        lambda landmark, axis: f" {NAMES[landmark]}_{axis}",
        lambda landmark, axis: f"{NAMES[landmark].upper()}_{axis.upper()}",
    ],
    ids=["x0", "x1 to x33", "x_0", "landmark_0_x", "pose_0_x", "nose_x", "NOSE_X"],
)
def test_wide_forms(name: Callable[[int, str], str], tmp_path: Path) -> None:
    a = walker(6, 33)
    np.testing.assert_allclose(read(tmp_path, wide(a, name)), [a], atol=1e-6)


def x0(landmark: int, axis: str) -> str:
    return f"{axis}{landmark}"


def test_other_columns_are_left_alone(tmp_path: Path) -> None:
    a = walker(6, 33)
    table = wide(a, x0)
    table.insert(0, "label", "wave")
    table["timestamp"] = np.arange(6) / 30
    table["left_hand_0_x"] = table["face_0_x"] = 0.3
    np.testing.assert_allclose(read(tmp_path, table), [a], atol=1e-6)


def test_frames_have_numbers_and_need_no_order(tmp_path: Path) -> None:
    a = walker(6, 33)
    table = wide(a, x0)
    table.insert(0, "frame_number", np.arange(1, 7))
    a[2] = 0
    np.testing.assert_allclose(read(tmp_path, table.iloc[[3, 0, 5, 1, 4]]), [a], atol=1e-6)


@pytest.mark.parametrize("nobody", [np.nan, 0.0])
def test_empty_cells_and_zeros_are_nobody(nobody: float, tmp_path: Path) -> None:
    a = walker(6, 33)
    table = wide(a, x0)
    table.iloc[[0, 3]] = nobody
    table.loc[1, ["x5", "y5"]] = np.nan
    a[[0, 3]] = a[1, 5] = 0
    np.testing.assert_allclose(read(tmp_path, table), [a], atol=1e-6)


@pytest.mark.parametrize("called", ["numbers", "numbers from 1", "names", "names of the enumeration"])
def test_long_forms(called: str, tmp_path: Path) -> None:
    a = walker(6, 33)
    table = long(a)
    if called.startswith("names"):
        prefix = "PoseLandmark." if called == "names of the enumeration" else ""
        table["landmark"] = [prefix + NAMES[number].upper() for number in table["landmark"]]
    table["landmark"] += 1 if called == "numbers from 1" else "" if called.startswith("names") else 0
    np.testing.assert_allclose(read(tmp_path, table.sample(frac=1, random_state=0)), [a], atol=1e-6)


def test_several_people(tmp_path: Path) -> None:
    a, b = walker(6, 33), walker(6, 33, start=400, size=60)
    tables = [long(one).assign(person=who) for who, one in enumerate((b, a))]
    np.testing.assert_allclose(read(tmp_path, pd.concat(tables)), [a, b], atol=1e-6)


def test_with_the_size_of_the_frame_they_are_pixels(tmp_path: Path) -> None:
    a = walker(6, 33)
    path = tmp_path / "a.csv"
    wide(a, x0).assign(width=640, height=480).to_csv(path, index=False)
    file = read_skeletons(path)
    assert (file.size, file.relative) == (SIZE, False)
    np.testing.assert_allclose(file.keypoints, [a], atol=1e-6)


def changed(table: pd.DataFrame, row: int, column: str, value: object) -> pd.DataFrame:
    table = table.astype(object)
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (changed(wide(walker(6, 33), x0), 2, "x3", "left"), "line 4: x3 is 'left', not a number"),
        (changed(long(walker(6, 33)), 2, "frame", 1.5), "line 4: frame is '1.5', not a whole number"),
        (changed(long(walker(6, 33)), 2, "frame", -1), "line 4: frame is '-1', not a whole number"),
        (changed(long(walker(6, 33)), 2, "landmark", 40), "'40' is not one of the 33 landmarks"),
        (changed(long(walker(6, 33)), 2, "landmark", "knee"), "'knee' is not one of the 33 landmarks"),
        (changed(long(walker(6, 33)), 2, "landmark", 1), "has a landmark of a frame twice: a column person must"),
        (long(walker(6, 33)).drop(columns="frame"), "has no column frame"),
        (long(walker(6, 33)).drop(columns="y"), "has a column landmark, but no x and y; it has frame, landmark, x"),
        (wide(walker(6, 33), x0).drop(columns="y7"), "has no columns of x and y of MediaPipe's 33 landmarks"),
        (pd.DataFrame({"a": [1], "b": [2]}), "has no columns of x and y .* it has a, b"),
        (wide(walker(6, 33), x0).assign(x_0=1.0), "columns x0 and x_0 are the same number of a landmark"),
        (wide(walker(6, 33), x0) * 640, "coordinates are up to .*: divide x by the width"),
        (wide(walker(6, 33), x0).iloc[:0], "has no people in any frame"),
        (wide(walker(6, 33), x0).assign(width=0, height=480), r"width and height are 0\.0 and 480\.0, not pixels"),
    ],
)
def test_errors_name_the_line_or_column(table: pd.DataFrame, message: str, tmp_path: Path) -> None:
    with pytest.raises(ClipError, match=message) as error:
        read(tmp_path, table)
    assert str(tmp_path / "a.csv") in str(error.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00x", b"x0,y0\n1,2,3,4\n1\n", b'x0,y0\n"1,2\n'])
def test_damaged_files(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ClipError, match=r"a\.csv"):
        read_skeletons(tmp_path / "a.csv")


def test_a_comma_at_the_end_of_each_line_shifts_nothing(tmp_path: Path) -> None:
    people = walker(5, joints=33)
    text = wide(people, lambda landmark, axis: f"{axis}{landmark}").to_csv(index=False)
    path = tmp_path / "a.csv"
    head, *lines = text.splitlines()
    path.write_text("\n".join([head, *(f"{line}," for line in lines)]))
    found = read_skeletons(path).in_pixels(*SIZE).frames(range(5), 1)
    np.testing.assert_allclose(found[0], people, atol=1e-6)
    path.write_text("\n".join([head, *(f"{line},5" for line in lines)]))
    with pytest.raises(ClipError, match=r"a\.csv cannot be read as CSV: Length of header or names does not match"):
        read_skeletons(path)
