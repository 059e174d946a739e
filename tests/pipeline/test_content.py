"""Digests of rows: equal for equal rows, whatever file they come from, and different for different ones."""

import math

import pyarrow as pa
import pytest

from pipeline.content import row_digests
from pipeline.keys import partition_bounds
from toy_manifest import Toy

SCHEMA = pa.schema(
    [("clip_id", pa.string()), ("image", pa.binary()), ("names", pa.list_(pa.string())), ("score", pa.float64())]
)
ROW = {"clip_id": "a", "image": b"12", "names": ["x", "yz"], "score": 0.5}


def digest_of(**change: object) -> str:
    return row_digests(pa.Table.from_pylist([ROW | change], SCHEMA))["a"]


def test_equal_rows_have_equal_digests() -> None:
    others = [ROW | {"clip_id": name, "image": b"other"} for name in "xyz"]
    among_others = pa.Table.from_pylist([*others, ROW], SCHEMA)
    assert row_digests(among_others)["a"] == digest_of()
    assert digest_of(score=math.nan) == digest_of(score=math.nan)


@pytest.mark.parametrize(
    "change",
    [
        {"image": b"13"},
        {"image": None},
        {"image": b""},
        {"names": ["xy", "z"]},
        {"names": ["x", None]},
        {"names": ["x"]},
        {"names": []},
        {"score": 0.25},
        {"score": None},
    ],
    ids=str,
)
def test_different_rows_have_different_digests(change: dict[str, object]) -> None:
    assert digest_of(**change) != digest_of()
    assert digest_of(**dict.fromkeys(change)) != digest_of()


def test_what_a_stage_looks_at_is_the_same_however_clips_are_cut_into_partitions(toy: Toy) -> None:
    ids = sorted(f"clip-{i}" for i in range(40))
    assert len(partition_bounds(ids, 4)) > len(partition_bounds(ids, 1000))
    toy.run("total.split=train")
    toy.all_visits()
    toy.run("total.split=train", "partition=1000")
    assert toy.all_visits() == {"double": 40, "add": 40, "total": 0, "share": 20}
