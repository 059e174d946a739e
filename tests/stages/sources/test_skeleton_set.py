"""Whole skeleton sets as an index."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from skeleton_sets import JHMDB, KINECT, write_set

from pipeline.errors import ManifestError
from stages.sources.skeleton_set import SkeletonSet


def splits(path: Path, **parameters: object) -> dict[str, str | None]:
    rows = SkeletonSet(file=path, **parameters).clips().to_pylist()
    return {row["clip_id"]: row["split"] for row in rows}


def test_rows_name_the_file_and_the_clip_in_it(tmp_path: Path) -> None:
    path = write_set(tmp_path / "a.npz", JHMDB, 2, 12, name=np.array([f"clip {i}" for i in range(12)]))
    rows = SkeletonSet(file=path, train={"subject": [1, 2]}, group="subject").clips().to_pylist()
    by_id = {row["clip_id"]: row for row in rows}
    row = by_id["clip 3"]
    assert (row["skeleton_path"], row["skeleton_entry"], row["label"]) == (str(path), "clip 3", "class 1")
    assert (row["split"], row["group"]) == ("train", "2")
    assert Counter(row["split"] for row in rows) == {"train": 4, "test": 8}
    assert row["skeleton_source"] == row["source"] == f"{path.stat().st_size}:{path.stat().st_mtime_ns}"


def test_clips_without_names_are_numbered(tmp_path: Path) -> None:
    assert list(splits(write_set(tmp_path / "a.npz", JHMDB, 2, 12), train={"clip": [0, 2]}))[:3] == ["00", "01", "02"]


def test_splits_by_marks_by_lists_of_numbers_and_by_lists_of_subjects(tmp_path: Path) -> None:
    marks = np.zeros((2, 12), bool)
    marks[0, :4] = marks[1, 4:8] = True
    path = write_set(
        tmp_path / "a.npz", JHMDB, 2, 12, marks=marks, numbers=np.array([[0, 1], [2, 3]]), people=np.array([[1], [2]])
    )
    by_marks = splits(path, train="marks", fold=1)
    assert [name for name, split in by_marks.items() if split == "train"] == ["04", "05", "06", "07"]
    assert set(by_marks.values()) == {"train", "test"}
    by_numbers = splits(path, test={"clip": "numbers"}, fold=1)
    assert [name for name, split in by_numbers.items() if split == "test"] == ["02", "03"]
    by_people = splits(path, train={"subject": "people"}, val={"subject": [1]}, fold=0)
    assert Counter(by_people.values()) == {"val": 2, "test": 10}
    both = splits(path, train="marks", test={"clip": "numbers"}, fold=1)
    assert Counter(both.values()) == {"train": 4, "test": 2, None: 6}


def test_only_some_clips_and_classes(tmp_path: Path) -> None:
    used = np.arange(12) != 4
    path = write_set(
        tmp_path / "a.npz", KINECT, 3, 12, 3, used=used, kinds=np.array([[True, True, False], [False] * 3])
    )
    only = {"used": [True], "label": "kinds"}
    rows = SkeletonSet(file=path, only=only, train={"subject": [1, 2]}, fold=0).clips().to_pylist()
    assert [row["clip_id"] for row in rows] == ["00", "01", "03", "06", "07", "09", "10"]
    assert {row["label"] for row in rows} == {"class 0", "class 1"}


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"train": "nothing"}, r"train: .*a\.npz has no array 'nothing'; it has offsets, label, subject"),
        ({"train": "subject"}, "train: subject does not mark each of the 12 clips as true or false; for an array that"),
        ({"train": "marks"}, "fold: marks has several rows: give one of 0 to 1"),
        ({"train": "marks", "fold": 2}, "fold: marks has several rows: give one of 0 to 1, not 2"),
        ({"train": {"subject": [77]}}, "train: no clip of .* is chosen"),
        ({"train": {"marks": [1]}}, "train: marks of .* has no value for each of the 12 clips"),
        ({"train": {"subject": [1, 2]}, "test": {"subject": [2]}}, "test: 2 clips are also for training or validation"),
    ],
)
def test_choices_that_do_not_fit_are_named(tmp_path: Path, parameters: dict, text: str) -> None:
    path = write_set(tmp_path / "a.npz", JHMDB, 2, 12, marks=np.zeros((2, 12), bool))
    with pytest.raises(ManifestError, match=text):
        SkeletonSet(file=path, **parameters).clips()


def test_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="train or test must say which clips"):
        SkeletonSet(file=tmp_path / "a.npz")
    with pytest.raises(ManifestError, match="there is no file"):
        SkeletonSet(file=tmp_path / "a.npz", train="train").clips()
    np.savez(
        tmp_path / "a.npz", label=np.array([0, 3]), class_names=np.array(["a", "b"]), train=np.array([True, False])
    )
    with pytest.raises(ManifestError, match=r"label of .* is not between 0 and 1"):
        SkeletonSet(file=tmp_path / "a.npz", train="train").clips()
    np.savez(tmp_path / "a.npz", label=np.array([0, 1]), class_names=np.array(["a", "b"]), offsets=[0, 5])
    with pytest.raises(ManifestError, match="2 offsets for 2 clips, not one more"):
        SkeletonSet(file=tmp_path / "a.npz", train={"clip": [0]}).clips()
    np.savez(tmp_path / "a.npz", label=np.array([{}], object))
    with pytest.raises(ManifestError, match=r"cannot be read as \.npz"):
        SkeletonSet(file=tmp_path / "a.npz", train="train").clips()


def test_official_splits_of_real_sets(shared_data: Path) -> None:
    folder = shared_data / "skeleton_sets"
    msr = splits(folder / "msr_action3d.npz", only="used_in_cvpr12", train={"subject": [1, 3, 5, 7, 9]})
    assert len(msr) == 557 and set(msr.values()) == {"train", "test"}
    assert {name[4:7] for name, split in msr.items() if split == "train"} == {"s01", "s03", "s05", "s07", "s09"}
    assert len(splits(folder / "jhmdb14_skeletons.npz", train="train", fold=0)) == 609
    uav = Counter(splits(folder / "uav_gesture_openpose.npz", train="train", test="test", fold=2).values())
    assert uav == {"train": 86, "test": 33}
    ut = SkeletonSet(file=folder / "utkinect.npz", train={"subject": "ten_splits_train_subjects"}, fold=9).clips()
    assert len(ut) == 199 and len(set(ut["label"].to_pylist())) == 10


def test_marks_of_values_count_from_0(tmp_path: Path) -> None:
    marks = np.array([True, False, True])
    path = write_set(tmp_path / "a.npz", KINECT, 3, 12, 3, marks=marks, person=np.arange(12) % 3)
    assert [name for name, split in splits(path, train={"person": "marks"}).items() if split == "train"][:3] == [
        "00", "02", "03"
    ]  # fmt: skip
    write_set(tmp_path / "a.npz", KINECT, 3, 12, 3, marks=marks, person=np.arange(12) % 3 + 1)
    with pytest.raises(ManifestError, match="train: marks marks 3 values of person, from 0 to 2, but there is 3: list"):
        splits(path, train={"person": "marks"})
