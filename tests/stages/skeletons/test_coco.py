"""COCO's keypoints: annotations of many clips, and detection results."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from walkers import flat, walker

from pipeline.errors import ClipError
from recognizer.skeletons import COCO17, OPENPOSE18
from stages.skeletons.formats import entries, read_skeletons

PERSON = {
    "id": 1,
    "name": "person",
    "supercategory": "person",
    "keypoints": list(COCO17.joints),
    "skeleton": [[16, 14]],
}


def annotation(number: int, image: int | str, keypoints: np.ndarray, **more: Any) -> dict[str, Any]:
    """As in COCO's files."""
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "keypoints": flat(keypoints),
        "num_keypoints": int((keypoints[:, 2] > 0).sum()),
        "bbox": [1.0, 2.0, 3.0, 4.0],
        "area": 12.0,
        "iscrowd": 0,
        "segmentation": [[1.0, 2.0, 3.0, 4.0]],
    } | more


def coco(clips: dict[str, list[np.ndarray]], first: int = 0, tracked: bool = False) -> dict[str, Any]:
    """A file of clips with people T,R,3, and images called CLIP/000012.jpg."""
    images, annotations = [], []
    for clip, people in clips.items():
        for frame in range(len(people[0])):
            image = {"id": len(images) + 500, "file_name": f"images/{clip}/{first + frame:06}.jpg"}
            images.append(image | {"width": 640, "height": 480})
            for who, one in enumerate(people):
                if one[frame].any():
                    more = {"track_id": who} if tracked else {}
                    annotations.append(annotation(len(annotations), image["id"], one[frame], **more))
    return {"info": {}, "images": images, "annotations": annotations, "categories": [PERSON]}


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def with_codes(keypoints: np.ndarray, code: float) -> np.ndarray:
    keypoints = keypoints.copy()
    keypoints[..., 2] = code
    return keypoints


@pytest.mark.parametrize("first", [0, 1, 37])
def test_clips_are_folders_and_frames_are_numbers(first: int, tmp_path: Path) -> None:
    wave, jump = with_codes(walker(12), 2), with_codes(walker(9, start=200), 2)
    wave[[0, 4, 11]] = 0  # nobody there
    path = write(tmp_path / "a.json", coco({"wave": [wave], "jump": [jump]}, first))
    assert set(entries(path) or ()) == {"wave", "jump"}
    file = read_skeletons(path, "wave")
    assert (file.layout.name, file.size, file.entry, file.open_end) == ("coco17", (640, 480), "wave", False)
    np.testing.assert_array_equal(file.keypoints, [np.minimum(wave, (1e9, 1e9, 1))])
    assert read_skeletons(path, "jump").keypoints.shape == (1, 9, 17, 3)


def test_the_order_of_images_and_annotations_has_no_influence(tmp_path: Path) -> None:
    content = coco({"wave": [with_codes(walker(12), 2)]})
    one = read_skeletons(write(tmp_path / "a.json", content))
    content["images"].reverse()
    content["annotations"].sort(key=lambda one: one["keypoints"][1] % 7)
    other = read_skeletons(write(tmp_path / "b.json", content))
    np.testing.assert_array_equal(one.keypoints, other.keypoints)


def test_visibility_becomes_a_score(tmp_path: Path) -> None:
    people = with_codes(walker(1), 2)
    people[0, 1, 2], people[0, 2, 2], people[0, 3] = 1, 0, 0
    found = read_skeletons(write(tmp_path / "a.json", coco({"wave": [people]}))).keypoints[0, 0]
    assert found[:4, 2].tolist() == [1, 0.5, 0, 0]
    scores = walker(1)
    scores[0, :3, 2] = 0.9, 1, 0.1
    found = read_skeletons(write(tmp_path / "b.json", coco({"wave": [scores]}))).keypoints[0, 0]
    assert found[:3, 2].tolist() == [0.9, 1, 0.1]


