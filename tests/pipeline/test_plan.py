"""The plan: which partitions there are, what their keys depend on, and which of them have to be computed."""

from pathlib import Path

import pytest

from pipeline.clips import NO_CLIPS
from pipeline.errors import ManifestError
from pipeline.graph import build_graph
from pipeline.manifest import load_manifest
from pipeline.plan import Plan, make_plan
from pipeline.store import Store
from toy_manifest import Toy
from toy_stages import Total

ALL = {"double", "add", "total", "share", "summary"}


def keys(plan: Plan) -> dict[str, list[str]]:
    return {name: node_plan.keys for name, node_plan in plan.nodes.items() if node_plan.keys}


def stages(plan: Plan) -> set[str]:
    """The stages that have something to compute."""
    return {name for name, _ in plan.tasks}


def changed(before: Plan, after: Plan) -> set[str]:
    """The stages of which any key differs."""
    return {name for name in keys(before) if keys(before)[name] != keys(after)[name]}


def forget(toy: Toy, plan: Plan, *tasks: tuple[str, int]) -> None:
    """Delete results from the store."""
    for name, i in tasks:
        Path(plan.nodes[name].path(plan.store, i)).unlink()


# Keys


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("double.factor=3", ALL),
        ("add.amount=5", ALL - {"double"}),
        ("total.scale=2", {"total", "share", "summary"}),
        ("total.weights.odd=3", {"total", "share", "summary"}),
        ("share.split=train", {"share", "summary"}),
        ("index.labels=false", {"total", "share", "summary"}),
        ("double.limit=9", set()),
        ("double.fail=[clip-1]", set()),
        ("total.cpus=3", set()),
        ("name=other", set()),
        ("max_failed=1", set()),
        ("store=elsewhere", set()),
    ],
)
def test_a_setting_changes_the_keys_of_its_stage_and_of_what_follows(
    toy: Toy, setting: str, expected: set[str]
) -> None:
    assert changed(toy.plan(), toy.plan(setting)) == expected


def test_what_a_stage_is_called_is_not_in_its_keys(toy: Toy) -> None:
    before = keys(toy.plan())
    text = toy.path.read_text().replace("double", "twice").replace("toy_stages:Twice", "toy_stages:Double")
    toy.path.write_text(text)
    after = keys(toy.plan())
    assert after["twice"] == before["double"]
    assert after["summary"] == before["summary"]


def test_keys_are_unique_and_the_same_each_time(toy: Toy) -> None:
    found = [key for listed in keys(toy.plan()).values() for key in listed if key]
    assert len(found) == len(set(found)) > 40
    assert keys(toy.plan()) == keys(toy.plan())


def test_an_added_clip_changes_its_partition_and_whole_stages(toy: Toy) -> None:
    before, after = keys(toy.plan()), keys(toy.plan("index.count=41"))
    for stage in ("double", "add"):
        assert len(set(after[stage]) - set(before[stage])) <= 2
        assert len(set(before[stage]) - set(after[stage])) <= 1
        assert after[stage] != before[stage]
    assert after["total"] != before["total"]


def test_a_changed_clip_changes_its_partition_alone(toy: Toy) -> None:
    numbers = toy.folder / "numbers.txt"
    numbers.write_text("".join(f"clip-{i} {i}\n" for i in range(40)))
    before = toy.plan(f"index.file={numbers}")
    numbers.write_text(numbers.read_text().replace("clip-7 7\n", "clip-7 8\n"))
    after = toy.plan(f"index.file={numbers}")
    [partition] = [
        i
        for i, rows in enumerate(before.nodes["double"].rows)
        if list(before.sources["index"].ids()).index("clip-7") in rows
    ]
    for stage in ("double", "add"):
        pairs = zip(keys(before)[stage], keys(after)[stage], strict=True)
        assert [i for i, (one, two) in enumerate(pairs) if one != two] == [partition]


def test_one_more_attempt_changes_the_key_of_a_partition_and_of_what_is_made_from_it(toy: Toy) -> None:
    before = toy.plan()
    before.store.record_attempts({before.nodes["double"].first_keys[3]: 1})
    after = toy.plan()
    assert after.nodes["double"].first_keys == before.nodes["double"].keys
    for stage in ("double", "add"):
        pairs = zip(keys(before)[stage], keys(after)[stage], strict=True)
        assert [i for i, (one, two) in enumerate(pairs) if one != two] == [3]
    assert changed(before, after) == ALL
    after.store.record_attempts({before.nodes["double"].first_keys[3]: 2})
    assert toy.plan().nodes["double"].keys[3] not in (before.nodes["double"].keys[3], after.nodes["double"].keys[3])


