"""The engine end to end on numbers: what is computed, what is reused, what a run leaves behind."""

import csv
import io
import json

import pytest
from rich.console import Console

from pipeline.errors import ManifestError
from pipeline.events import Event
from pipeline.manifest import load_manifest
from pipeline.progress import Bars, Lines
from pipeline.reasons import plan_lines
from pipeline.run import Options, Result, is_outdated, plan_run, run, with_interrupted
from toy_manifest import Toy


def test_everything_is_computed_once_and_laid_out(toy: Toy) -> None:
    result = toy.run()
    assert result.errors == []
    assert toy.all_visits() == {"double": 40, "add": 40, "total": 1, "share": 20}
    folder = toy.folder / "runs" / "toy"
    assert json.loads((folder / "total.json").read_text()) == {"total": sum(2 * i + 1 for i in range(40)), "clips": 40}
    assert (folder / "summary.txt").read_text() == "all: 1600"
    timings = json.loads((folder / "timings.json").read_text())
    assert list(timings) == ["double", "add", "total", "share", "summary"]
    assert timings["double"]["clips"] == 40
    assert list(csv.reader((folder / "failures.csv").open())) == [["clip_id", "stage", "error"]]


def test_the_second_run_does_nothing(toy: Toy) -> None:
    toy.run()
    toy.all_visits()
    before = toy.stored()
    assert toy.run().computed == 0
    assert toy.all_visits() == {"double": 0, "add": 0, "total": 0, "share": 0}
    assert toy.stored() == before


def test_a_changed_parameter_recomputes_its_stage_and_what_follows(toy: Toy) -> None:
    toy.run()
    toy.all_visits()
    toy.run("total.scale=3")
    assert toy.all_visits() == {"double": 0, "add": 0, "total": 1, "share": 20}
    toy.run("add.amount=5")
    assert toy.all_visits() == {"double": 0, "add": 40, "total": 1, "share": 20}
    toy.run()  # the results of the first run are still there
    assert toy.all_visits() == {"double": 0, "add": 0, "total": 0, "share": 0}


def test_what_another_run_has_trained_meanwhile_is_not_trained_again(toy: Toy) -> None:
    others: list[Result] = []

    def run_another_when_double_starts(event: Event) -> None:
        if event["event"] == "started" and event["stage"] == "double" and not others:
            others.append(run(load_manifest(toy.path, ["name=other"]), Options(executor="local")))

    shown = io.StringIO()
    displays = [Lines(Console(file=shown)), Bars(Console(file=io.StringIO(), force_terminal=True))]
    result = run(load_manifest(toy.path), Options(executor="local"), [run_another_when_double_starts, *displays])
    displays[1].close()
    assert "total: done in 0.0 s" in shown.getvalue()
    assert others[0].errors == result.errors == []
    assert result.computed == others[0].computed - 2  # neither total nor summary
    assert toy.all_visits()["total"] == 1
    assert toy.total()["clips"] == 40


def test_a_stage_that_was_planned_but_not_reached_has_not_been_started(toy: Toy) -> None:
    toy.run(only="double")
    assert toy.reasons()["double"] == "done"
    assert toy.reasons()["total"] == "never computed"


def test_time_before_an_interruption_counts() -> None:
    def event(kind: str, time: float, **more: object) -> dict[str, object]:
        return {"event": kind, "stage": "train", "time": time} | more

    first = [event("started", 10.0, key="a"), event("progress", 40.0), event("progress", 70.0)]
    second = [event("started", 100.0, key="a"), event("finished", 120.0, key="a", seconds=20.0, bytes=9)]
    assert with_interrupted(second)["a"]["seconds"] == 20
    assert with_interrupted(first + second)["a"]["seconds"] == 80
    failed = [event("started", 10.0, key="a"), event("progress", 40.0), event("stage_failed", 50.0)]
    assert with_interrupted(failed + second)["a"]["seconds"] == 20


def test_an_unkeyed_parameter_recomputes_nothing(toy: Toy) -> None:
    toy.run()
    toy.all_visits()
    assert toy.run("double.limit=30").computed == 0


def test_added_clips_cost_their_partitions_only(toy: Toy) -> None:
    toy.run()
    toy.all_visits()
    toy.run("index.count=42")
    visits = toy.all_visits()
    assert 2 <= visits["double"] <= 2 * 16
    assert visits["total"] == 1


