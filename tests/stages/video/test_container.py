"""Errors of reading: the file's fault, or the disk's."""

import errno
from pathlib import Path

import pytest

from stages.video.container import check_disk


@pytest.mark.parametrize("number", [errno.EIO, errno.ETIMEDOUT])
def test_only_where_the_disk_fails_is_it_to_blame_for_an_error_of_reading(tmp_path: Path, number: int) -> None:
    """FFmpeg's own words for a file that was cut off are those of a disk that fails."""
    whole = tmp_path / "whole"
    whole.write_bytes(bytes(2**21))
    check_disk(str(whole), OSError(number, "as FFmpeg says it"))
    with pytest.raises(OSError, match="Input/output error"):
        check_disk("/proc/self/mem", OSError(number, "as FFmpeg says it"))
    check_disk("/proc/self/mem", ValueError("damaged"))
