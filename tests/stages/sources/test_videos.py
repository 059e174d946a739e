"""Videos without labels, whole and in windows."""

import os
import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError
from video_files import write_video

from pipeline.errors import ManifestError
from stages.sources.videos import Videos, seconds_since_change


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_video(tmp_path / "a" / "long.mp4", count=65, rate=10)
    write_video(tmp_path / "short.mp4", count=10, rate=10)
    (tmp_path / "broken.mp4").write_text("no video")
    (tmp_path / "notes.txt").touch()
    return tmp_path


def test_without_a_window_every_video_is_whole(root: Path) -> None:
    table = Videos(root=root).clips()
    assert table["clip_id"].to_pylist() == ["a/long.mp4", "broken.mp4", "short.mp4"]
    assert table["label"].null_count == table["split"].null_count == table["start"].null_count == 3


def test_long_videos_become_windows_that_cover_them(root: Path) -> None:
    rows = Videos(root=root, window=2, stride=1.5).clips().to_pylist()
    assert [row["clip_id"] for row in rows if row["start"] is None] == ["broken.mp4", "short.mp4"]
    spans = [(row["start"], row["end"]) for row in rows if row["start"] is not None]
    assert spans == [(0.0, 2.0), (1.5, 3.5), (3.0, 5.0), (4.5, 6.5)]
    assert rows[0]["clip_id"] == "a/long.mp4@00000.000-00002.000"
    spans = [(row["start"], row["end"]) for row in Videos(root=root, window=2.5).clips().to_pylist() if row["end"]]
    assert spans[0][0] == 0 and spans[-1][1] == 6.5
    assert all(later[0] <= earlier[1] for earlier, later in pairwise(spans))


def test_a_single_file_is_taken_whatever_it_is_called(root: Path) -> None:
    rows = Videos(root=root / "a" / "long.mp4", window=4).clips().to_pylist()
    assert [row["clip_id"] for row in rows] == [
        "long.mp4@00000.000-00004.000",
        "long.mp4@00002.000-00006.000",
        "long.mp4@00002.500-00006.500",
    ]
    source = Videos(root=root / "notes.txt")
    assert source.clips()["clip_id"].to_pylist() == ["notes.txt"]
    assert source.skipped() == []


def test_what_is_skipped_is_said(root: Path) -> None:
    assert Videos(root=root).skipped() == [("notes.txt", "not a video by its extension")]


def test_what_is_made_of_the_videos_is_not_listed(root: Path) -> None:
    (root.parent / "link").symlink_to(root)
    for made in ("out/overlay/a.mp4", "overlay/a.mp4", "previews/b.mp4", "overlay.mp4"):
        write_video(root / made, count=2)

    def listed(root: Path, out: Path) -> set[str]:
        source = Videos(root=root, leave_out=out)
        return set(source.clips()["clip_id"].to_pylist()) - {"a/long.mp4", "broken.mp4", "short.mp4"}

    link = root.parent / "link"
    inside = {"overlay/a.mp4", "overlay.mp4", "previews/b.mp4"}
    assert listed(root, root / "out") == listed(link, root / "out") == listed(root, link / "a/../out") == inside
    assert listed(root, root) == listed(root, link) == {"out/overlay/a.mp4", "overlay.mp4"}
    assert listed(root, root.parent) == inside | {"out/overlay/a.mp4"}


def test_impossible_requests_are_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="stride must not be longer"):
        Videos(root=root, window=1, stride=2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match="no videos below"):
        Videos(root=tmp_path / "empty").clips()


def test_a_clock_that_is_ahead_holds_no_file_back(tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    file.write_bytes(b"video")
    now = time.time()
    for ahead in (-5 * 3600, 0, 5 * 3600):
        os.utime(file, (now + ahead, now + ahead))
        assert 0 <= seconds_since_change(str(file)) < 60


def test_images_have_windows(tmp_path: Path) -> None:
    folder = tmp_path / "walk"
    folder.mkdir()
    for i in range(75):
        cv2.imwrite(str(folder / f"{i}.png"), np.zeros((4, 4, 3), np.uint8))
    clips = Videos(root=tmp_path, window=1, stride=0.5).clips()
    assert list(zip(clips["start"].to_pylist(), clips["end"].to_pylist(), strict=True))[::3] == [(0, 1), (1.5, 2.5)]
    with pytest.raises(
        ManifestError, match=r"\d+.png: an image; the images of each video must be in a folder of their "
    ):
        Videos(root=folder).clips()
