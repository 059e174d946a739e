"""What was captured, as COCO's joints of a person, and done again."""

import re
from pathlib import Path

import numpy as np
import pytest
from capture_files import bvh, write_deepmimic

from pipeline.errors import ClipError
from recognizer.skeletons import COCO17
from stages.synthetic.captured import perform_capture, read_captures

HALF = float(np.sqrt(0.5))


def only(path: Path) -> dict[str, list[float]]:
    """The joints in the first frame of the one piece of a file."""
    [capture] = read_captures(path)
    assert tuple(capture.body) == COCO17.joints
    return {name: places[0].round(2).tolist() for name, places in capture.body.items()}


def captured(folder: Path, text: str) -> dict[str, list[float]]:
    (folder / "a.bvh").write_text(text)
    return only(folder / "a.bvh")


def _smaller(word: str, *lengths: str) -> str:
    return " ".join([word, *(str(float(length) / 2.54) for length in lengths)])


def test_a_person_faces_the_viewer_and_is_1_7_m_tall(tmp_path: Path) -> None:
    body = captured(tmp_path, bvh())
    assert body["left_hip"] == [0.1, 0.92, 0] and body["right_hip"] == [-0.1, 0.92, 0]
    assert body["left_wrist"] == [0.74, 1.37, 0] and body["right_ankle"] == [-0.1, 0.08, 0]
    assert body["nose"] == [0, 1.6, 0.14] and body["left_ear"] == [0.1, 1.61, 0.02]


def test_any_unit_and_any_front_at_rest(tmp_path: Path) -> None:
    body = only(write_deepmimic(tmp_path / "a.txt"))
    assert body["left_hip"] == [0.09, 0.94, 0] and body["left_knee"] == [0.09, 0.51, 0]
    assert body["nose"][0] == 0 and body["nose"][2] > 0.1, "it faces x in the file"
    inches = re.sub(r"OFFSET (\S+) (\S+) (\S+)", lambda found: _smaller("OFFSET", *found.groups()), bvh())
    inches = inches.replace("\n0.0 92.0 0.0", _smaller("\n", "0", "92", "0"))
    assert captured(tmp_path, inches) == captured(tmp_path, bvh())


def test_the_face_turns_with_the_head(tmp_path: Path) -> None:
    body = captured(tmp_path, bvh(Head=(0, 90, 0)))
    assert body["nose"] == [0.14, 1.6, 0] and body["left_ear"] == [0.02, 1.61, -0.1]


@pytest.mark.parametrize(
    "rename",
    [
        {"LeftArm": "mixamorig:LeftArm", "Head": "mixamorig:Head"},
        {"LeftShoulder": "LeftCollar", "LeftArm": "LeftShoulder", "LeftForeArm": "LeftElbow", "LeftHand": "LeftWrist"},
        {"LeftUpLeg": "lThigh", "LeftLeg": "lShin", "LeftFoot": "lFoot", "LeftArm": "lShldr"},
        {"LeftUpLeg": "thigh_l", "LeftLeg": "calf_l", "LeftFoot": "foot_l", "LeftArm": "upperarm_l"},
        {"LeftUpLeg": "Bip01_L_Thigh", "LeftLeg": "Bip01_L_Calf", "Head": "Bip01_Head"},
    ],
)
def test_names_of_other_programs(tmp_path: Path, rename: dict[str, str]) -> None:
    assert captured(tmp_path, bvh(rename=rename)) == captured(tmp_path, bvh())


def test_long_recordings_are_cut_into_pieces_of_equal_length(tmp_path: Path) -> None:
    pieces = read_captures(write_deepmimic(tmp_path / "a.txt", frames=101))
    assert [len(piece.times) for piece in pieces] == [34, 33, 34]
    assert all(piece.times[0] == 0 and 3.1 < piece.times[-1] < 3.4 for piece in pieces)
    middle = [(piece.body["left_hip"] + piece.body["right_hip"])[:, [0, 2]].mean() for piece in pieces]
    assert np.allclose(middle, 0)


@pytest.mark.parametrize(
    "text,error",
    [
        (bvh(frames=5), "is shorter than 0.5 s"),
        (bvh(frames=1), "is shorter"),
        (bvh(frames=0), "is shorter"),
        (bvh(rename={"LeftLeg": "Tail"}), "has no joint for left_knee; its joints are Hips, Spine, Neck, Head, Left"),
        (bvh(rename={"Head": "Top", "Neck": "Middle"}), "has no joint for head"),
        (bvh().replace(" 0 -43 0", " 0 0 0"), "has hips or legs without length"),
        (bvh().replace("Frame Time: 0.1", "Frame Time: nan"), "no numbers"),
        (bvh().replace("0.0 92.0", "inf 92.0"), "no numbers"),
        (bvh().replace("Frame Time: 0.1", "Frame Time: -0.1"), "no numbers"),
    ],
)
def test_what_is_no_motion_of_a_person(tmp_path: Path, text: str, error: str) -> None:
    (tmp_path / "a.bvh").write_text(text)
    with pytest.raises(ClipError, match=error):
        read_captures(tmp_path / "a.bvh")


def test_it_is_done_again_by_others_who_face_anywhere(tmp_path: Path) -> None:
    (tmp_path / "a.bvh").write_text(bvh())
    [capture] = read_captures(tmp_path / "a.bvh")
    facing, thighs = [], []
    for seed in range(200):
        body = perform_capture(capture, np.random.default_rng(seed), frames=5)
        assert all(places.shape == (5, 3) and np.isfinite(places).all() for places in body.values())
        across = (body["left_hip"] - body["right_hip"])[0]
        facing.append(np.arctan2(across[2], across[0]))
        assert np.isclose(body["left_hip"][0, 1], body["right_hip"][0, 1]), "people stay upright"
        thighs.append(np.linalg.norm(body["left_knee"] - body["left_hip"], axis=1)[0])
    assert np.abs(np.mean(np.exp(1j * np.array(facing)))) < 0.2
    assert min(thighs) > 0.25 and max(thighs) < 0.6 and np.std(thighs) > 0.03


def test_captures_start_from_the_files_that_are_read(tmp_path: Path) -> None:
    path = write_deepmimic(tmp_path / "a.txt", left_shoulder=(HALF, 0, 0, HALF))
    assert only(path)["left_elbow"][2] > 0.2, "the arm points forward"