def test_tracks_are_used(tmp_path: Path) -> None:
    a, b = walker(10), walker(10, start=300, size=60)
    a[6:], b[6:] = b[6:].copy(), a[6:].copy()
    path = write(tmp_path / "a.json", coco({"wave": [a, b]}, tracked=True))
    np.testing.assert_array_equal(read_skeletons(path).keypoints, [a, b])


def test_videos_and_frame_ids_count_before_names(tmp_path: Path) -> None:
    a = walker(3)
    content = coco({"x": [a]})
    content["videos"] = [{"id": 4, "name": "wave/one.mp4"}]
    for frame, image in enumerate(content["images"]):
        image |= {"video_id": 4, "frame_id": 2 - frame, "file_name": "noname"}
    path = write(tmp_path / "a.json", content)
    assert list(entries(path) or ()) == ["wave/one.mp4"]
    np.testing.assert_array_equal(read_skeletons(path, "wave/one.mp4").keypoints, [a[::-1]])


@pytest.mark.parametrize(("first", "length"), [(0, 3), (1, 3), (5, 8)])
def test_frame_ids_count_from_0_or_1(first: int, length: int, tmp_path: Path) -> None:
    content = coco({"x": [walker(3)]})
    for frame, image in enumerate(content["images"]):
        image |= {"video_id": "x", "frame_id": first + frame}
    assert read_skeletons(write(tmp_path / "a.json", content)).keypoints.shape == (1, length, 17, 3)


def test_crowds_and_boxes_without_joints_are_left_out(tmp_path: Path) -> None:
    content = coco({"wave": [walker(3)]})
    content["annotations"] += [
        annotation(90, 500, walker(1, start=900)[0], iscrowd=1),
        annotation(91, 500, np.zeros((17, 3))),
        {"id": 92, "image_id": 500, "category_id": 3, "bbox": [1, 2, 3, 4]},
    ]
    assert len(read_skeletons(write(tmp_path / "a.json", content)).keypoints) == 1


def test_another_layout_is_known_by_the_names_of_its_joints(tmp_path: Path) -> None:
    content = coco({"wave": [walker(3, 18)]})
    content["categories"][0] = PERSON | {"keypoints": [name.replace("_", " ").title() for name in OPENPOSE18.joints]}
    assert read_skeletons(write(tmp_path / "a.json", content)).layout.name == "openpose18"
    content["categories"][0] = PERSON | {"keypoints": ["nose", "head_bottom", "head_top"] + ["x"] * 15}
    with pytest.raises(
        ClipError, match=r"18 keypoints of category 'person' .nose, head_bottom, .* not the joints of a"
    ):
        read_skeletons(write(tmp_path / "b.json", content))


def test_coco_itself_and_whole_body(shared_data: Path) -> None:
    for name in ("test_coco.json", "test_coco_wholebody.json"):
        with pytest.raises(ClipError, match=r"has images of different sizes .* not frames of one clip"):
            read_skeletons(shared_data / "coco_kp" / "coco" / name)


def results(people: list[np.ndarray], name: str | None = None, **more: Any) -> list[dict[str, Any]]:
    """Detection results; images are numbers, or names from a pattern."""
    return [
        {"image_id": frame if name is None else name.format(frame), "category_id": 1, "score": 0.9}
        | {"keypoints": flat(one[frame])}
        | more
        for frame in range(len(people[0]))
        for one in people
        if one[frame].any()
    ]


def test_results_with_numbers_of_images_are_one_clip(tmp_path: Path) -> None:
    a, b = walker(12), walker(12, start=300, size=60)
    a[[0, 1, 11]], b[:2] = 0, 0
    path = write(tmp_path / "a.json", results([b, a]))
    file = read_skeletons(path)
    assert entries(path) is None
    assert (file.size, file.open_end) == (None, True)
    np.testing.assert_array_equal(np.sort(file.keypoints, axis=0), np.sort([a, b], axis=0))