# Selected rows


def test_a_stage_that_selects_works_on_these_rows_in_the_partitions_of_the_index(toy: Toy) -> None:
    plan = toy.plan()
    share, double = plan.nodes["share"], plan.nodes["double"]
    ids = list(plan.sources["index"].ids())
    assert [list(rows) for rows in share.rows] == [
        [row for row in rows if int(ids[row].removeprefix("clip-")) % 2] for rows in double.rows
    ]
    assert share.clips_of(0)["clip_id"].to_pylist() == [ids[row] for row in share.rows[0]]
    assert share.clips_of(0).column_names == ["clip_id", "number", "path"]


def test_a_partition_without_a_selected_row_has_no_result(toy: Toy) -> None:
    plan = toy.plan("partition=1")
    share = plan.nodes["share"]
    empty = [i for i, rows in enumerate(share.rows) if not len(rows)]
    assert 0 < len(empty) < len(share.rows)
    assert [i for i, key in enumerate(share.keys) if not key] == empty
    assert [i for i, done in enumerate(share.done) if done] == empty
    assert share.partitions == len(share.paths(plan.store)) == len(share.rows) - len(empty)
    assert not {i for name, i in plan.tasks if name == "share"} & set(empty)


def test_what_follows_a_selection_has_no_more_rows_than_it(toy: Toy) -> None:
    (toy.folder / "plan_selecting.py").write_text(
        "import toy_stages\n\n\n"
        "class Odd(toy_stages.Double):\n"
        "    def select(self, clips):\n"
        "        return clips.filter(toy_stages.pc.equal(clips['split'], 'test'))\n"
    )
    toy.path.write_text(toy.path.read_text().replace("toy_stages:Double", "plan_selecting:Odd"))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(toy.folder))
        plan = toy.plan("partition=1")
        add, double = plan.nodes["add"], plan.nodes["double"]
        assert "" in double.keys
        assert [bool(key) for key in add.keys] == [bool(key) for key in double.keys]
        result = toy.run("partition=1")
    assert result.errors == []
    assert toy.total() == {"total": sum(2 * i + 1 for i in range(1, 40, 2)), "clips": 20}


# Tasks


def test_in_an_empty_store_everything_is_a_task_partition_by_partition_and_whole_stages_last(toy: Toy) -> None:
    plan = toy.plan()
    count = len(plan.nodes["double"].keys)
    assert plan.tasks == [
        *((name, i) for i in range(count) for name in ("double", "add", "share") if plan.nodes[name].keys[i]),
        ("total", 0),
        ("summary", 0),
    ]
    assert {name: plan.todo(name) for name in plan.nodes} == {
        "index": 0,
        "double": count,
        "add": count,
        "total": 1,
        "share": plan.nodes["share"].partitions,
        "summary": 1,
    }
    assert plan.task_of[plan.nodes["add"].keys[2]] == ("add", 2)


def test_nothing_is_a_task_when_everything_is_there(toy: Toy) -> None:
    toy.run()
    assert toy.plan().tasks == []


def test_an_intermediate_result_is_a_task_only_if_something_missing_is_made_from_it(toy: Toy) -> None:
    toy.run()
    plan = toy.plan()
    forget(toy, plan, ("double", 0), ("double", 1), ("add", 1), ("add", 2))
    assert toy.plan().tasks == [], "everything made from them is there"
    forget(toy, plan, ("share", 1))
    assert toy.plan().tasks == [], "so is the summary of the shares"
    forget(toy, plan, ("summary", 0))
    assert toy.plan().tasks == [("double", 1), ("add", 1), ("share", 1), ("summary", 0)]
    forget(toy, plan, ("total", 0))
    assert set(toy.plan().tasks) == {
        *(("double", 1), ("add", 1), ("add", 2), ("share", 1)),
        *(("total", 0), ("summary", 0)),
    }


def make(toy: Toy, **options) -> Plan:
    manifest = load_manifest(toy.path)
    return make_plan(build_graph(manifest), Store(manifest.store), manifest.partition, **options)


