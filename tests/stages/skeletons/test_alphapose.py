"""AlphaPose's results, as its ``write_json`` makes them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from walkers import flat, walker

from pipeline.errors import ClipError
from stages.skeletons.formats import entries, read_skeletons


def results(people: list[np.ndarray], name: str = "{}.jpg", tracked: bool = False) -> list[dict[str, Any]]:
    """People T,R,3 frame by frame. Without tracking AlphaPose writes ``[0.0]`` as everybody's idx."""
    return [
        {
            "image_id": name.format(frame),
            "category_id": 1,
            "keypoints": flat(one[frame]),
            "score": 2.9,
            "box": [1.0, 2.0, 3.0, 4.0],
            "idx": 4 + who if tracked else [0.0] if frame % 2 else [[0.0], [0.0]],
        }
        for frame in range(len(people[0]))
        for who, one in enumerate(people)
        if one[frame].any()
    ]


def by_image(people: list[np.ndarray], kind: str) -> dict[str, Any]:
    """The same with ``--format open`` or ``cmu``."""
    outer, inner = {"open": ("people", "pose_keypoints_2d"), "cmu": ("bodies", "joints")}[kind]
    images: dict[str, Any] = {}
    for frame in range(len(people[0])):
        for one in people:
            image = images.setdefault(f"{frame}.jpg", {"version": "AlphaPose v0.3", outer: []})
            image[outer].append({inner: flat(one[frame])})
    return images


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("joints", "kept", "layout"), [(17, 17, "coco17"), (26, 26, "halpe26"), (136, 26, "halpe26"), (133, 17, "coco17")]
)
def test_frames_are_the_numbers_of_images(joints: int, kept: int, layout: str, tmp_path: Path) -> None:
    a, b = walker(12, joints), walker(12, joints, start=500, size=60)
    b[:4] = 0
    path = write(tmp_path / "alphapose-results.json", results([b, a]))
    file = read_skeletons(path)
    assert (file.layout.name, file.size, file.open_end, entries(path)) == (layout, None, True, None)
    np.testing.assert_array_equal(file.keypoints, [a[:, :kept], b[:, :kept]])


def test_images_of_a_folder_count_from_their_first(tmp_path: Path) -> None:
    a = walker(12)
    numbered = results([a], "frame_{:06}.png")
    for one in numbered:
        one["image_id"] = one["image_id"].replace(one["image_id"][6:12], f"{int(one['image_id'][6:12]) + 1:06}")
    path = write(tmp_path / "a.json", numbered)
    np.testing.assert_array_equal(read_skeletons(path).keypoints, [a])


def test_tracked_people_are_told_apart_by_their_idx(tmp_path: Path) -> None:
    a, b = walker(10), walker(10, start=300, size=60)
    a[6:], b[6:] = b[6:].copy(), a[6:].copy()
    found = read_skeletons(write(tmp_path / "a.json", results([a, b], tracked=True))).keypoints
    np.testing.assert_array_equal(found, [a, b])


@pytest.mark.parametrize("kind", ["open", "cmu"])
def test_formats_of_other_tools(kind: str, tmp_path: Path) -> None:
    a, b = walker(12, 18), walker(12, 18, start=500, size=60)
    file = read_skeletons(write(tmp_path / "a.json", by_image([b, a], kind)))
    assert (file.layout.name, file.open_end) == ("openpose18", True)
    np.testing.assert_array_equal(file.keypoints, [a, b])


def test_images_of_several_clips(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", results([walker(3)], "wave_{:04}.jpg") + results([walker(5)], "jump_{:04}.jpg"))
    assert set(entries(path) or ()) == {"wave", "jump"}
    assert read_skeletons(path, "jump").keypoints.shape == (1, 5, 17, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r[1].update(image_id="alice.jpg"), r"image 'alice\.jpg' has no frame number"),
        (lambda r: r[1].update(image_id=None), "result 1, id of the image: expected a whole number from 0, not None"),
        (lambda r: r[1].update(keypoints=[1.0] * 63), "result 1: expected 17 or 26 or 133 or 136 joints, not 21"),
        (lambda r: r[1].update(keypoints=flat(walker(1, 26))), "result 1: another number of joints"),
        (lambda r: r[1].update(keypoints="x" * 99), "result 1, keypoints: expected a list of numbers .*, not 'xxx"),
        (lambda r: r.append(1), "results, 3: expected an object, not 1"),
    ],
)
def test_errors_name_the_result(change: Any, message: str, tmp_path: Path) -> None:
    content = results([walker(3)])
    change(content)
    with pytest.raises(ClipError, match=message):
        read_skeletons(write(tmp_path / "a.json", content))