def test_results_with_images_are_many_clips(tmp_path: Path) -> None:
    content = coco({"wave": [walker(5)], "jump": [walker(4)]})
    for result in content["annotations"]:
        for field in ("id", "area", "iscrowd", "segmentation", "num_keypoints", "bbox"):
            del result[field]
        result["score"] = 0.5
    del content["categories"]
    path = write(tmp_path / "a.json", content)
    assert read_skeletons(path, "jump").keypoints.shape == (1, 4, 17, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("images"), "images is missing or not a list"),
        (lambda c: c["images"].append(3), "images, 4: expected an object, not 3"),
        (lambda c: c["images"][1].update(id="x" * 99), r"annotation 1 \(id 1\): there is no image 501"),
        (lambda c: c["images"][1].update(id=1.5), "image 1, id of the image: expected a whole number from 0, not 1.5"),
        (lambda c: c["images"][1].update(id=500), "two images have the same id"),
        (lambda c: c["images"][1].update(file_name="images/wave/0.jpg"), "two images are frame 0 of wave"),
        (lambda c: c["images"][1].pop("file_name"), "image 501: file_name is missing"),
        (lambda c: c["images"][1].update(file_name="alice.jpg"), r"image 'alice\.jpg' has no frame number"),
        (lambda c: c["images"][1].update(width=641), "images of different sizes .640 x 480 and 641 x 480."),
        (lambda c: c["annotations"].append([]), "annotations, 4: expected an object"),
        (lambda c: c["annotations"][2].pop("image_id"), "annotation 2 .id 2., id of the image: expected a whole"),
        (
            lambda c: c["annotations"][2].update(keypoints=None),
            "annotation 2 .id 2., keypoints: expected a list of num",
        ),
        (lambda c: c["annotations"][2].update(keypoints=["a"] * 51), "expected a list of numbers .*, not 51 entries"),
        (lambda c: c["annotations"][2].update(keypoints=[[1, 2, 3]] * 17), "expected a list of numbers .*, not 17"),
        (lambda c: c["annotations"][2].update(keypoints=[1.0] * 50), "expected a list of numbers .*, not 50 numbers"),
        (lambda c: c["annotations"][2].update(keypoints=[1.0] * 48), r"expected 17 \(coco17\) joints, not 16"),
        (lambda c: c["annotations"][2].update(keypoints=[10**400] * 51), "expected a list of numbers .*, not 51 entr"),
        (lambda c: c["annotations"].clear(), "has no people in any frame"),
    ],
)
def test_errors_name_the_place(change: Any, message: str, tmp_path: Path) -> None:
    content = coco({"wave": [walker(4)]})
    change(content)
    with pytest.raises(ClipError, match=message) as error:
        read_skeletons(write(tmp_path / "a.json", content), "wave")
    assert str(tmp_path / "a.json") in str(error.value)


def test_a_clip_that_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", coco({"wave": [walker(4)], "jump": [walker(4)]}))
    with pytest.raises(ClipError, match=r"has 2 clips \(jump, wave\): say which one \(skeleton_entry\)"):
        read_skeletons(path)
    with pytest.raises(ClipError, match=r"has 2 clips \(jump, wave\): run is none of them"):
        read_skeletons(path, "run")


def test_the_first_frame_is_in_doubt_where_only_images_with_people_are_listed(tmp_path: Path) -> None:
    people = walker(30)
    file = read_skeletons(write(tmp_path / "a.json", coco({"x": [people]}, first=7)))
    file.check(30, 640, 480)  # the images of a part of a longer video
    with pytest.raises(ClipError, match="lists frames 7 to 36, all of them with people, and its video has 37: list"):
        file.check(37, 640, 480)
    people[0] = 0
    read_skeletons(write(tmp_path / "a.json", coco({"x": [people]}, first=7))).check(32, 640, 480)
