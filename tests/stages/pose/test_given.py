"""Skeletons without videos."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.errors import ClipError
from pipeline.keys import keyed_parameters
from recognizer.skeletons import layout
from stages.cache.shards import keypoints_of
from stages.places import fingerprint
from stages.pose.given import Skeletons


def clip(path: Path | None) -> dict[str, Any]:
    where = {"skeleton_path": path and str(path), "skeleton_source": path and fingerprint(path), "skeleton_entry": None}
    return {"clip_id": "a", "start": None, "end": None} | where


def test_coordinates_are_those_of_the_square_around_the_frame(tmp_path: Path) -> None:
    keypoints = np.zeros((2, 30, 17, 3))
    keypoints[0, :, 0] = 99.5, 49.5, 1  # the middle of 200 x 100 pixels
    keypoints[0, :, 1] = -0.5, -0.5, 1  # the frame's corner
    np.savez(tmp_path / "a.npz", keypoints=keypoints, layout="coco17", size=(200, 100))
    row = Skeletons(frames=8, persons=1).clip(clip(tmp_path / "a.npz"), {}, None)
    found = keypoints_of(row)
    assert (found.shape, row["layout"], row["estimator"]) == ((1, 8, 17, 3), "coco17", "ground truth")
    assert found[0, 0, 0].tolist() == [0.5, 0.5, 1]
    assert found[0, 0, 1].tolist() == [0, 0.25, 1]
    assert not found[0, 0, 2].any()


def test_frames_are_the_middles_of_equal_segments(tmp_path: Path) -> None:
    keypoints = np.ones((1, 30, 17, 3))
    keypoints[0, :, :, 0] = np.arange(30)[:, None]
    np.savez(tmp_path / "a.npz", keypoints=keypoints, layout="coco17", size=(32, 32))
    found = keypoints_of(Skeletons(frames=3).clip(clip(tmp_path / "a.npz"), {}, None))
    assert (found[0, :, 0, 0] * 32 - 0.5).tolist() == [5, 15, 25]


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="use decode and pose"):
        Skeletons().clip(clip(None), {}, None)
    with pytest.raises(ClipError, match="a span cannot be cut out"):
        Skeletons().clip(clip(tmp_path / "a.npz") | {"start": 1.0}, {}, None)
    np.savez(tmp_path / "a.npz", keypoints=np.ones((1, 30, 17, 3)), layout="coco17")
    with pytest.raises(ClipError, match="does not say how large the video's frames are: give size"):
        Skeletons().clip(clip(tmp_path / "a.npz"), {}, None)
    np.savez(tmp_path / "a.npz", keypoints=np.zeros((1, 30, 17, 3)), layout="coco17", size=(32, 32))
    with pytest.raises(ClipError, match="no joint in any of its 30 frames"):
        Skeletons().clip(clip(tmp_path / "a.npz"), {}, None)


def test_a_file_that_has_changed_since_the_plan_is_its_clip_s_failure(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, keypoints=np.ones((1, 30, 17, 3)), layout="coco17", size=(32, 32))
    planned = clip(path)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    with pytest.raises(ClipError, match="the file has changed since the run was planned: run again"):
        Skeletons().clip(planned, {}, None)
    with_layout = clip(path) | {"skeleton_source": f"{fingerprint(path)}:0123"}
    assert Skeletons().clip(with_layout, {}, None)["persons"] == 1
    assert Skeletons().clip(planned | {"skeleton_source": "by an index of one's own"}, {}, None)["persons"] == 1


def test_a_file_that_shows_nobody_is_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", keypoints=np.zeros((0, 30, 17, 3)), layout="coco17", size=(32, 32))
    with pytest.raises(ClipError, match=r"a\.npz shows nobody"):
        Skeletons().clip(clip(tmp_path / "a.npz"), {}, None)


def test_skeletons_are_converted_to_another_layout(tmp_path: Path) -> None:
    keypoints = np.ones((1, 8, 25, 3))
    keypoints[0, :, :, 0] = np.arange(25)
    np.savez(tmp_path / "a.npz", keypoints=keypoints, layout="body25", size=(32, 32))
    row = Skeletons(frames=4, convert_to="coco17").clip(clip(tmp_path / "a.npz"), {}, None)
    assert row["layout"] == "coco17"
    joints = (keypoints_of(row)[0, 0, :, 0] * 32 - 0.5).astype(int).tolist()
    assert [layout("body25").joints[joint] for joint in joints] == list(layout("coco17").joints)
    np.savez(tmp_path / "b.npz", keypoints=np.ones((1, 8, 17, 3)) * 9, layout="coco17", size=(32, 32))
    with pytest.raises(ClipError, match=r"b\.npz: coco17 lacks 13 of the 25 joints of ntu25: spine_base, "):
        Skeletons(convert_to="ntu25").clip(clip(tmp_path / "b.npz"), {}, None)


def test_skeletons_in_space_are_seen_from_the_front_or_from_the_side(tmp_path: Path) -> None:
    keypoints = np.zeros((1, 8, 20, 4))
    keypoints[0, :, 3] = 0.0, 2.0, 1.0, 1.0  # the head, above and farther away than
    keypoints[0, :, 0] = 1.0, 0.5, 3.0, 1.0  # the hips
    np.savez(tmp_path / "a.npz", keypoints=keypoints, layout="kinect20")
    front = keypoints_of(Skeletons(frames=2).clip(clip(tmp_path / "a.npz"), {}, None))[0, 0]
    side = keypoints_of(Skeletons(frames=2, plane=("z", "-y")).clip(clip(tmp_path / "a.npz"), {}, None))[0, 0]
    assert front[3, 1] < front[0, 1] and side[3, 1] < side[0, 1]
    assert (front[0, 0] - front[3, 0]) / (front[0, 1] - front[3, 1]) == pytest.approx(1 / 1.5, abs=0.01)
    assert (side[0, 0] - side[3, 0]) / (side[0, 1] - side[3, 1]) == pytest.approx(2 / 1.5, abs=0.01)
    assert (front[[0, 3], 2] == 1).all() and front[:, 2].sum() == 2
    with pytest.raises(ValidationError, match="y and -y are the same axis"):
        Skeletons(plane=("y", "-y"))


def test_what_came_later_is_part_of_keys_only_where_it_is_set(tmp_path: Path) -> None:
    assert keyed_parameters(Skeletons()) == {"frames": 48, "persons": 2}
    assert keyed_parameters(Skeletons(plane=("x", "-y"), convert_to=None)) == {"frames": 48, "persons": 2}
    assert keyed_parameters(Skeletons(convert_to="coco17"))["convert_to"] == "coco17"
    file = tmp_path / "own.yaml"
    texts = []
    for joints in ("a, b", "a, b, c", "a, b"):
        file.write_text(f"joints: [{joints}]")
        texts.append(keyed_parameters(Skeletons(convert_to=str(file)))["convert_to"])
    assert texts[0] == texts[2] != texts[1]  # by content, not by name or time


def test_a_second_plane_makes_two_people_of_each(tmp_path: Path) -> None:
    keypoints = np.random.default_rng(0).normal(size=(2, 8, 20, 4))
    keypoints[..., 3] = 1
    np.savez(tmp_path / "a.npz", keypoints=keypoints, layout="kinect20")

    def found(**parameters: Any) -> np.ndarray:
        return keypoints_of(Skeletons(frames=2, **parameters).clip(clip(tmp_path / "a.npz"), {}, None))

    both = found(second_plane=("z", "-y"))
    assert both.shape == (4, 2, 20, 3)
    assert both[0, ..., 1] == pytest.approx(both[1, ..., 1]) and both[2, ..., 1] == pytest.approx(both[3, ..., 1])
    assert (found(second_plane=("z", "-y"), persons=1) == both[:2]).all()
    np.savez(tmp_path / "a.npz", keypoints=np.ones((2, 8, 20, 3)), layout="kinect20", size=(32, 32))
    assert len(found(second_plane=("z", "-y"))) == 2  # these are in a picture already
    assert "second_plane" not in keyed_parameters(Skeletons())
    with pytest.raises(ValidationError, match="z and -z are the same axis"):
        Skeletons(second_plane=("z", "-z"))
