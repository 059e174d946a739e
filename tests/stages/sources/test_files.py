"""Finding videos in folders as they are."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stages.places import fingerprint
from stages.sources.files import LEFTOVER, find_videos, skeleton_fingerprint


def test_links_round_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.mp4").touch()
    (tmp_path / "inner" / "back").symlink_to(tmp_path)
    (tmp_path / "twin").symlink_to(tmp_path / "inner")
    (tmp_path / "broken.mp4").symlink_to(tmp_path / "gone.mp4")
    videos, skipped = find_videos(tmp_path, "videos")
    assert [video.name for video in videos] == ["broken.mp4", "inner/a.mp4", "twin/a.mp4"]
    assert videos[0].source == "missing"
    assert [name for name, _ in skipped] == ["inner/back", "twin/back"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every folder")
def test_unreadable_folders_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "closed").mkdir(mode=0)
    _, skipped = find_videos(tmp_path, "videos")
    assert skipped[0].name == "closed" and "cannot be read" in skipped[0].reason


def test_names_that_are_not_utf8_are_listed(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/caf\xe9.mp4", "wb"):  # noqa: PTH123, a Path cannot hold such a name
        pass
    videos, _ = find_videos(tmp_path, "videos")
    assert videos[0].name == r"caf\xe9.mp4"
    videos[0].path.encode()


def test_other_files_are_named_with_the_reason(tmp_path: Path) -> None:
    for name in ("a.mp4", "notes.txt", ".DS_Store"):
        (tmp_path / name).touch()
    _, skipped = find_videos(tmp_path, "videos")
    assert skipped == [("notes.txt", "not a video by its extension")]


def test_nothing_is_looked_for_in_what_was_left_behind(tmp_path: Path) -> None:
    folders = ["$RECYCLE.BIN", "System Volume Information", "@eaDir", "#recycle", "__MACOSX", ".Trash-1000"]
    folders += ["lost+found", "run/@eaDir", "run/@eaDir/a.mp4"]
    files = [f"{folder}/b.mp4" for folder in folders] + ["run/._a.mp4", "run/~$a.mp4", "run/Thumbs.db", "run/a.mp4"]
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    videos, skipped = find_videos(tmp_path, "videos")
    assert [video.name for video in videos] == ["run/a.mp4"]
    assert skipped == sorted((name, LEFTOVER) for name in (*folders[:-1], "run/._a.mp4", "run/~$a.mp4"))


def test_what_would_be_waited_for_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "live.mp4")
    videos, skipped = find_videos(tmp_path, "videos")
    assert [video.name for video in videos] == ["a.mp4", "gone.mp4"], "a broken link is listed, and fails when opened"
    assert skipped == [("live.mp4", "a pipe or a device, not a file")]


def test_a_fingerprint_changes_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    assert fingerprint(file) == "missing"
    file.write_text("one")
    os.utime(file, ns=(0, 1_000_000_001))
    assert fingerprint(file) == "3:1000000001"


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    for i, name in enumerate(("1.png", "2.png", "3.png")):
        (folder / name).write_text("one")
        os.utime(folder / name, ns=(0, 1_000_000_001 + i))
    return folder


def test_a_fingerprint_of_a_folder_is_that_of_its_files_wherever_it_is(frames: Path, tmp_path: Path) -> None:
    before = fingerprint(frames)
    assert before.startswith("3:9:")
    (frames / "4.png").symlink_to(tmp_path / "nowhere")
    os.utime(frames, ns=(0, 5))
    assert fingerprint(frames) == before
    assert fingerprint(frames.rename(tmp_path / "moved")) == before


def renamed(frames: Path) -> None:
    (frames / "1.png").rename(frames / "9.png")


def reordered(frames: Path) -> None:
    (frames / "1.png").rename(frames / "0.png")
    (frames / "2.png").rename(frames / "1.png")
    (frames / "0.png").rename(frames / "2.png")


def replaced_by_an_older_one_of_the_same_size(frames: Path) -> None:
    (frames / "1.png").write_text("two")
    os.utime(frames / "1.png", ns=(0, 7))


def replaced_by_one_of_the_same_age(frames: Path) -> None:
    (frames / "1.png").write_text("other")
    (frames / "2.png").write_text("o")
    for i, name in enumerate(("1.png", "2.png")):
        os.utime(frames / name, ns=(0, 1_000_000_001 + i))


def removed(frames: Path) -> None:
    (frames / "1.png").unlink()


@pytest.mark.parametrize(
    "change",
    [renamed, reordered, replaced_by_an_older_one_of_the_same_size, replaced_by_one_of_the_same_age, removed],
)
def test_a_fingerprint_of_a_folder_changes_with_any_of_its_images(frames: Path, change: Callable[[Path], None]) -> None:
    before = fingerprint(frames)
    change(frames)
    assert fingerprint(frames) != before


def test_skeletons_of_a_format_whose_reader_has_changed_are_marked(tmp_path: Path) -> None:
    for name in ("a.npz", "a.mat", "a.skeleton", "b.SKELETON"):
        (tmp_path / name).write_text("skeletons")
    for name in ("a.npz", "a.mat"):
        assert skeleton_fingerprint(tmp_path / name) == fingerprint(tmp_path / name)
    for name in ("a.skeleton", "b.SKELETON"):
        assert skeleton_fingerprint(tmp_path / name) == f"{fingerprint(tmp_path / name)}:2"
    assert skeleton_fingerprint(tmp_path / "none.skeleton") == "missing"


def test_a_layout_file_beside_skeletons_counts_by_content(tmp_path: Path) -> None:
    for name, layout in (("a", "own.yaml"), ("b", "coco17")):
        np.savez(tmp_path / f"{name}.npz", keypoints=np.ones((1, 2, 2, 3)), layout=layout)
    assert skeleton_fingerprint(tmp_path / "a.npz") == fingerprint(tmp_path / "a.npz")  # the clip will fail
    found = []
    for joints in ("a, b", "b, a", "a, b"):
        (tmp_path / "own.yaml").write_text(f"joints: [{joints}]")
        found.append(skeleton_fingerprint(tmp_path / "a.npz"))
        assert skeleton_fingerprint(tmp_path / "b.npz") == fingerprint(tmp_path / "b.npz")
    assert found[0] == found[2] != found[1]
    assert found[0].startswith(f"{fingerprint(tmp_path / 'a.npz')}:")
    assert skeleton_fingerprint(tmp_path / "none.npz") == "missing"
