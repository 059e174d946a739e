import os

import pyarrow as pa
import pytest
from pydantic import BaseModel

from pipeline.errors import ManifestError
from pipeline.keys import canonical, digest, framed, keyed_parameters, partition_bounds, row_texts, stage_identity
from pipeline.stage import Stage, added, unkeyed


def cut(ids: list[str], mean: int = 8) -> list[tuple[str, ...]]:
    ids = sorted(ids)
    return [tuple(ids[start:stop]) for start, stop in partition_bounds(ids, mean)]


def test_partitions_cover_all_clips_in_order() -> None:
    ids = [f"clip-{i:05}" for i in range(1000)]
    assert [clip for partition in cut(ids) for clip in partition] == ids


def test_partitions_have_about_the_mean_size_and_never_four_times_it() -> None:
    sizes = [len(partition) for partition in cut([f"clip-{i}" for i in range(20000)], 32)]
    assert 24 < sum(sizes) / len(sizes) < 40
    assert max(sizes) <= 128


@pytest.mark.parametrize("new", ["clip-00000a", "clip-00500a", "zzz"])
def test_an_added_clip_changes_its_own_partition_only(new: str) -> None:
    ids = [f"clip-{i:05}" for i in range(1000)]
    before, after = set(cut(ids)), set(cut([*ids, new]))
    assert len(after - before) <= 2
    assert len(before - after) <= 1


def test_digest_keeps_parts_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("a") != digest("a", "")
    assert len(digest()) == 32


@pytest.mark.parametrize("texts", [[], [""], ["a", "", "ä→", "b" * 300], ["x"] * 1000])
def test_framed_strings_have_the_digest_of_strings(texts: list[str]) -> None:
    content, begins = framed(pa.array(texts, pa.string()))
    assert digest("first", content) == digest("first", *texts)
    assert begins[0] == 0 and begins[-1] == len(content)
    half = len(texts) // 2
    assert digest(content[begins[half] :]) == digest(*texts[half:])
    later, _ = framed(pa.array(["other", *texts], pa.string()).slice(1))
    assert later == content


def test_row_texts_tell_values_nulls_and_columns_apart() -> None:
    table = pa.table({"a": ["x", None, "", "1:x"], "b": ["", "x", "x", None]})
    texts = row_texts(table, ["a", "b"]).to_pylist()
    assert len(set(texts)) == 4


class Example(Stage):
    amount: int = 1
    threads: int = unkeyed(2)


def test_unkeyed_parameters_stay_out_of_the_key() -> None:
    assert keyed_parameters(Example(amount=3, threads=9)) == {"amount": 3}


def test_an_added_parameter_is_in_the_key_only_where_it_is_not_the_default() -> None:
    class Grown(Example):
        size: tuple[int, int] | None = added(None)

    assert keyed_parameters(Grown(amount=3)) == {"amount": 3}
    assert keyed_parameters(Grown(amount=3, size=(4, 5))) == {"amount": 3, "size": [4, 5]}


def test_an_added_parameter_of_a_group_is_in_the_key_only_where_it_is_not_the_default() -> None:
    class Group(BaseModel):
        size: int = 1
        turn: float = added(0.0)

    class Grouped(Example):
        group: Group = Group()

    assert keyed_parameters(Grouped()) == {"amount": 1, "group": {"size": 1}}
    assert keyed_parameters(Grouped(group=Group(turn=2))) == {"amount": 1, "group": {"size": 1, "turn": 2.0}}


def test_files_count_by_content(tmp_path) -> None:
    weights = tmp_path / "weights.bin"

    class WithFile(Example):
        def files(self):
            return (weights,)

    with pytest.raises(ManifestError, match=r"weights\.bin"):
        stage_identity("m:C", WithFile())
    weights.write_bytes(b"one")
    first = canonical(stage_identity("m:C", WithFile()))
    weights.write_bytes(b"three")
    assert canonical(stage_identity("m:C", WithFile())) != first
    weights.write_bytes(b"one")
    assert canonical(stage_identity("m:C", WithFile())) == first
    stat = weights.stat()
    weights.write_bytes(b"two")
    os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as cp -p does
    assert canonical(stage_identity("m:C", WithFile())) != first


def test_a_column_that_was_added_later_counts_only_where_it_has_a_value() -> None:
    old = pa.table({"clip_id": ["a", "b", "c"], "start": pa.array([1.0, None, None])})
    entry = pa.field("entry", pa.string(), metadata={"role": "content", "added": "true"})
    group = pa.field("group", pa.string(), metadata={"role": "annotation", "added": "true"})
    new = old.append_column(entry, pa.array([None, "x", None])).append_column(group, pa.array([None, None, "x"]))
    texts = row_texts(new, ["clip_id", "start", "entry", "group"]).to_pylist()
    assert texts[0] == row_texts(old, ["clip_id", "start"])[0].as_py()
    assert len(set(texts)) == 3
    assert texts[1].removeprefix("1:b,null,") != texts[2].removeprefix("1:c,null,")
