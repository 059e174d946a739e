"""Clips: sorted, cut, and as their table is declared."""

import numpy as np
import pyarrow as pa
import pytest

import pipeline.clips
from pipeline.clips import Clips, listed_clips
from pipeline.errors import ManifestError
from toy_stages import Numbers


def table(**columns: list) -> pa.Table:
    """Three clips, with some columns replaced."""
    rows = {"clip_id": ["c", "a", "b"], "number": [3, 1, 2], "path": ["C", "A", "B"]} | columns
    annotations = {"label": ["x"] * 3, "split": ["train"] * 3}
    return pa.table(annotations | rows, schema=None).select(Numbers.makes.schema.names).cast(Numbers.makes.schema)


def test_clips_are_sorted_and_cut() -> None:
    clips = Clips(table(), 1)
    assert list(clips.ids()) == ["a", "b", "c"]
    assert clips.table["number"].to_pylist() == [1, 2, 3]
    assert [row for start, stop in clips.bounds for row in range(start, stop)] == [0, 1, 2]
    assert len(clips.bounds) == 3


def test_two_clips_with_the_same_id_are_refused() -> None:
    with pytest.raises(ManifestError, match=r"^two clips have the id 'a'; every clip needs its own$"):
        Clips(table(clip_id=["a", "b", "a"]), 32)


def test_map_stages_see_no_annotations() -> None:
    assert Clips(table(), 32).unannotated.column_names == ["clip_id", "number", "path"]


def test_the_content_of_a_clip_is_neither_its_place_nor_its_annotation() -> None:
    contents = content(table())
    assert content(table(path=["X", "Y", "Z"])) == contents
    assert content(table(label=["y"] * 3, split=["test"] * 3)) == contents
    other = content(table(number=[3, 9, 2]))
    assert [one == two for one, two in zip(other, contents, strict=True)] == [False, True, True]


def test_contents_and_digests_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    contents, digest = content(table()), Clips(table(), 32).digest
    monkeypatch.setattr(pipeline.clips, "BLOCK", 2)
    assert content(table()) == contents
    assert Clips(table(), 32).digest == digest


def content(clips: pa.Table) -> list[bytes]:
    found = Clips(clips, 32)
    each = [b"".join(found.content(range(row, row + 1))) for row in range(clips.num_rows)]
    assert b"".join(each) == b"".join(found.content(range(clips.num_rows)))
    assert each[::2] == [*map(bytes, found.content(np.arange(0, clips.num_rows, 2)))]
    return each


def test_whole_stages_depend_on_annotations_but_not_on_places() -> None:
    clips = Clips(table(), 32)
    assert Clips(table(path=["X", "Y", "Z"]), 32).digest == clips.digest
    for other in (table(label=["y", "x", "x"]), table(split=["test", "train", "train"]), table(number=[3, 9, 2])):
        assert Clips(other, 32).digest != clips.digest


def test_clips_are_as_their_table_is_declared() -> None:
    table = Numbers(count=2).clips()
    bare = table.select(["number", "clip_id", "path"]).cast(
        pa.schema([("number", pa.int32()), ("clip_id", pa.string()), ("path", pa.string())])
    )
    listed = listed_clips(type("Bare", (Numbers,), {"clips": lambda self: bare})(count=2))
    assert listed["label"].null_count == 2
    for name in table.column_names:
        assert listed.schema.field(name).metadata == table.schema.field(name).metadata
    for wrong, message in (
        (table.drop_columns("clip_id"), "lists clips without clip_id"),
        (table.set_column(1, "number", pa.array(["one", "two"])), "does not list clips as declared"),
    ):
        kind = type("Wrong", (Numbers,), {"clips": lambda self, wrong=wrong: wrong})
        with pytest.raises(ManifestError, match=message):
            listed_clips(kind(count=2))