def test_only_some_nodes_may_be_computed(toy: Toy) -> None:
    assert stages(make(toy, only={"double"})) == {"double"}
    assert stages(make(toy, only={"double", "add"})) == {"double", "add"}
    with pytest.raises(ManifestError, match=r"^stage 'double' is not done \(partition \d+ of 15\), and what"):
        make(toy, only={"add"})
    toy.run(only="double")
    assert stages(make(toy, only={"add"})) == {"add"}
    assert stages(make(toy, only={"double"})) == set()


def test_an_intermediate_result_is_a_task_if_its_stage_alone_is_asked_for(toy: Toy) -> None:
    toy.run()
    forget(toy, toy.plan(), ("double", 2))
    assert toy.plan().tasks == []
    assert make(toy, only={"double"}).tasks == [("double", 2)]


def test_force_gives_what_is_done_another_attempt_and_what_follows_new_keys(toy: Toy) -> None:
    toy.run()
    plan = make(toy, force={"add"})
    assert stages(plan) == {"add", "total", "share", "summary"}
    assert changed(plan, toy.plan()) == {"add", "total", "share", "summary"}
    assert plan.attempts == dict.fromkeys(plan.nodes["add"].first_keys, 1)
    assert toy.plan().tasks == [], "a plan records nothing"
    with pytest.raises(ManifestError, match="'add' is not done"):
        make(toy, only={"total"}, force={"add", "total"})


def test_force_leaves_the_keys_of_what_is_not_done(toy: Toy) -> None:
    toy.run(only="double")
    plan = make(toy, force={"add"})
    assert plan.attempts == {}
    assert changed(plan, toy.plan()) == set()


# Variants


def test_variants_that_want_the_same_result_share_the_task_of_the_first(toy: Toy) -> None:
    toy.multiply("index", "{labels: [true, false]}")
    plan = toy.plan()
    assert stages(plan) == {
        "double[labels=true]",
        "add[labels=true]",
        "total[labels=true]",
        "total[labels=false]",
        "share[labels=true]",
        "summary",
    }
    first, second = plan.nodes["add[labels=true]"], plan.nodes["add[labels=false]"]
    assert first.keys == second.keys
    assert plan.task_of[second.keys[0]] == ("add[labels=true]", 0)
    assert plan.todo("add[labels=false]") == 0
    toy.run()
    assert toy.all_visits() == {"double": 40, "add": 40, "total": 2, "share": 20}


def test_labels_on_the_axes_are_in_the_keys_of_what_gathers_them_alone(toy: Toy) -> None:
    toy.multiply("total", "{how: {one: {scale: 1}, two: {scale: 2}}}")
    before = keys(toy.plan())
    toy.path.write_text(toy.path.read_text().replace("one:", "first:"))
    after = keys(toy.plan())
    assert after["total[how=first]"] == before["total[how=one]"]
    assert after["share[how=first]"] == before["share[how=one]"]
    assert after["summary"] != before["summary"]


def test_a_whole_stage_is_given_all_columns_of_the_index_and_its_tables(toy: Toy) -> None:
    toy.multiply("total", "{scale: [1, 2]}")
    toy.run()
    plan = toy.plan()
    [variant] = plan.variants("total[scale=2]")
    assert (variant.name, variant.labels) == ("", {})
    assert variant.clips.column_names == ["clip_id", "number", "path", "label", "split"]
    assert variant.inputs["sums"].paths == plan.nodes["add"].paths(plan.store)
    one, two = plan.variants("summary")
    assert [one.name, two.name] == ["scale=1", "scale=2"]
    assert [one.labels, two.labels] == [{"scale": 1}, {"scale": 2}]
    assert [one.inputs["totals"].read()["total"][0].as_py(), two.inputs["totals"].read()["total"][0].as_py()] == [
        1600,
        3200,
    ]