def test_a_changed_label_costs_no_map_stage_but_the_one_that_selects_by_it(toy: Toy) -> None:
    toy.run()
    toy.all_visits()
    toy.run("index.labels=false")
    assert toy.all_visits() == {"double": 0, "add": 0, "total": 1, "share": 0}


def test_a_stage_of_another_name_shares_results(toy: Toy) -> None:
    toy.run()
    toy.all_visits()
    toy.path.write_text(
        toy.path.read_text().replace("double", "twice").replace("toy_stages:Twice", "toy_stages:Double")
    )
    assert toy.run().computed == 0


def test_a_plan_of_one_stage_calls_no_other_done(toy: Toy) -> None:
    why = toy.reasons(only="double")
    assert {name: why[name] for name in ("add", "total", "share")} == dict.fromkeys(
        ("add", "total", "share"), "not asked for"
    )


def test_an_intermediate_result_may_be_deleted(toy: Toy) -> None:
    toy.run()
    toy.all_visits()
    for path in (toy.folder / "store" / "double").iterdir():
        path.unlink()
    assert toy.run().computed == 0
    assert "not needed" in toy.reasons()["double"]
    toy.run("total.scale=2")
    assert toy.all_visits() == {"double": 0, "add": 0, "total": 1, "share": 20}
    assert toy.run("add.amount=7").errors == []


def test_reasons_say_what_changed(toy: Toy) -> None:
    first = toy.reasons()
    assert first.pop("index").startswith("40 clips in ")
    assert set(first.values()) == {"never computed"}
    toy.run()
    assert toy.reasons()["total"] == "done"
    reasons = toy.reasons("add.amount=5")
    assert reasons["double"] == "done"
    assert reasons["add"] == "changed: amount 1 → 5"
    assert reasons["total"] == "made from add"
    assert toy.reasons("total.weights.odd=3")["total"] == "changed: weights.odd null → 3", "not all of the mapping"
    assert toy.reasons(force=("double",))["double"] == "forced"
    assert "new or changed clips" in toy.reasons("index.count=41")["double"]


def test_only_and_from(toy: Toy) -> None:
    with pytest.raises(ManifestError, match="'double' is not done"):
        toy.run(only="add")
    toy.run(only="double")
    assert toy.all_visits() == {"double": 40, "add": 0, "total": 0, "share": 0}
    toy.run(start="add")
    assert toy.all_visits() == {"double": 0, "add": 40, "total": 1, "share": 20}
    with pytest.raises(ManifestError, match="no stage is called 'ad'; did you mean 'add'"):
        toy.run(only="ad")


def test_force_makes_the_same_bytes_again(toy: Toy) -> None:
    toy.run()
    before = toy.stored()
    toy.all_visits()
    toy.run(force=("double",))
    assert toy.all_visits()["double"] == 40
    assert toy.stored() == before


def test_a_failed_clip_is_a_row_and_later_stages_pass_it_by(toy: Toy) -> None:
    result = toy.run("double.fail=[clip-7]")
    assert result.failures == [("clip-7", "double", "clip-7 was told to fail")]
    assert toy.all_visits() == {"double": 40, "add": 39, "total": 1, "share": 19}


def test_retry_failed_tries_again_and_what_depends_follows(toy: Toy) -> None:
    toy.run("double.fail=[clip-7]", "double.once=true")
    toy.all_visits()
    assert toy.run("double.once=true").computed == 0
    result = toy.run(retry_failed=True)
    visits = toy.all_visits()
    assert result.failures == []
    assert 0 < visits["double"] < 40
    assert visits["add"] == visits["double"]
    assert json.loads((toy.folder / "runs/toy/total.json").read_text())["clips"] == 40
    assert toy.run().computed == 0


def test_too_many_failures_stop_before_training(toy: Toy) -> None:
    result = toy.run("double.fail=[clip-1, clip-2, clip-3]")
    assert result.errors == [
        "total: 3 of 40 clips failed, more than max_failed (5%) allows: see pipeline failures; mend them and run again "
        "with --retry-failed, or with --set max_failed=0.08"
    ]
    assert toy.all_visits() == {"double": 40, "add": 37, "total": 0, "share": 0}
    assert toy.run("double.fail=[clip-1, clip-2, clip-3]", "max_failed=0.1").errors == []


