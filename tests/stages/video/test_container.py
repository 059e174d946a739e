"""Errors of reading: the file's fault, or the disk's."""

import errno
import os
from pathlib import Path

import pytest

from pipeline.errors import ClipError
from stages.sources.files import find_videos
from stages.video.container import check_disk, open_container


@pytest.mark.parametrize("number", [errno.EIO, errno.ETIMEDOUT])
def test_only_where_the_disk_fails_is_it_to_blame_for_an_error_of_reading(tmp_path: Path, number: int) -> None:
    """FFmpeg's own words for a file that was cut off are those of a disk that fails."""
    whole = tmp_path / "whole"
    whole.write_bytes(bytes(2**21))
    check_disk(str(whole), OSError(number, "as FFmpeg says it"))
    with pytest.raises(OSError, match="Input/output error"):
        check_disk("/proc/self/mem", OSError(number, "as FFmpeg says it"))
    check_disk("/proc/self/mem", ValueError("damaged"))


def test_why_a_listed_file_is_not_there(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xffa")).mkdir()
    for name in (b"ubel\xfc.mp4", b"\xffa/b.mp4", b"gone.mp4"):
        (tmp_path / os.fsdecode(name)).touch()
    (tmp_path / "link.mp4").symlink_to(os.fsdecode(b"no\xffwhere/else.mp4"))
    videos, _ = find_videos(tmp_path, "videos")
    (tmp_path / "gone.mp4").unlink()
    said = {}
    for video in videos:
        with pytest.raises(ClipError) as caught:
            open_container(video.path)
        said[video.name] = str(caught.value)
    assert said == {
        "ubel\\xfc.mp4": "its name is not UTF-8: rename it",
        "\\xffa/b.mp4": "its name is not UTF-8: rename it",
        "gone.mp4": "no such file: was it moved or renamed?",
        "link.mp4": "a link that leads nowhere: no\\xffwhere/else.mp4",
    }
