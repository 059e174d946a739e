"""Videos that are there twice."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.stage import Problem
from stages.places import fingerprint
from stages.sources import copies as module
from stages.sources.copies import END, copies
from stages.tables import CLIPS
from stages.train.stage import Train

LONG = bytes(range(256)) * 200
"""More than both ends, so that there is a middle."""


def index(root: Path, *clips: tuple[str, str | None, str | None], start: float | None = None) -> pa.Table:
    """Clips with these names, labels and splits."""
    return pa.Table.from_pylist(
        [
            {"clip_id": name, "source": fingerprint(root / name), "path": str(root / name), "label": label}
            | {"split": split, "start": start}
            for name, label, split in clips
        ],
        CLIPS.schema,
    )


def put(root: Path, **content: bytes) -> None:
    for name, own in content.items():
        (root / name).write_bytes(own)


def said(clips: pa.Table, all_of_them: bool = True) -> list[str]:
    found = list(copies(clips, all_of_them))
    assert not any(problem.fatal for problem in found)
    return [problem.text for problem in found]


def test_copies_in_several_splits_and_classes(tmp_path: Path) -> None:
    put(tmp_path, a=LONG, b=LONG, c=b"short", d=b"short", e=b"other", f=LONG[:-1])
    rows = [("a", "run", "train"), ("b", "run", "test"), ("c", "run", "train"), ("d", "walk", "train")]
    assert said(index(tmp_path, *rows, ("e", "run", "val"), ("f", "run", "val"))) == [
        "1 video stands in several splits, with the same bytes under several names: a (train) and b (test); figures "
        "will be better than for new videos, so keep one of each",
        "1 video has several classes, with the same bytes under several names: c (run) and d (walk); decide which is "
        "right",
    ]


def test_copies_of_one_class_and_split_are_said_where_all_are_asked_for(tmp_path: Path) -> None:
    put(tmp_path, a=LONG, b=LONG)
    clips = index(tmp_path, ("a", "run", "train"), ("b", "run", "train"))
    assert said(clips, all_of_them=False) == []
    assert "1 video is listed more than once, with the same bytes under several names: a and b;" in said(clips)[0]
    assert [*Train().prepare(clips, fetch=True)] == []
    assert [type(problem) for problem in Train().prepare(clips, fetch=False)] == [Problem]


@pytest.mark.parametrize("place", [0, END + 1, len(LONG) // 2, len(LONG) - END - 1, len(LONG) - 1])
def test_one_other_byte_makes_another_video(tmp_path: Path, place: int) -> None:
    changed = bytearray(LONG)
    changed[place] ^= 1
    put(tmp_path, a=LONG, b=bytes(changed))
    assert said(index(tmp_path, ("a", "run", "train"), ("b", "run", "test"))) == []


def test_folders_of_images(tmp_path: Path) -> None:
    for folder, names in (("a", ("1.jpg", "2.jpg")), ("b", ("img1.jpg", "img2.jpg")), ("c", ("1.jpg", "2.jpg"))):
        (tmp_path / folder).mkdir()
        for name, content in zip(names, (b"one", b"TWO" if folder == "c" else b"two"), strict=True):
            (tmp_path / folder / name).write_bytes(content)
    clips = index(tmp_path, ("a", "run", "train"), ("b", "run", "test"), ("c", "run", "test"))
    assert ["a (train) and b (test)" in text for text in said(clips)] == [True]


def test_parts_of_one_file_are_no_copies(tmp_path: Path) -> None:
    put(tmp_path, a=LONG)
    one, other = index(tmp_path, ("a", "run", "train"), start=0.0), index(tmp_path, ("a", "walk", "test"), start=1.0)
    assert said(pa.concat_tables([one, other])) == []


def test_what_cannot_be_read_is_left_to_decoding(tmp_path: Path) -> None:
    put(tmp_path, a=LONG, b=LONG, empty=b"", nothing=b"")
    (tmp_path / "folder").mkdir()
    clips = index(tmp_path, *((name, "run", "test") for name in ("gone", "a", "b", "empty", "nothing", "folder")))
    (tmp_path / "b").unlink()
    remote = clips.set_column(5, "path", pa.array([f"s3://videos/{name}" for name in range(len(clips))]))
    assert clips.schema.field(5).name == "path"
    assert said(clips) == said(remote) == []


def test_only_files_of_one_size_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    digest = module._digest
    monkeypatch.setattr(module, "_digest", lambda read, path: opened.append(Path(path).name) or digest(read, path))
    put(tmp_path, a=LONG, b=b"b", c=b"c", d=LONG * 2)
    said(index(tmp_path, *((name, "run", "test") for name in "abcd")))
    assert opened == ["b", "c"]
