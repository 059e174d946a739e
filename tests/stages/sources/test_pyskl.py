"""Pickles of pyskl and MMAction2 as a data set, and beside videos."""

from collections import Counter
from pathlib import Path

import pytest
from pose_pickles import annotation, data_set, write_pickle
from pydantic import ValidationError

from pipeline.errors import ManifestError
from stages.sources.folder import Folder
from stages.sources.listing import Listing
from stages.sources.pyskl import Pyskl

SPLITS = {"xsub_train": list("abc"), "xsub_val": list("de"), "xview_train": list("ae"), "xview_val": list("bcd")}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_pickle(tmp_path / "set.pkl", data_set(SPLITS, classes=3))


def touch(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def test_clips_by_the_splits_of_the_file(file: Path) -> None:
    rows = Pyskl(file=file, train="xsub_train", test="xsub_val").clips().to_pylist()
    assert [(row["clip_id"], row["split"], row["label"]) for row in rows] == [
        ("a", "train", "0"),
        ("b", "train", "1"),
        ("c", "train", "2"),
        ("d", "test", "0"),
        ("e", "test", "1"),
    ]
    assert {(row["path"], row["skeleton_path"], row["source"]) for row in rows} == {(str(file), str(file), "missing")}
    assert [row["skeleton_entry"] for row in rows] == list("abcde")
    status = file.stat()
    assert {row["skeleton_source"] for row in rows} == {f"{status.st_size}:{status.st_mtime_ns}"}


def test_another_protocol_and_clips_of_none_of_its_splits(file: Path) -> None:
    rows = Pyskl(file=file, train="xview_train", val="xview_val").clips().to_pylist()
    assert [row["split"] for row in rows] == ["train", "val", "val", "val", "train"]
    assert len(Pyskl(file=file, test="xsub_val").clips()) == 2


def test_labels_have_names(file: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("drink water\neat meal\nbrush teeth\n")
    by_file = Pyskl(file=file, train="xsub_train", labels=names)
    assert by_file.clips()["label"].to_pylist() == ["drink water", "eat meal", "brush teeth"]
    assert by_file.files() == (names,)
    names.write_text("2 brush teeth\n1 eat meal\n0 drink water\n", encoding="utf-8-sig")
    assert by_file.clips()["label"].to_pylist() == ["drink water", "eat meal", "brush teeth"]
    mapped = Pyskl(file=file, train="xsub_train", labels={0: "x", 1: "y", 2: "z"})
    assert mapped.clips()["label"].to_pylist() == ["x", "y", "z"]
    with pytest.raises(ManifestError, match="no name for 1, the label of b; there are 1 names"):
        Pyskl(file=file, train="xsub_train", labels={0: "x"}).clips()


def test_a_list_without_splits_is_divided_class_by_class(tmp_path: Path) -> None:
    file = write_pickle(tmp_path / "list.pkl", [annotation(f"{i:02}", i % 2, frames=2) for i in range(20)])
    rows = Pyskl(file=file, test_share=0.3, val_share=0.1).clips().to_pylist()
    counts = Counter((row["label"], row["split"]) for row in rows)
    assert counts == {(label, split): n for label in "01" for split, n in (("train", 6), ("val", 1), ("test", 3))}
    with pytest.raises(ManifestError, match="is a list of clips without splits: leave train, test and val out"):
        Pyskl(file=file, train="train").clips()


def test_what_is_wrong_is_said_with_the_names_there_are(file: Path, tmp_path: Path) -> None:
    there = "xsub_train, xsub_val, xview_train, xview_val"
    with pytest.raises(ManifestError, match=f"train: choose one of the splits of .*set.pkl: {there}$"):
        Pyskl(file=file).clips()
    with pytest.raises(ManifestError, match=f"test: .*set.pkl has no split called 'val': it has {there}$"):
        Pyskl(file=file, train="xsub_train", test="val").clips()
    with pytest.raises(ManifestError, match="test: b is in xview_val and in xsub_train"):
        Pyskl(file=file, train="xsub_train", test="xview_val").clips()
    with pytest.raises(ManifestError, match=r"file: skeleton file .*none\.pkl cannot be read: No such file"):
        Pyskl(file=tmp_path / "none.pkl").clips()
    unlabeled = write_pickle(tmp_path / "u.pkl", [annotation("a", 0) | {"label": None}])
    with pytest.raises(ManifestError, match=r"file: a in .* has no label that is a number"):
        Pyskl(file=unlabeled).clips()
    with pytest.raises(ValidationError, match="leave nothing to train on"):
        Pyskl(file=file, test_share=0.6, val_share=0.4)


def test_clips_without_annotation_are_said(tmp_path: Path) -> None:
    content = data_set({"train": ["a", "b"]})
    content["split"]["train"] += ["gone", "also gone"]
    source = Pyskl(file=write_pickle(tmp_path / "set.pkl", content), train="train")
    assert source.clips()["clip_id"].to_pylist() == ["a", "b"]
    assert [name for name, _ in source.skipped()] == ["also gone", "gone"]


def test_videos_have_the_names_of_the_clips(file: Path, tmp_path: Path) -> None:
    touch(tmp_path / "videos/s1/a.mp4", tmp_path / "videos/s2/b_rgb.avi", tmp_path / "videos/other.avi")
    rows = Pyskl(file=file, train="xsub_train", root=tmp_path / "videos").clips().to_pylist()
    assert [row["path"] for row in rows] == [
        str(tmp_path / "videos/s1/a.mp4"),
        str(tmp_path / "videos/s2/b_rgb.avi"),
        str(file),
    ]
    assert [row["source"] == "missing" for row in rows] == [False, False, True]
    touch(tmp_path / "videos/s3/a.avi")
    with pytest.raises(ManifestError, match=r"a could be of any of 2 videos, such as s1/a\.mp4"):
        Pyskl(file=file, train="xsub_train", root=tmp_path / "videos").clips()


def test_beside_the_videos_of_a_folder(tmp_path: Path) -> None:
    root = tmp_path / "videos"
    touch(*(root / name for name in ("run/a.mp4", "run/b_rgb.avi", "jump/0001.mp4", "run/0001.mp4", "run/none.mp4")))
    names = ["a", "b", "jump/0001", "run/0001", "0001"]
    file = write_pickle(tmp_path / "set.pkl", data_set({"train": names}))
    rows = Folder(root=root, skeletons=file).clips().to_pylist()
    assert {row["clip_id"]: row["skeleton_entry"] for row in rows} == {
        "run/a.mp4": "a",
        "run/b_rgb.avi": "b",
        "jump/0001.mp4": "jump/0001",
        "run/0001.mp4": "run/0001",
        "run/none.mp4": None,
    }
    assert [row["skeleton_path"] for row in rows if row["skeleton_entry"] is None] == [None]
    assert {row["skeleton_path"] for row in rows} == {str(file), None}
    file = write_pickle(tmp_path / "stems.pkl", data_set({"train": ["0001"]}))
    with pytest.raises(ManifestError, match="0001 could be of any of 2 videos"):
        Folder(root=root, skeletons=file).clips()
    touch(tmp_path / "one.npz")
    with pytest.raises(ManifestError, match=r"one\.npz is of one clip: name a folder"):
        Folder(root=root, skeletons=tmp_path / "one.npz").clips()
    hostile = tmp_path / "hostile.pkl"
    hostile.write_bytes(b"cos\nsystem\n(S'touch hit'\ntR.")
    with pytest.raises(ManifestError, match=r"skeletons: skeleton file .*hostile\.pkl .* it wants os\.system"):
        Folder(root=root, skeletons=hostile).clips()


def test_beside_the_videos_of_a_list(tmp_path: Path) -> None:
    write_pickle(tmp_path / "set.pkl", data_set({"train": ["a", "games/b", "third"]}))
    touch(tmp_path / "one.npz")
    (tmp_path / "list.csv").write_text(
        "path,skeleton,skeleton_entry\n"
        "x/a.mp4,set.pkl,\ngames/b.mp4,set.pkl,\nc.mp4,set.pkl,third\nd.mp4,set.pkl,\ne.mp4,one.npz,\nf.mp4,,\n"
    )
    rows = Listing(list=tmp_path / "list.csv").clips().to_pylist()
    assert {row["path"].rpartition("/")[2][0]: row["skeleton_entry"] for row in rows} == {
        "a": "a",
        "b": "games/b",
        "c": "third",
        "d": "d",
        "e": None,
        "f": None,
    }
