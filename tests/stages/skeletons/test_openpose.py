"""Folders of JSON files as OpenPose writes them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from walkers import flat, walker

from pipeline.errors import ClipError
from stages.skeletons.formats import read_skeletons


def write_openpose(folder: Path, people: list[np.ndarray], first: int = 0, name: str = "clip") -> Path:
    """One file per frame, with the fields and the file names that OpenPose's ``--write_json`` gives them."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame in range(len(people[0])):
        here = [
            {"person_id": [-1], "pose_keypoints_2d": flat(one[frame])}
            | {field: [] for field in ("face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d")}
            | {field: [] for field in ("pose_keypoints_3d", "face_keypoints_3d")}
            for one in people
            if one[frame].any()
        ]
        content = {"version": 1.3, "people": here}
        (folder / f"{name}_{first + frame:012}_keypoints.json").write_text(json.dumps(content))
    return folder


def write_frame(folder: Path, content: Any, number: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"clip_{number:012}_keypoints.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(("joints", "layout"), [(25, "body25"), (18, "openpose18"), (17, "coco17")])
def test_people_of_all_frames(joints: int, layout: str, tmp_path: Path) -> None:
    a, b = walker(12, joints), walker(12, joints, start=300, size=60)
    a[3, 4] = 0  # a joint that was not found
    b[5:8] = 0  # a person who was not
    file = read_skeletons(write_openpose(tmp_path / "clip", [b, a]))
    assert (file.layout.name, file.size, file.open_end) == (layout, None, False)
    np.testing.assert_array_equal(file.keypoints, [a, b])


@pytest.mark.parametrize("first", [0, 1, 100])
def test_frames_are_those_of_the_numbers_and_the_first_is_the_smallest(first: int, tmp_path: Path) -> None:
    a = walker(12, 25)
    a[[0, 11]] = 0
    file = read_skeletons(write_openpose(tmp_path, [a], first))
    np.testing.assert_array_equal(file.keypoints, [a])


def test_numbers_are_not_sorted_as_text(tmp_path: Path) -> None:
    a = walker(12, 25)
    for frame, path in enumerate(sorted(write_openpose(tmp_path, [a]).iterdir())):
        path.rename(tmp_path / f"{frame + 1}.json")
    np.testing.assert_array_equal(read_skeletons(tmp_path).keypoints, [a])


def test_a_missing_file_is_a_frame_without_people(tmp_path: Path) -> None:
    a = walker(12, 25)
    folder = write_openpose(tmp_path, [a])
    (folder / "clip_000000000005_keypoints.json").unlink()
    file = read_skeletons(folder)
    assert file.keypoints.shape[:2] == (1, 12)
    assert not file.keypoints[:, 5].any()


def test_ids_of_people_are_used_where_they_were_tracked(tmp_path: Path) -> None:
    a, b = walker(2, 25), walker(2, 25, start=300, size=60)
    for frame, (one, other) in enumerate(((a, b), (b, a))):
        people = [{"person_id": [who], "pose_keypoints_2d": flat(p[frame])} for who, p in ((5, one), (6, other))]
        write_frame(tmp_path, {"people": people}, frame)
    assert read_skeletons(tmp_path).keypoints[0, :, 0, 0].tolist() == [a[0, 0, 0], b[1, 0, 0]]


def test_the_names_of_older_versions(tmp_path: Path) -> None:
    a = walker(1, 18)
    for content in ({"people": [{"pose_keypoints": flat(a)}]}, {"bodies": [{"joints": flat(a)}]}):
        np.testing.assert_array_equal(read_skeletons(write_frame(tmp_path, content)).keypoints, [a])


def test_impossible_numbers_are_missing_joints(tmp_path: Path) -> None:
    a = walker(1, 25)
    wrong = a.copy()
    wrong[0, :6] = [np.nan, 1, 1], [np.inf, 1, 1], [1e300, 1, 1], [50, 50, 0], [50, 50, -1], [0, 0, 0.9]
    wrong[0, 6:8] = [-20, 50, 0.5], [50, 50, 7]
    (found,) = read_skeletons(write_openpose(tmp_path, [wrong])).keypoints[0]
    assert not found[:6].any()
    assert found[6:8].tolist() == [[-20, 50, 0.5], [50, 50, 1]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "the whole file: expected an object, not 0 entries"),
        ({}, "people is missing or not a list"),
        ({"people": {}}, "people is missing or not a list"),
        ({"people": [7]}, "people, 0: expected an object, not 7"),
        ({"people": [{"person_id": [-1]}]}, "people, 0, pose_keypoints_2d: expected a list of numbers .*, not None"),
        ({"people": [{"pose_keypoints_2d": [1.0] * 74}]}, "expected a list of numbers .*, not 74 numbers"),
        ({"people": [{"pose_keypoints_2d": ["1"] * 75}]}, "expected a list of numbers .*, not 75 entries"),
        ({"people": [{"pose_keypoints_2d": [1.0] * 45}]}, r"has 15 joints, not 25 \(body25\), 18"),
        ({"people": []}, "has no people in any frame"),
        ({"people": [{"pose_keypoints_2d": []}]}, "has no people in any frame"),
    ],
)
def test_errors_name_the_file_and_the_person(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ClipError, match=message) as error:
        read_skeletons(write_frame(tmp_path, content))
    assert str(tmp_path) in str(error.value)


def test_shares_of_the_frame_are_refused(tmp_path: Path) -> None:
    for scale, offset in ((0.001, 0), (0.002, -1)):  # --keypoint_scale 3 and 4
        a = walker(3, 25)
        a[..., :2] = a[..., :2] * scale + offset
        with pytest.raises(ClipError, match="not pixels: write them with --keypoint_scale 0"):
            read_skeletons(write_openpose(tmp_path, [a]))


def test_folders_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="has no files like OpenPose's"):
        read_skeletons(tmp_path)
    write_openpose(tmp_path / "two", [walker(2, 25)], name="a")
    write_openpose(tmp_path / "two", [walker(2, 25)], name="b")
    with pytest.raises(ClipError, match="are the same frame: make a folder for each clip"):
        read_skeletons(tmp_path / "two")
    write_openpose(tmp_path / "layouts", [walker(2, 25)])
    write_openpose(tmp_path / "layouts", [walker(2, 18)], first=2)
    with pytest.raises(ClipError, match=r"mixes joint layouts: body25 in clip_0.*, openpose18 in clip_0"):
        read_skeletons(tmp_path / "layouts")
    write_openpose(tmp_path / "time", [walker(2, 25)], first=1)
    write_openpose(tmp_path / "time", [walker(2, 25)], first=1_600_000_000_000)
    with pytest.raises(ClipError, match="has frames 1 to 1600000000001: these are not numbers of a clip's frames"):
        read_skeletons(tmp_path / "time")
    (tmp_path / "named").mkdir()
    (tmp_path / "named" / "notes.json").write_text("{}")
    with pytest.raises(ClipError, match=r"'notes\.json' has no frame number"):
        read_skeletons(tmp_path / "named")


def test_a_single_frame_in_place_of_the_folder(tmp_path: Path) -> None:
    folder = write_openpose(tmp_path, [walker(1, 25)])
    with pytest.raises(ClipError, match="is one frame of OpenPose's: give the folder"):
        read_skeletons(next(folder.iterdir()))


def test_hidden_files_are_no_frames(tmp_path: Path) -> None:
    folder = write_openpose(tmp_path / "clip", [walker(3, 25)])
    (folder / "._clip_000000000001_keypoints.json").write_bytes(b"\x00\x05\x16\x07")
    assert read_skeletons(folder).keypoints.shape[1] == 3
