"""JSON files that are damaged or made to harm end with an error that names the place."""

import os
from pathlib import Path

import pytest

from pipeline.errors import ClipError
from stages.skeletons.formats import entries, read_skeletons
from stages.skeletons.json_file import read_json_file


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1, cannot be read as JSON: it ends in the middle"),
        (b'{"images": [\n{"id": 1, ', "line 2, cannot be read as JSON: it ends in the middle: copy or write it again"),
        (b'{"images": [\n{"id" 1}]}', "line 2, cannot be read as JSON: Expecting ':' delimiter"),
        (b"\xff\xfe\x00", "cannot be read as JSON: not UTF-8"),
        (b"[" * 200_000, "nested too deeply|ends in the middle"),
        (b'{"a":' * 200_000, "nested too deeply|ends in the middle"),
        (b"[" + b"9" * 5000 + b"]", "cannot be read as JSON: Exceeds the limit"),
        (b"[]", "has no people in any frame"),
        (b"7", "is of no known format"),
        (b'"text"', "is of no known format"),
        (b"null", "is of no known format"),
        (b'{"a": {"b": 1}}', "is of no known format"),
    ],
)
def test_damaged_files(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    for _ in range(2):  # the second time from memory
        with pytest.raises(ClipError, match=message) as error:
            read_skeletons(path)
        assert str(path) in str(error.value)


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf[]")
    with pytest.raises(ClipError, match="no people"):
        read_skeletons(path)


def test_a_file_of_3_gb_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.touch()
    os.truncate(path, 3 * 2**30)  # without content, so it takes no room
    with pytest.raises(ClipError, match=r"has 3\.0 GB, more than 2 GB: split it"):
        entries(path)


def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for name in ("wave", "running"):
        path.write_text(
            f'{{"images": [{{"id": 0, "file_name": "{name}/0.jpg"}}], "annotations": []}}',
        )
        assert list(entries(path) or ()) == [name]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\x89PNG\r\n\x1a\n", "is a PNG image, not JSON"),
        (b"<html>", "is a web page"),
        (b"frame,x,y\n1,2,3\n", "is a text that begins with 'frame,x,y', not JSON"),
        ('{"a": "é"}'.encode("latin-1"), "cannot be read as JSON: not UTF-8"),
        (b'{"a": 1', "it ends in the middle"),
    ],
)
def test_files_that_are_no_json(tmp_path: Path, content: bytes, text: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ClipError, match=text):
        read_json_file(tmp_path / "a.json", "the file")
