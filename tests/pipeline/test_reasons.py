"""Why a plan would compute what it would: every sentence that a person may read."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import toy_stages
from pipeline.events import EventLog
from pipeline.reasons import LISTED, RECORD, plan_lines, record, recorded_keys
from toy_manifest import Toy

OWN = """
from pathlib import Path
import toy_stages

class Own(toy_stages.Double):
    weights: Path | None = None

    def files(self):
        return (self.weights,) if self.weights else ()
"""


@pytest.fixture
def own(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of a stage ``reasons_own:Own``, which does what Double does."""
    path = toy.folder / "reasons_own.py"
    path.write_text(OWN)
    monkeypatch.syspath_prepend(str(toy.folder))
    toy.path.write_text(toy.path.read_text().replace("toy_stages:Double", "reasons_own:Own"))
    yield path
    monkeypatch.delitem(sys.modules, "reasons_own")


def lines(toy: Toy, *settings: str) -> dict[str, tuple[str, str]]:
    """(how much, why) by stage."""
    return {stage: (todo, why) for stage, todo, why in plan_lines(toy.plan(*settings), toy.run_folder)}


def delete(toy: Toy, stage: str, count: int | None = None) -> None:
    for path in sorted((toy.folder / "store" / stage).iterdir())[:count]:
        path.unlink()


# Nothing is known yet


def test_a_source_has_its_clips_counted(toy: Toy) -> None:
    assert toy.reasons()["index"] == "40 clips in 15 partitions"
    assert toy.reasons("index.count=1234", "partition=10000")["index"] == "1,234 clips in 1 partition"


def test_what_was_never_planned_was_never_computed(toy: Toy) -> None:
    why = toy.reasons()
    assert {why[name] for name in why if name != "index"} == {"never computed"}


def test_what_was_planned_and_not_reached_was_never_computed_either(toy: Toy) -> None:
    toy.run(only="double")
    why = toy.reasons()
    assert why["double"] == "done"
    assert why["add"] == why["total"] == "never computed"


def test_what_was_started_was_not_finished(toy: Toy) -> None:
    toy.run("total.fail=true")
    assert toy.reasons()["total"] == "started, not finished"
    assert toy.reasons()["share"] == "never computed"


# Nothing to do


def test_what_is_in_the_store_is_done(toy: Toy) -> None:
    toy.run()
    why = toy.reasons()
    assert {why[name] for name in why if name != "index"} == {"done"}


def test_what_is_gone_and_not_needed(toy: Toy) -> None:
    toy.run()
    delete(toy, "double")
    assert toy.reasons()["double"] == "not needed: everything made from it is done"


def test_stages_that_only_leaves_out_are_not_asked_for(toy: Toy) -> None:
    why = toy.reasons(only="double")
    assert why["double"] == "never computed"
    assert {why[name] for name in ("add", "total", "share", "summary")} == {"not asked for"}


def test_a_result_of_another_variant_is_the_same(toy: Toy) -> None:
    toy.multiply("index", "{labels: [true, false]}")
    why = toy.reasons()
    assert why["double[labels=true]"] == "never computed"
    assert why["double[labels=false]"] == "the same as double[labels=true]"


def test_code_that_changed_without_its_version_is_mentioned(toy: Toy, own: Path) -> None:
    toy.run()
    assert toy.reasons()["double"] == "done"
    own.write_text(OWN + "# changed\n")
    said = "done (code changed since: reasons_own; to recompute, use --force or increase the version)"
    assert toy.reasons()["double"] == said
    assert toy.reasons()["add"] == "done"
    toy.run()
    assert toy.reasons()["double"] == said, "a run that computes nothing keeps saying so"
    toy.run(force=("double",))
    assert toy.reasons()["double"] == "done"


# Something to do


def test_what_is_forced(toy: Toy) -> None:
    toy.run()
    why = toy.reasons(force=("add",))
    assert why["double"] == "done"
    assert [why[name] for name in ("add", "total", "summary")] == [
        "forced",
        "new input from add",
        "new input from total, share",
    ]


def test_a_changed_parameter_is_named_with_both_values_and_what_follows_by_its_needs(toy: Toy) -> None:
    toy.run()
    why = toy.reasons("add.amount=5", "total.split=test")
    assert why["double"] == "done"
    assert why["add"] == "changed: amount 1 → 5"
    assert why["total"] == 'changed: split null → "test"'
    assert why["share"] == "new input from add, total"
    assert why["summary"] == "new input from total, share"


def test_what_selects_clips_may_turn_out_to_be_done(toy: Toy) -> None:
    toy.run("total.split=train")
    assert toy.reasons("total.split=train", "double.factor=3")["total"] == (
        "new input from add, unless it is the same for the clips that this stage looks at"
    )