def test_a_whole_stage_is_given_the_clips_that_it_selects_and_the_partitions_that_hold_them(toy: Toy) -> None:
    plan = toy.plan("partition=1", "total.split=train")
    [variant] = plan.variants("total")
    train = set(variant.clips["clip_id"].to_pylist())
    assert train == {f"clip-{i}" for i in range(0, 40, 2)}
    sums = plan.nodes["add"]
    ids = list(plan.sources["index"].ids())
    assert variant.inputs["sums"].paths == [
        sums.path(plan.store, i) for i, rows in enumerate(sums.rows) if train & {ids[row] for row in rows}
    ]
    assert len(variant.inputs["sums"].paths) < len(sums.paths(plan.store))
    assert variant.inputs["sums"].clip_ids == train


def test_other_clips_are_not_in_the_key_of_a_whole_stage_that_selects(toy: Toy) -> None:
    numbers = toy.folder / "numbers.txt"
    clips = {f"clip-{i}": [str(i), "x", "test" if i % 2 else "train"] for i in range(20)}

    def key() -> str:
        numbers.write_text("".join(f"{name} {' '.join(clip)}\n" for name, clip in clips.items()))
        return toy.plan(f"index.file={numbers}", "partition=1", "total.split=train").nodes["total"].keys[0]

    before = key()
    clips["clip-1"][1] = "another label"
    assert key() == before
    clips["clip-2"][1] = "another label"
    assert key() != before


def test_a_version_may_hold_for_some_of_the_selected_clips_only(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    def key(count: int) -> str:
        return toy.plan(f"index.count={count}", "total.split=train").nodes["total"].keys[0]

    few, many = key(4), key(10)
    monkeypatch.setattr(Total, "version", Total.version + 1)
    assert few != key(4) and many != key(10)
    monkeypatch.setattr(Total, "version_for", lambda stage, clips: stage.version - (clips.num_rows < 3))
    assert few == key(4), "two even numbers"
    assert many != key(10)


def test_a_whole_stage_without_a_source_is_given_no_clips(toy: Toy) -> None:
    (toy.folder / "plan_alone.py").write_text("import toy_stages\n\n\nclass Alone(toy_stages.Total):\n    takes = ()\n")
    toy.path.write_text(toy.path.read_text().partition("stages:")[0] + "stages: {alone: {uses: 'plan_alone:Alone'}}")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(toy.folder))
        plan = toy.plan()
    assert plan.tasks == [("alone", 0)]
    assert plan.variants("alone")[0].clips == NO_CLIPS


def test_an_index_without_clips_has_no_partition(toy: Toy) -> None:
    plan = toy.plan("index.count=0")
    assert plan.nodes["double"].keys == []
    assert plan.tasks == [("total", 0), ("summary", 0)]


def test_an_error_of_the_index_names_its_stage_with_file_and_line(toy: Toy) -> None:
    numbers = toy.folder / "numbers.txt"
    numbers.write_text("a 1\na 2\n")
    toy.path.write_text(toy.path.read_text().replace("count: 40", f"file: {numbers}"))
    with pytest.raises(ManifestError, match=r"toy\.yaml:7: stage 'index': two clips have the id 'a'"):
        toy.plan()


# Sources of users

PLAIN = """
from typing import ClassVar

import pyarrow as pa

from pipeline.stage import Source, Table

NUMBERS = [1, 2, 3]


class Plain(Source):
    makes: ClassVar[Table] = Table("clips", pa.schema([("clip_id", pa.string()), ("number", pa.int64())]))

    def clips(self) -> pa.Table:
        return pa.table({"clip_id": [f"clip-{i}" for i in range(len(NUMBERS))], "number": NUMBERS, "more": NUMBERS})
"""


def test_columns_without_a_role_are_content(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    (toy.folder / "plain_source.py").write_text(PLAIN)
    monkeypatch.syspath_prepend(toy.folder)
    toy.path.write_text(
        f"store: {toy.folder}/store\nruns: {toy.folder}/runs\npartition: 1\nstages:\n"
        "  index: {uses: 'plain_source:Plain'}\n  double: {uses: 'toy_stages:Double', needs: index}\n"
    )
    import plain_source

    def keys(numbers: list[int]) -> list[str]:
        monkeypatch.setattr(plain_source, "NUMBERS", numbers)
        nodes = toy.plan().nodes["double"]
        return [key for key in nodes.keys if key]

    before = keys([1, 2, 3])
    assert len(set(before)) == len(before), "no clip is taken for another"
    assert keys([1, 2, 3]) == before
    assert set(keys([1, 2, 4])) != set(before)
    assert set(keys([1, 2])) < set(before) or len(before) == 1
