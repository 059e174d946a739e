"""Folders named after their classes."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.errors import ManifestError
from stages.sources.folder import Folder
from stages.tables import CLIPS


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def test_classes_are_folders_and_the_table_is_complete(tmp_path: Path) -> None:
    root = make(tmp_path, "run/b.mp4", "run/a.mp4", "jump/take 1/a.AVI", "jump/notes.txt", ".hidden/x.mp4", "stray.mp4")
    table = Folder(root=root, test_share=0).clips()
    assert table.schema == CLIPS.schema
    assert table["clip_id"].to_pylist() == ["jump/take 1/a.AVI", "run/a.mp4", "run/b.mp4"]
    assert table["label"].to_pylist() == ["jump", "run", "run"]
    assert set(table["split"].to_pylist()) == {"train"}
    status = (root / "run/a.mp4").stat()
    assert table["source"][1].as_py() == f"{status.st_size}:{status.st_mtime_ns}"
    assert table["path"][1].as_py() == str(root / "run/a.mp4")


def test_split_folders_are_splits(tmp_path: Path) -> None:
    rows = Folder(root=make(tmp_path / "a", "train/run/a.mp4", "test/run/a.mp4", "val/jump/b.mp4")).clips().to_pylist()
    assert [(row["split"], row["label"]) for row in rows] == [("test", "run"), ("train", "run"), ("val", "jump")]
    root = make(tmp_path / "b", "Training/run/a.mp4", "testing/run/a.mp4", "validation/jump/b.mp4")
    rows = Folder(root=root).clips().to_pylist()
    assert [(row["split"], row["label"]) for row in rows] == [("train", "run"), ("test", "run"), ("val", "jump")]


def test_training_and_testing_may_be_classes(tmp_path: Path) -> None:
    table = Folder(root=make(tmp_path, "training/a.mp4", "testing/a.mp4")).clips()
    assert table["label"].to_pylist() == ["testing", "training"]


def test_split_folders_beside_others_are_refused_with_the_remedy(tmp_path: Path) -> None:
    root = make(tmp_path, "train/run/a.mp4", "test/run/a.mp4", "vali/run/b.mp4", "extra/run/c.mp4")
    with pytest.raises(ManifestError, match=r"with others: move extra away, rename vali to val$"):
        Folder(root=root).clips()
    (root / "a").mkdir()
    with pytest.raises(ManifestError, match=r"with others: rename tset to test$"):
        Folder(root=make(root / "a", "Train/run/a.mp4", "tset/run/a.mp4")).clips()


@pytest.mark.parametrize(("split", "stray"), [("", "b.mp4"), ("train/", "train/b.mp4")])
def test_what_is_skipped_is_said(tmp_path: Path, split: str, stray: str) -> None:
    root = make(tmp_path, f"{split}run/a.mp4", f"{split}run/notes.txt", stray)
    said = [(f"{split}run/notes.txt", "not a video by its extension"), (stray, "not in a class folder")]
    assert Folder(root=root).skipped() == sorted(said)


def test_splits_are_drawn_class_by_class_and_stay(tmp_path: Path) -> None:
    root = make(tmp_path, *(f"{label}/{i}.mp4" for label in ("run", "jump") for i in range(20)))
    stage = Folder(root=root, test_share=0.25, val_share=0.1)
    before = {row["clip_id"]: row for row in stage.clips().to_pylist()}
    for label in ("run", "jump"):
        splits = [row["split"] for row in before.values() if row["label"] == label]
        assert (splits.count("test"), splits.count("val"), splits.count("train")) == (5, 2, 13)
    make(root, "run/new.mp4")
    after = {row["clip_id"]: row["split"] for row in stage.clips().to_pylist()}
    changed = [name for name, row in before.items() if after[name] != row["split"]]
    assert len(changed) <= 2 and all(name.startswith("run/") for name in changed)


def test_skeletons_are_found_by_path_or_name(tmp_path: Path) -> None:
    root = make(tmp_path / "videos", "run/a.mp4", "run/b.mp4", "run/c.mp4")
    poses = make(tmp_path / "poses", "run/a.npz", "b.npz")
    table = Folder(root=root, skeletons=poses).clips()
    assert table["skeleton_path"].to_pylist() == [str(poses / "run/a.npz"), str(poses / "b.npz"), None]
    assert [source is None for source in table["skeleton_source"].to_pylist()] == [False, False, True]


def test_errors_name_the_folder_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"there is no folder .*nowhere"):
        Folder(root=tmp_path / "nowhere").clips()
    with pytest.raises(ManifestError, match="no videos below"):
        Folder(root=tmp_path).clips()
    with pytest.raises(ManifestError, match="class folders"):
        Folder(root=make(tmp_path, "a.mp4")).clips()
    with pytest.raises(ValidationError, match="nothing to train on"):
        Folder(root=tmp_path, test_share=0.6, val_share=0.4)


def test_a_skeleton_file_does_not_serve_two_classes(tmp_path: Path) -> None:
    for name in ("wave/0001.mp4", "clap/0001.mp4", "clap/0002.mp4"):
        (tmp_path / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "videos" / name).touch()
    (tmp_path / "skeletons").mkdir()
    (tmp_path / "skeletons" / "0002.npz").touch()
    source = Folder(root=tmp_path / "videos", skeletons=tmp_path / "skeletons")
    assert source.clips()["skeleton_path"].null_count == 2
    (tmp_path / "skeletons" / "0001.npz").touch()
    with pytest.raises(ManifestError, match=r"0001\.npz could be of any of 2 videos called 0001"):
        source.clips()
    (tmp_path / "skeletons" / "wave").mkdir()
    (tmp_path / "skeletons" / "wave" / "0001.npz").touch()
    (tmp_path / "skeletons" / "0001.npz").unlink()
    assert source.clips()["skeleton_path"].null_count == 1