def test_of_a_parameter_within_a_parameter_only_what_changed_is_named(toy: Toy) -> None:
    toy.run("total.weights={odd: 1, even: 2}")
    assert toy.reasons("total.weights={odd: 1, even: 3}")["total"] == "changed: weights.even 2 → 3"
    assert toy.reasons("total.scale=2")["total"] == "changed: scale 1 → 2, weights.even 2 → null, weights.odd 1 → null"


def test_another_version(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.run()
    monkeypatch.setattr(toy_stages.Double, "version", 2)
    assert toy.reasons()["double"] == "stage version 1 → 2"


def test_another_class(toy: Toy, own: Path) -> None:
    toy.run()
    assert toy.reasons("stages.double.uses=toy_stages:Double")["double"] == (
        "now uses toy_stages:Double (was reasons_own:Own)"
    )


def test_another_content_of_a_file(toy: Toy, own: Path) -> None:
    weights = toy.folder / "weights.bin"
    weights.write_bytes(b"one")
    toy.run(f"double.weights={weights}")
    assert toy.reasons(f"double.weights={weights}")["double"] == "done"
    weights.write_bytes(b"three")
    assert toy.reasons(f"double.weights={weights}")["double"] == "changed: weights.bin has different content"


def test_other_clips(toy: Toy) -> None:
    toy.run()
    assert toy.reasons("index.count=41")["double"] == "1 of 15 partitions has new or changed clips"


def test_results_that_were_deleted(toy: Toy) -> None:
    toy.run()
    delete(toy, "double", 3)
    delete(toy, "add")
    delete(toy, "summary")
    assert toy.reasons("total.scale=2")["double"] == "3 of 15 results are missing in the store"
    assert toy.reasons()["summary"] == "1 of 1 results is missing in the store"


# Lines


def test_variants_with_the_same_reason_share_a_line_if_they_are_many(toy: Toy) -> None:
    toy.multiply("total", f"{{scale: {list(range(1, LISTED + 2))}}}")
    planned = lines(toy)
    assert planned["index"] == ("", "40 clips in 15 partitions")
    assert planned["double"] == ("15 of 15", "never computed")
    assert planned[f"total, all {LISTED + 1}"] == ("4 of 4", "never computed")
    toy.run()
    toy.multiply("share", "{cpus: [1, 2]}")
    assert lines(toy)["total, all 4"] == ("0 of 4", "done")


def test_few_variants_have_a_line_each(toy: Toy) -> None:
    toy.multiply("total", "{scale: [1, 2, 3]}")
    assert [stage for stage in lines(toy) if stage.startswith("total")] == [f"total[scale={i}]" for i in (1, 2, 3)]


def test_folds_share_all_that_does_not_see_splits(toy: Toy) -> None:
    folds = ", ".join(f'"{fold}": {{labels: {str(fold > 0).lower()}}}' for fold in range(6))
    toy.multiply("index", f"{{fold: {{{folds}}}}}")
    planned = lines(toy)
    assert planned["double[fold=0]"] == ("15 of 15", "never computed")
    assert planned["double, 5 of 6"] == ("0 of 75", "the same as double[fold=0]")
    toy.run()
    assert toy.all_visits() == {"double": 40, "add": 40, "total": 2, "share": 20}
    assert json.loads((toy.run_folder / "variants/fold=5/total.json").read_text())["clips"] == 40
    assert lines(toy)["total, all 6"] == ("0 of 6", "done")
    changed = lines(toy, "double.factor=3")
    assert changed["double[fold=0]"] == ("15 of 15", "changed: factor 2 → 3")
    assert changed["total[fold=0]"] == ("1 of 1", "new input from add")
    assert changed["summary"] == ("1 of 1", "new input from total, share")


# The record


def test_the_record_holds_the_keys_of_all_nodes(toy: Toy) -> None:
    plan = toy.plan()
    assert recorded_keys(toy.run_folder) == {}
    toy.run_folder.mkdir(parents=True)
    (toy.run_folder / RECORD).write_text(record(plan, {}))
    assert recorded_keys(toy.run_folder) == {name: node_plan.keys for name, node_plan in plan.nodes.items()}


def test_a_damaged_record_is_ignored(toy: Toy) -> None:
    toy.run_folder.mkdir(parents=True)
    (toy.run_folder / RECORD).write_text("{")
    assert toy.reasons()["double"] == "never computed"


def test_an_event_of_another_key_starts_nothing(toy: Toy) -> None:
    toy.run(only="double")
    log = EventLog(toy.run_folder)
    log.emit("started", stage="add", key="0" * 32)
    log.close()
    assert toy.reasons()["add"] == "never computed"
