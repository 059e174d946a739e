"""What is written as COCO's JSON is read again as it was, and has the fields that COCO's files have."""

import json
from pathlib import Path

import numpy as np
from walkers import walker

from recognizer.skeletons import BODY25, COCO17
from stages.skeletons.coco_writer import write_coco
from stages.skeletons.exported_clips import ExportedClip
from stages.skeletons.formats import entries, read_skeletons


def clips() -> list[ExportedClip]:
    """Two people, of whom one comes and goes and the other lacks a joint; another layout; nobody at all."""
    a, b = walker(12), walker(12, start=300, size=60)
    a[..., 2] = np.random.default_rng(0).uniform(0.01, 1, a.shape[:2]).round(4)
    b[:4] = b[7] = a[5, 3] = 0
    return [
        ExportedClip("train/wave/a.mp4", "wave", "train", np.stack([a, b]), COCO17, 640, 480),
        ExportedClip("jump", "jump", None, walker(6, 25)[None], BODY25, 1280, 720),
        ExportedClip("empty", "wave", "test", np.zeros((1, 5, 17, 3)), COCO17, 640, 480),
    ]


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert write_coco(path, iter(clips()), ["jump", "wave"]) == 3
    assert set(entries(path) or ()) == {clip.clip_id for clip in clips()}
    for clip in clips()[:2]:
        file = read_skeletons(path, clip.clip_id)
        np.testing.assert_allclose(file.keypoints, clip.keypoints_MTR3, atol=1e-3)
        np.testing.assert_array_equal(file.keypoints[..., 2], clip.keypoints_MTR3[..., 2])
        assert (file.layout, file.size) == (clip.layout, (clip.width, clip.height))


def test_fields(tmp_path: Path) -> None:
    write_coco(tmp_path / "a.json", clips(), ["jump", "wave"])
    content = json.loads((tmp_path / "a.json").read_text())
    assert [video["name"] for video in content["videos"]] == [clip.clip_id for clip in clips()]
    assert [(video["label"], video["split"]) for video in content["videos"]][:2] == [("wave", "train"), ("jump", None)]
    assert len(content["images"]) == 12 + 6 + 5
    jump = [image for image in content["images"] if image["video_id"] == 2]
    assert [image["file_name"] for image in jump][:2] == ["jump/000000.jpg", "jump/000001.jpg"]
    assert [image["frame_id"] for image in jump] == list(range(6))
    assert [category["id"] for category in content["categories"]] == [1, 2]
    ids = [annotation["id"] for annotation in content["annotations"]]
    assert len(set(ids)) == len(ids) == 12 + 7 + 6
    assert len({annotation["track_id"] for annotation in content["annotations"]}) == 3
    for annotation in content["annotations"]:
        keypoints = np.reshape(annotation["keypoints"], (-1, 3))
        seen = keypoints[keypoints[:, 2] == 2]
        assert annotation["num_keypoints"] == len(seen)
        x, y, width, height = annotation["bbox"]
        assert (seen[:, 0] >= x - 0.01).all() and (seen[:, 1] <= y + height + 0.01).all()
        assert abs(annotation["area"] - width * height) < 1
        assert not keypoints[keypoints[:, 2] != 2].any()


def test_no_clips_are_an_empty_file(tmp_path: Path) -> None:
    write_coco(tmp_path / "a.json", [], [])
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["annotations"] == content["images"] == content["categories"] == []
