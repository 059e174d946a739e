"""Folders named after their classes."""

import hashlib
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


def test_without_groups_the_draw_is_by_the_smallest_hashes(tmp_path: Path) -> None:
    """Published figures depend on this draw."""
    root = make(
        tmp_path, *(f"{label}/{i}.mp4" for i in range(23) for label in ("run", "jump") if i < 11 or label == "run")
    )
    splits = {
        row["clip_id"]: row["split"] for row in Folder(root=root, test_share=0.3, val_share=0.2).clips().to_pylist()
    }
    for label in ("run", "jump"):
        names = [name for name in splits if name.startswith(label)]
        names.sort(key=lambda name: hashlib.blake2b(name.encode(), digest_size=8).digest())
        test, val = round(0.3 * len(names)), round(0.2 * len(names))
        assert [splits[name] for name in names] == ["test"] * test + ["val"] * val + ["train"] * (
            len(names) - test - val
        )


def test_clips_of_a_recording_share_a_split(tmp_path: Path) -> None:
    names = [f"{label}/day{i // 4}_{label}_{i}.mp4" for label in ("run", "jump") for i in range(80)]
    stage = Folder(root=make(tmp_path, *names), test_share=0.25, val_share=0.1, group="{group}_{label}_{clip}")
    table = stage.clips()
    splits: dict[str, set[str]] = {}
    for row in table.to_pylist():
        splits.setdefault(row["group"], set()).add(row["split"])
    assert len(splits) == 20 and all(len(own) == 1 for own in splits.values())
    drawn = table["split"].to_pylist()
    assert (drawn.count("test"), drawn.count("val")) == (40, 16)
    assert list(stage.check(table, {})) == []
    alone = Folder(root=tmp_path, test_share=0.25, group="{label}/{group}")
    assert alone.clips()["split"].to_pylist().count("test") == 40


def test_names_that_look_like_recordings_are_noticed(tmp_path: Path) -> None:
    root = make(tmp_path, *(f"{label}/v{i // 4}_part{i % 4}.mp4" for label in ("run", "jump") for i in range(16)))
    (problem,) = Folder(root=root).check(Folder(root=root).clips(), {})
    assert "such as jump/v" in problem.text and "set index.group to a pattern such as '{group}_part" in problem.text
    stage = Folder(root=root, group="{group}_part{number}")
    assert list(stage.check(stage.clips(), {})) == []


def test_folders_of_images_are_clips_where_there_are_no_videos(tmp_path: Path) -> None:
    root = make(
        tmp_path, *(f"{label}/take.{i}/img_{n}.jpg" for label in ("x", "y") for i in range(2) for n in range(3))
    )
    make(root, "x/notes.txt", "y/lonely/cover.png")
    table = Folder(root=root).clips()
    assert table["clip_id"].to_pylist() == ["x/take.0", "x/take.1", "y/take.0", "y/take.1"]
    assert table["source"][0].as_py().startswith("3:") and table["path"][0].as_py() == str(root / "x/take.0")
    assert [name for name, _ in Folder(root=root).skipped()] == ["x/notes.txt", "y/lonely/cover.png"]
    make(root, "x/a.mp4")  # then the images are something else, such as thumbnails
    assert Folder(root=root).clips()["clip_id"].to_pylist() == ["x/a.mp4"]


def test_awkward_folders(shared_data: Path) -> None:
    folders = shared_data / "awkward/f01_folders"
    splits = Folder(root=folders / "splits").clips()["split"].to_pylist()
    assert sorted(splits) == ["test"] * 6 + ["train"] * 6 + ["val"] * 6
    frames = Folder(root=folders / "rawframes").clips()
    assert len(frames) == 6 and set(frames["split"].to_pylist()) == {"train", "test"}
    few = Folder(root=folders / "few", test_share=0.5).clips()["split"].to_pylist()
    assert (few.count("train"), few.count("test")) == (3, 3)


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


def test_classes_of_two_clips_have_no_test_clip_and_that_is_said(tmp_path: Path) -> None:
    for name in ("x/a.mp4", "x/b.mp4", "y/a.mp4", "y/b.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    source = Folder(root=tmp_path)
    (said,) = source.check(source.clips(), {})
    assert said.text.startswith("no class has a test clip: they have too few clips") and not said.fatal
    larger = Folder(root=tmp_path, test_share=0.5)
    assert list(larger.check(larger.clips(), {})) == []


def test_corrections_are_more_clips_for_training(tmp_path: Path) -> None:
    root = make(tmp_path / "a", *(f"{name}/{number}.mp4" for name in ("run", "jump") for number in range(10)))
    alone = Folder(root=root).clips()
    new = make(tmp_path / "new", "day.mp4")
    corrections = tmp_path / "corrections.csv"
    corrections.write_text(f"path,label,start,end\n{new}/day.mp4,run,0,1.5\n{new}/day.mp4,fall,1.5,4\n")
    rows = Folder(root=root, corrections=corrections).clips().to_pylist()
    assert rows[:20] == alone.to_pylist(), "what is there stays as it was, splits too"
    added = [(row["label"], row["split"], row["start"], row["end"], row["path"]) for row in rows[20:]]
    assert added == [("run", "train", 0, 1.5, f"{new}/day.mp4"), ("fall", "train", 1.5, 4, f"{new}/day.mp4")]
    with pytest.raises(ManifestError, match="gone"):
        Folder(root=root, corrections=tmp_path / "gone.csv").clips()


def test_videos_without_skeletons_are_said(tmp_path: Path) -> None:
    root = make(tmp_path / "videos", *(f"{name}/{number}.mp4" for name in ("run", "jump") for number in range(5)))
    make(tmp_path / "skeletons", "run/0.npz", "run/1.npz")
    some = Folder(root=root, skeletons=tmp_path / "skeletons", test_share=0)
    (problem,) = some.check(some.clips(), {})
    assert problem.text.startswith("skeletons: 8 of 10 videos have none in ") and not problem.fatal
    assert "such as jump/0.mp4: " in problem.text
    none = Folder(root=root, skeletons=make(tmp_path / "other", "RUN/0.npz"), test_share=0)
    (problem,) = none.check(none.clips(), {})
    assert problem.fatal and "10 of 10 videos" in problem.text
