"""Files that are there whole, or as they were before."""

from pathlib import Path

import pytest

from pipeline.files import replace_file


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_file_is_made_with_its_folders_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "a.json"
    for content in (b"one", b"two"):
        replace_file(path, content)
        assert path.read_bytes() == content
    assert names(tmp_path) == ["deep/down/a.json"]


def test_it_is_written_under_another_name_first(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    replace_file(tmp_path / "store" / "a", memoryview(b"one"), temporary)
    assert (tmp_path / "store" / "a").read_bytes() == b"one"
    assert names(tmp_path) == ["store/a"] and temporary.is_dir()


def test_where_it_cannot_be_replaced_nothing_half_written_is_left(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(OSError):
        replace_file(tmp_path / "a", b"one")
    assert names(tmp_path) == [] and (tmp_path / "a" / "b").is_dir()


def test_a_reader_never_sees_half_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    replace_file(path, b"old")
    with path.open("rb") as reader:
        replace_file(path, b"something longer")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"something longer"
