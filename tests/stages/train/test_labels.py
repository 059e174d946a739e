import pyarrow as pa
import pytest

from pipeline.errors import StageError
from stages.tables import CLIPS
from stages.train.labels import training_clips


def index(*rows: tuple[str, str | None, str | None]) -> pa.Table:
    empty = dict.fromkeys(CLIPS.schema.names) | {"source": "1:1", "path": "/a"}
    return pa.Table.from_pylist(
        [empty | {"clip_id": clip_id, "label": label, "split": split} for clip_id, label, split in rows],
        schema=CLIPS.schema,
    )


def test_the_val_split_validates_where_there_is_one():
    clips = index(("a", "run", "train"), ("b", "jump", "val"), ("c", "run", "test"), ("d", "jump", "train"))
    found = training_clips(clips, "abcd", 0.5)
    assert found.class_names == ("jump", "run")
    assert (found.train, found.val) == (("a", "d"), ("b",))
    assert found.targets == {"a": 1, "b": 0, "d": 0}


def test_else_a_share_of_the_training_clips_that_others_do_not_change():
    rows = [(f"{i}", "ab"[i % 2], "train") for i in range(400)]
    ids = [row[0] for row in rows]
    few, all_of_them = training_clips(index(*rows[:200]), ids, 0.2), training_clips(index(*rows), ids, 0.2)
    assert set(few.val) == set(all_of_them.val) & set(ids[:200])
    assert 50 < len(all_of_them.val) < 110
    assert sorted(all_of_them.train + all_of_them.val) == sorted(ids)
    assert training_clips(index(*rows), ids, 0).val == ()


def test_a_recording_is_not_divided():
    rows = [(f"{i:03}", "ab"[i % 2], "train") for i in range(400)]
    clips = index(*rows)
    groups = pa.array([f"recording {i // 5}" if i < 200 else None for i in range(400)], pa.string())
    grouped = clips.set_column(clips.column_names.index("group"), "group", groups)
    ids = [row[0] for row in rows]
    alone, together = training_clips(clips, ids, 0.2), training_clips(grouped, ids, 0.2)
    held_out = {clip_id for clip_id in together.val if int(clip_id) < 200}
    assert held_out == {f"{i:03}" for i in range(200) if f"{i // 5 * 5:03}" in held_out}
    assert 10 < len(held_out) < 80
    assert set(alone.val) - set(ids[:200]) == set(together.val) - held_out  # the others are drawn as before


def test_a_class_whose_clips_all_failed_is_still_a_class():
    found = training_clips(index(("a", "run", "train"), ("b", "jump", "train"), ("c", "sit", "train")), "ac", 0)
    assert found.class_names == ("jump", "run", "sit") and found.train == ("a", "c")


@pytest.mark.parametrize(
    ("rows", "available", "message"),
    [
        ([("a", "run", "test")], "a", r"no clip has the split train \(there are: test\)"),
        ([("a", "run", "train"), ("b", None, "train")], "ab", "1 training clips have no label, the first is b"),
        ([("a", "run", "train"), ("b", "run", "train")], "ab", "all training clips show 'run'"),
        ([("a", "run", "train"), ("b", "jump", "train")], "", "none of the 2 training clips is left"),
    ],
)
def test_nothing_to_learn(rows, available, message):
    with pytest.raises(StageError, match=message):
        training_clips(index(*rows), available, 0.1)


def test_every_class_keeps_a_recording_for_training():
    """However few recordings it has; one recording may show several classes."""
    single = index(*((f"{i}", f"class {i}", "train") for i in range(100)))
    found = training_clips(single, single["clip_id"].to_pylist(), 0.5)
    assert found.val == () and len(found.train) == 100
    pairs = index(*((f"{i}/{j}", f"class {i}", "train") for i in range(200) for j in range(2)))
    found = training_clips(pairs, pairs["clip_id"].to_pylist(), 0.5)
    assert {clip.partition("/")[0] for clip in found.train} == {str(i) for i in range(200)}
    assert 100 < len(found.val) < 200
    films = index(*((f"{i}/{j}", f"class {j}", "train") for i in range(3) for j in range(4)))
    films = films.set_column(films.column_names.index("group"), "group", [[f"{i}" for i in range(3) for _ in range(4)]])
    found = training_clips(films, films["clip_id"].to_pylist(), 0.99)
    assert len(found.train) == 4 and len({clip.partition("/")[0] for clip in found.train}) == 1
