"""Skeletons in pickles of pyskl and MMAction2."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pose_pickles import HEIGHT, WIDTH, annotation, data_set, write_pickle

from pipeline.errors import ClipError
from stages.skeletons import pyskl
from stages.skeletons.formats import entries, read_skeletons
from stages.skeletons.ntu import read_ntu


def one(tmp_path: Path, **change: Any) -> Path:
    """A pickle of one clip, changed; None removes a field."""
    fields = annotation("a", 0) | change
    return write_pickle(tmp_path / "a.pkl", [{key: value for key, value in fields.items() if value is not None}])


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_clip_is_read_by_its_name(protocol: int, tmp_path: Path) -> None:
    content = data_set({"train": ["a", "b"], "val": ["c"]})
    path = write_pickle(tmp_path / "set.pkl", content, protocol)
    assert list(entries(path) or ()) == ["a", "b", "c"]
    file, wanted = read_skeletons(path, "b"), content["annotations"][1]
    assert (file.layout.name, file.size, file.entry) == ("coco17", (WIDTH, HEIGHT), "b")
    np.testing.assert_array_equal(file.keypoints[..., :2], wanted["keypoint"].astype(float))
    np.testing.assert_array_equal(file.keypoints[..., 2], wanted["keypoint_score"].astype(float))


def test_a_list_of_annotations_alone(tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "set.pickle", [annotation("a", 0), annotation("b", 1)])
    assert list(entries(path) or ()) == ["a", "b"]
    assert read_skeletons(path, "b").keypoints.shape == (2, 20, 17, 3)
    assert read_skeletons(one(tmp_path)).entry == "a"


def test_early_names_and_identifiers(tmp_path: Path) -> None:
    old = annotation("a", 0)
    old |= {"filename": old.pop("frame_dir"), "kp": old.pop("keypoint"), "kpscore": old.pop("keypoint_score")}
    file = read_skeletons(write_pickle(tmp_path / "a.pkl", [old]), "a")
    np.testing.assert_array_equal(file.keypoints[..., 2], old["kpscore"].astype(float))


def test_scores_may_be_in_keypoint_or_missing(tmp_path: Path) -> None:
    whole = annotation("a", 0)
    whole["keypoint"][1, 3:5] = 0
    whole["keypoint"][0, 0, 0] = np.nan
    flat = np.concatenate([whole["keypoint"], whole["keypoint_score"][..., None]], -1)
    together = read_skeletons(one(tmp_path, keypoint=flat, keypoint_score=None)).keypoints
    np.testing.assert_array_equal(together, flat.astype(float))
    without = read_skeletons(one(tmp_path, keypoint=whole["keypoint"], keypoint_score=None)).keypoints
    assert not without[1, 3:5, :, 2].any()
    assert without[0, 0, 0, 2] == 0
    assert without[..., 2].sum() == 2 * 20 * 17 - 2 * 17 - 1


@pytest.mark.parametrize(("joints", "layout"), [(13, "pennaction13"), (17, "coco17"), (25, "ntu25")])
def test_the_layout_follows_from_the_number_of_joints(joints: int, layout: str, tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "a.pkl", [annotation("a", 0, joints=joints)])
    assert read_skeletons(path).layout.name == layout


def test_a_file_is_read_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_pickle(tmp_path / "set.pkl", data_set({"train": ["a", "b"]}))
    reads = []
    monkeypatch.setattr(pyskl, "read_pickle", lambda path, read=pyskl.read_pickle: reads.append(path) or read(path))
    for name in ("a", "b", "a"):
        read_skeletons(path, name)
    assert len(reads) == 1
    write_pickle(path, data_set({"train": ["a", "c"]}))
    os.utime(path, (1, 1))
    assert list(entries(path) or ()) == ["a", "c"]
    assert len(reads) == 2


def test_kinects_meters_come_near_to_its_pixels(shared_data: Path, tmp_path: Path) -> None:
    """Each genuine recording has both. The lens is not known, so they differ by up to 30 of 1920 pixels."""
    for file in sorted((shared_data / "ntu").glob("*.skeleton")):
        known = read_ntu(file)
        rows = [line.split() for line in file.read_text().splitlines()]
        meters = np.array([row[:3] for row in rows if len(row) == 12], float).reshape(-1, 25, 3)
        pixels = np.array([row[5:7] for row in rows if len(row) == 12], float).reshape(-1, 25, 2)
        clip = {"frame_dir": file.stem, "label": 0, "total_frames": len(meters)}
        path = write_pickle(tmp_path / "3d.pkl", [clip | {"keypoint": meters[None].astype(np.float16)}])
        found = read_skeletons(path)
        assert (found.layout, found.size) == (known.layout, known.size)
        assert np.abs(found.keypoints[0, ..., :2] - pixels).max() < 35
        assert (found.keypoints[..., 2] == 1).all()
        os.utime(path, (1, 1))


def test_absent_people_have_no_place_in_front_of_a_kinect(tmp_path: Path) -> None:
    meters = np.zeros((2, 5, 25, 3), np.float16)
    meters[0] = [0.1, 0.2, 3]
    path = one(tmp_path, keypoint=meters, keypoint_score=None, total_frames=5, img_shape=None, original_shape=None)
    found = read_skeletons(path).keypoints
    assert not found[1].any()
    assert (found[0, ..., 2] == 1).all()


MANY = np.zeros((2, 20, 17, 2))
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "kinetics": (
        {"keypoint": None, "raw_file": "k/0.pkl"},
        "a in skeleton file .* has no keypoint: its skeletons",
    ),
    "nobody": ({"keypoint": MANY[:0], "keypoint_score": None}, r"the shape of keypoint is \(0, 20, 17, 2\)"),
    "flat": ({"keypoint": MANY[0]}, r"the shape of keypoint is \(20, 17, 2\), not M,T,V,2 or 3"),
    "lists": ({"keypoint": MANY.tolist()}, "keypoint is not a NumPy array"),
    "score": ({"keypoint_score": MANY[..., 0][:, :3]}, r"the shape of keypoint_score is \(2, 3, 17\)"),
    "frames": ({"total_frames": 21}, "total_frames is not 20, the frames that keypoint has"),
    "joints": ({"keypoint": MANY[:, :, :16], "keypoint_score": None}, "no joint layout is known for 16 joints"),
    "layout": ({"layout": "ntu25"}, "layout ntu25 has 25 joints, keypoint has 17"),
    "shape": ({"img_shape": (0, 1)}, "img_shape is not the height and width"),
    "shape of text": ({"img_shape": "120x160"}, "img_shape is not the height and width"),
    "3D": (
        {"keypoint": np.ones((1, 20, 17, 3)), "keypoint_score": None, "img_shape": None, "original_shape": None},
        "three coordinates and no img_shape, and is not a Kinect's view of coco17",
    ),
    "behind": (
        {"keypoint": -np.ones((1, 20, 25, 3)), "keypoint_score": None, "img_shape": None, "original_shape": None},
        "is not a Kinect's view of ntu25",
    ),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_with_a_clip_is_said(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ClipError, match=message) as error:
        read_skeletons(one(tmp_path, **change))
    assert str(tmp_path / "a.pkl") in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"annotations": []}, "lacks split: is it not from pyskl"),
        ({"split": {}, "annotations": []}, "has no list of annotations"),
        ([1, 2], "has no list of annotations"),
        ("text", "has no list of annotations"),
        ([{"label": 1}], "an annotation has no frame_dir"),
        ([annotation("a", 0), {"frame_dir": ("a",)}], "an annotation has no frame_dir"),
        ([annotation("a", 0), annotation("a", 1)], "1 clips are there more than once"),
        ({"split": {"train": "abc"}, "annotations": [annotation("a", 0)]}, "the splits are not lists of clips"),
        ({"split": ["a"], "annotations": [annotation("a", 0)]}, "the splits are not lists of clips"),
        (Path("x"), "cannot be read as a pickle of skeletons: it wants pathlib"),
    ],
    ids=str,
)
def test_another_pickle_is_refused(content: Any, message: str, tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "a.pkl", content)
    with pytest.raises(ClipError, match=message):
        read_skeletons(path, "a")


def test_a_clip_that_is_not_there_or_not_named(tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "set.pkl", data_set({"train": ["a", "b"]}))
    with pytest.raises(ClipError, match="has no clip called z, as one of 2"):
        read_skeletons(path, "z")
    with pytest.raises(ClipError, match="has 2 clips: say which one"):
        read_skeletons(path)


def test_laughs_in_any_field_take_no_time(tmp_path: Path) -> None:
    laughs: Any = ()
    for _ in range(200):
        laughs = (laughs, laughs)
    sound = annotation("a", 0)
    for field in sound:
        path = tmp_path / f"{field}.pkl"
        path.write_bytes(pickle.dumps([sound | {field: laughs}], 4))
        if field in ("label", "original_shape"):
            read_skeletons(path)
        else:
            with pytest.raises(ClipError):
                read_skeletons(path)
