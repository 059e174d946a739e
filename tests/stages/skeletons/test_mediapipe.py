"""MediaPipe's landmarks as JSON, in the forms in which programs save them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from walkers import walker

from pipeline.errors import ClipError
from stages.skeletons.formats import entries, read_skeletons

SIZE = (640, 480)


def shares(keypoints: np.ndarray) -> np.ndarray:
    """Pixels ...,3 as MediaPipe's coordinates."""
    relative = keypoints.copy()
    relative[..., :2] = (keypoints[..., :2] + 0.5) / SIZE
    return relative


def landmarks(person: np.ndarray) -> list[dict[str, float]]:
    return [{"x": x, "y": y, "z": -0.1, "visibility": v} for x, y, v in shares(person).tolist()]


def read(tmp_path: Path, content: Any) -> np.ndarray:
    """Keypoints M,T,R,3 in pixels of a video of SIZE."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    assert entries(path) is None
    file = read_skeletons(path)
    assert file.layout.name == "mediapipe33"
    assert file.relative == (file.size is None)
    file.check(file.keypoints.shape[1], *SIZE)
    return file.in_pixels(*SIZE).frames(range(file.keypoints.shape[1]), 2)


Form = Callable[[np.ndarray], Any]
FORMS: dict[str, Form] = {
    "lists of landmarks": lambda a: [landmarks(one) for one in a],
    "lists of numbers": lambda a: [[[p["x"], p["y"], p["z"], p["visibility"]] for p in landmarks(one)] for one in a],
    "tasks api": lambda a: [{"pose_landmarks": [landmarks(one)], "pose_world_landmarks": []} for one in a],
    "one person": lambda a: {"fps": 30, "frames": [{"pose_landmarks": landmarks(one)} for one in a]},
    "numbers": lambda a: {"landmarks": [{"frame": t, "landmarks": landmarks(one)} for t, one in enumerate(a)]},
    "protobuf": lambda a: [{"poseLandmarks": {"landmark": landmarks(one)}} for one in a],
    "with presence": lambda a: [[[p | {"presence": 0.9} for p in landmarks(one)]] for one in a],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_forms(form: Form, tmp_path: Path) -> None:
    a = walker(6, 33)
    np.testing.assert_allclose(read(tmp_path, form(a)), [a], atol=1e-6)


@pytest.mark.parametrize("nobody", [None, [], {"pose_landmarks": None}, {"pose_landmarks": []}, {}, [[]]])
def test_a_frame_without_people(nobody: Any, tmp_path: Path) -> None:
    a = walker(6, 33)
    content: list[Any] = [landmarks(one) for one in a]
    content[2] = content[5] = nobody
    a[[2, 5]] = 0
    np.testing.assert_allclose(read(tmp_path, content), [a], atol=1e-6)


def test_frames_that_are_not_listed_have_no_people(tmp_path: Path) -> None:
    a = walker(6, 33)
    content = [{"frame": t, "landmarks": landmarks(a[t])} for t in (4, 1, 2)]
    a[[0, 3, 5]] = 0
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    file = read_skeletons(path)
    assert file.open_end
    np.testing.assert_allclose(file.in_pixels(*SIZE).frames(range(4), 1), [a[1:5]], atol=1e-6)


def test_several_people(tmp_path: Path) -> None:
    a, b = walker(6, 33), walker(6, 33, start=400, size=60)
    content = [{"pose_landmarks": [landmarks(one) for one in (a[t], b[t])[:: 1 if t % 2 else -1]]} for t in range(6)]
    np.testing.assert_allclose(read(tmp_path, content), [a, b], atol=1e-6)


def test_with_the_size_of_the_frame_they_are_pixels(tmp_path: Path) -> None:
    a = walker(6, 33)
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"width": 640, "height": 480, "frames": [landmarks(one) for one in a]}))
    file = read_skeletons(path)
    assert (file.size, file.relative) == (SIZE, False)
    np.testing.assert_allclose(file.keypoints, [a], atol=1e-6)


def test_a_landmark_without_visibility_is_seen(tmp_path: Path) -> None:
    content = [[{"x": p["x"], "y": p["y"], "z": 0} for p in landmarks(walker(1, 33)[0])]]
    assert (read(tmp_path, content)[..., 2] == 1).all()


PERSON = landmarks(walker(1, 33)[0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([PERSON[:21]], "frame 0: has 21 landmarks, not the 33 of a pose"),
        ([PERSON, 7], "frame 1: expected a list of landmarks, not 7"),
        ([[{"x": 0.5}] * 33], "frame 0, landmark 0: x, y and visibility must be numbers"),
        ([[{"x": "0.5", "y": 0.5}] * 33], "frame 0, landmark 0: x, y and visibility must be numbers"),
        ([[{"x": True, "y": 0.5}] * 33], "frame 0, landmark 0: x, y and visibility must be numbers"),
        ([[[0.1, 0.2, 0.3]] * 32 + [3]], "frame 0, landmark 32: x, y and visibility must be numbers"),
        ([[{"x": 10**400, "y": 0.5}] * 33], "frame 0: has a number beyond all coordinates"),
        ([{"frame": -1, "landmarks": []}], "frame 0: expected a whole number from 0, not -1"),
        ([{"frame": 10**15, "landmarks": []}], "has no people in any frame"),
        ([{"frame": f, "landmarks": PERSON} for f in (0, 10**15)], "these are not numbers of a clip's"),
        ([[{"x": 300.0, "y": 200.0 + i} for i in range(33)]], "coordinates are up to 300, but those of"),
        ({"width": -3, "height": 480, "frames": []}, "width and height are -3 and 480, not pixels"),
        (PERSON, "is of no known format"),
        ([], "has no people in any frame"),
    ],
)
def test_errors_name_the_frame(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ClipError, match=message):
        read(tmp_path, content)


def test_an_object_for_each_person_of_a_numbered_frame(tmp_path: Path) -> None:
    """Only frames with people are listed, so the first of them need not be the first frame."""
    a, b = walker(20, joints=33, start=300), walker(20, joints=33, start=100, size=60)
    frames = [{"frame": i, "pose_landmarks": landmarks(one[i])} for i in range(7, 20) for one in (a, b)]
    found = read(tmp_path, frames)
    assert not found[:, :7].any() and found[:, 7:].any(axis=(2, 3)).all() and found.shape[1] == 20
