"""Files that are not what they should be."""

import gzip
import pickle
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.file_kinds import kind_of


def written(folder: Path) -> dict[str, bytes]:
    """The content of real files."""
    image = np.zeros((8, 8, 3), np.uint8)
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("a.txt", "text")
    np.save(folder / "a.npy", image)
    return {
        "zip": (folder / "a.zip").read_bytes(),
        "NumPy": (folder / "a.npy").read_bytes(),
        "PNG": cv2.imencode(".png", image)[1].tobytes(),
        "JPEG": cv2.imencode(".jpg", image)[1].tobytes(),
        "gzip": gzip.compress(b"text"),
        "pickle": pickle.dumps([1]),
        "web page": b"\n<!DOCTYPE HTML>\n<html>",
        "Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
    }


def test_what_a_file_is(tmp_path: Path) -> None:
    for what, content in written(tmp_path).items():
        assert what in (kind_of(content) or ""), what


@pytest.mark.parametrize("text", ["", "path,label\n", "{}", "[]", "\ufeffpath", "<a>"])
def test_texts(text: str) -> None:
    assert kind_of(text.encode()) is None
