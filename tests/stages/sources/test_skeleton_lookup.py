"""Skeletons of any format are found beside their videos."""

import json
from pathlib import Path

import pytest

from pipeline.errors import ManifestError
from stages.sources.files import skeleton_fingerprint
from stages.sources.skeleton_entries import matched
from stages.sources.skeleton_lookup import find_skeletons


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def found(folder: Path, *videos: str) -> list[Path | None]:
    skeletons = find_skeletons(videos, folder)
    assert skeletons.entries == [None] * len(videos)
    assert skeletons.sources == [path and skeleton_fingerprint(path) for path in skeletons.paths]
    return [path and Path(path) for path in skeletons.paths]


@pytest.mark.parametrize("extension", [".npz", ".skeleton", ".mat", ".json", ".csv"])
@pytest.mark.parametrize("folder", ["wave/", ""])
def test_files_of_any_format(extension: str, folder: str, tmp_path: Path) -> None:
    file = touch(tmp_path / f"{folder}a.b{extension}")
    assert found(tmp_path, "wave/a.b.mp4", "wave/a.mp4") == [file, None]


def test_a_folder_of_json_files(tmp_path: Path) -> None:
    touch(tmp_path / "wave" / "a" / "a_000000000000_keypoints.json")
    touch(tmp_path / "wave" / "b" / "000.jpg")
    assert found(tmp_path, "wave/a.mp4", "wave/b.mp4") == [tmp_path / "wave" / "a", None]


def test_the_class_folder_counts_before_the_root_and_npz_before_others(tmp_path: Path) -> None:
    for name in ("a.npz", "wave/a.json", "wave/a.npz"):
        touch(tmp_path / name)
    assert found(tmp_path, "wave/a.mp4") == [tmp_path / "wave" / "a.npz"]
    with pytest.raises(ManifestError, match=r"a\.npz could be of any of 2 videos called a"):
        found(tmp_path, "wave/a.mp4", "jump/a.mp4")


def test_a_file_for_all_names_the_clips_as_the_videos(tmp_path: Path) -> None:
    path = tmp_path / "all.json"
    names = ("wave/a/0.jpg", "jump/a.mp4/0.jpg", "b/0.jpg", "c/0.jpg")
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    path.write_text(json.dumps({"images": images, "annotations": []}))
    paths, sources, entries = find_skeletons(["wave/a.mp4", "jump/a.mp4", "wave/b.avi", "wave/d.avi"], path)
    assert entries == ["wave/a", "jump/a.mp4", "b", None]
    assert paths == [*[str(path)] * 3, None] and sources == [*[skeleton_fingerprint(path)] * 3, None]


def test_no_skeletons(tmp_path: Path) -> None:
    assert find_skeletons(["wave/a.mp4"], None) == ([None], [None], [None])
    assert found(tmp_path, "wave/a.mp4") == [None]
    with pytest.raises(ManifestError, match=r"skeletons: there is no folder or file .*/none"):
        find_skeletons(["wave/a.mp4"], tmp_path / "none")
    with pytest.raises(ManifestError, match=r"a\.json cannot be read as JSON|a\.json, line 1"):
        find_skeletons(["wave/a.mp4"], touch(tmp_path / "a.json"))
    (tmp_path / "a.json").write_text("[[]]")
    with pytest.raises(ManifestError, match="is of one clip: name a folder of such files"):
        find_skeletons(["wave/a.mp4"], tmp_path / "a.json")


def test_extensions_in_capitals(tmp_path: Path) -> None:
    (tmp_path / "walk").mkdir()
    (tmp_path / "walk" / "a.NPZ").touch()
    assert found(tmp_path, "walk/a.mp4") == [tmp_path / "walk" / "a.NPZ"]


def test_folders_of_images_may_have_dots_in_their_names(tmp_path: Path) -> None:
    files = [touch(tmp_path / "walk" / name) for name in ("s1.t1.npz", "s1.t2.npz", "s1.npz")]
    assert found(tmp_path, "walk/s1.t1", "walk/s1.t2", "walk/s1.t3") == [files[0], files[1], None]
    assert matched(["walk/s1.t1", "walk/s1.t3"], {"s1.t1", "s1"}) == ["s1.t1", None]


def test_skeletons_of_one_name_are_not_those_of_two_videos(tmp_path: Path) -> None:
    touch(tmp_path / "walk" / "a.npz")
    with pytest.raises(ManifestError, match=r"a\.npz could be of any of 2 videos called walk/a: "):
        found(tmp_path, "walk/a.mp4", "walk/a.avi")