def test_a_slow_clip_is_stopped_at_its_limit(toy: Toy) -> None:
    result = toy.run("double.hang=[clip-3]", "double.limit=0.2")
    assert result.failures == [("clip-3", "double", "took longer than 0.2 s")]


def test_a_matrix_runs_every_variant_and_gathers_them(toy: Toy) -> None:
    toy.path.write_text(toy.path.read_text().replace("needs: add, with", "needs: add, matrix: {scale: [1, 2]}, with"))
    toy.run()
    assert toy.all_visits() == {"double": 40, "add": 40, "total": 2, "share": 40}
    folder = toy.folder / "runs" / "toy"
    assert (folder / "summary.txt").read_text() == "scale=1: 1600\nscale=2: 3200"
    assert json.loads((folder / "variants/scale=2/total.json").read_text())["total"] == 3200


def test_variants_that_ask_for_the_same_result_share_it(toy: Toy) -> None:
    text = toy.path.read_text().replace("with: {count: 40}", "matrix: {labels: [true, false]}, with: {count: 40}")
    toy.path.write_text(text)
    toy.run()
    assert toy.all_visits() == {"double": 40, "add": 40, "total": 2, "share": 20}


def test_folds_share_all_work_that_does_not_see_splits(toy: Toy) -> None:
    folds = ", ".join(f'"{fold}": {{labels: {str(fold > 0).lower()}}}' for fold in range(6))
    text = toy.path.read_text().replace("with: {count: 40}", f"matrix: {{fold: {{{folds}}}}}, with: {{count: 40}}")
    toy.path.write_text(text)
    folder = toy.folder / "runs" / "toy"

    def lines(*settings: str) -> dict[str, tuple[str, str]]:
        plan = plan_run(load_manifest(toy.path, settings))
        return {stage: (todo, why) for stage, todo, why in plan_lines(plan, folder)}

    planned = lines()
    assert planned["double[fold=0]"] == ("15 of 15", "never computed")
    assert planned["double, 5 of 6"] == ("0 of 75", "the same as double[fold=0]")
    toy.run(executor="ray")
    assert toy.all_visits() == {"double": 40, "add": 40, "total": 2, "share": 20}
    assert json.loads((folder / "variants/fold=5/total.json").read_text())["clips"] == 40
    assert lines()["total, all 6"] == ("0 of 6", "done")
    changed = lines("double.factor=3")
    assert changed["double[fold=0]"] == ("15 of 15", "changed: factor 2 → 3")
    assert changed["total[fold=0]"] == ("1 of 1", "made from add")
    assert changed["summary"] == ("1 of 1", "made from total, share")


def test_a_gathering_stage_is_told_the_label_on_each_axis(toy: Toy) -> None:
    toy.path.write_text(toy.path.read_text().replace("needs: add, with", "needs: add, matrix: {scale: [1, 2]}, with"))
    toy.run("summary.only=scale")
    assert (toy.folder / "runs/toy/summary.txt").read_text() == "1: 1600\n2: 3200"
    with pytest.raises(ManifestError, match=r"--set summary.only=scal: stage 'summary': no matrix has the axis 'scal'"):
        toy.run("summary.only=scal")


def test_files_that_were_deleted_come_back(toy: Toy) -> None:
    toy.run()
    (toy.folder / "runs" / "toy" / "total.json").unlink()
    assert toy.run().computed == 0
    assert (toy.folder / "runs" / "toy" / "total.json").is_file()


def test_a_run_is_outdated_until_its_change_is_finished_or_taken_back(toy: Toy) -> None:
    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    folder = toy.folder / "runs" / "toy"
    toy.run()
    assert not is_outdated(folder, "total")
    for overrides in ([], ["total.scale=2"]):
        with pytest.raises(KeyboardInterrupt):
            run(load_manifest(toy.path, ["total.scale=2"]), Options(executor="local"), [interrupt])
        assert is_outdated(folder, "total")
        toy.run(*overrides)
        assert not is_outdated(folder, "total")


def test_an_empty_index_is_no_crash(toy: Toy) -> None:
    assert toy.run("index.count=0").errors == []
