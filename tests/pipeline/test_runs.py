"""Runs from end to end, on numbers: what is computed, what is reused, and what a run leaves in its folder."""

import csv
import json

import pyarrow as pa
import pytest

from pipeline.errors import ManifestError
from pipeline.events import Event
from pipeline.exports import is_outdated
from pipeline.manifest import load_manifest
from pipeline.reasons import recorded_keys
from pipeline.runs import Options, Result, run
from pipeline.status import read_status
from toy_executor import ToyExecutor
from toy_manifest import Toy
from toy_stages import Total


def test_everything_is_computed_once_and_laid_out(toy: Toy) -> None:
    result = toy.run()
    assert result.errors == []
    assert toy.all_visits() == {"double": 40, "add": 40, "total": 1, "share": 20}
    folder = toy.run_folder
    assert toy.total() == {"total": sum(2 * i + 1 for i in range(40)), "clips": 40}
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


def test_only_and_from(toy: Toy) -> None:
    with pytest.raises(ManifestError, match="'double' is not done"):
        toy.run(only="add")
    toy.run(only="double")
    assert toy.all_visits() == {"double": 40, "add": 0, "total": 0, "share": 0}
    toy.run(start="add")
    assert toy.all_visits() == {"double": 0, "add": 40, "total": 1, "share": 20}
    with pytest.raises(ManifestError, match="no stage is called 'ad'; did you mean 'add'"):
        toy.run(only="ad")


def test_force_computes_a_stage_and_what_follows_again(toy: Toy) -> None:
    toy.run()
    before = toy.stored()
    toy.all_visits()
    toy.run(force=("double",))
    assert toy.all_visits() == {"double": 40, "add": 40, "total": 1, "share": 20}
    after = {path: content for path, content in toy.stored().items() if not path.startswith("attempts/")}
    assert sorted(after.values()) == sorted(2 * list(before.values())), "the same bytes under other keys"
    assert toy.run().computed == 0
    toy.run(force=("double",))
    assert toy.all_visits()["double"] == 40


def test_a_forced_run_that_is_interrupted_goes_on_and_its_former_results_count_no_more(toy: Toy) -> None:
    toy.run()
    toy.all_visits()
    assert toy.run("total.fail=true", force=("add",)).errors == ["total: told to fail"]
    toy.run()
    assert toy.all_visits() == {"double": 0, "add": 40, "total": 2, "share": 20}, "total twice: it failed first"


def test_what_is_forced_again_before_it_is_done_is_resumed(toy: Toy) -> None:
    toy.run()
    for _ in range(2):
        assert toy.run("total.fail=true", force=("total",)).errors == ["total: told to fail"]
    assert len(list((toy.run_folder / "work").glob("total-*"))) == 2, "one folder per attempt"


def test_force_outside_of_what_may_be_computed_is_refused(toy: Toy) -> None:
    toy.run()
    with pytest.raises(ManifestError, match="--force double: --from and --only leave it out"):
        toy.run(start="add", force=("double",))


def test_retry_failed_tries_again_and_what_depends_follows(toy: Toy) -> None:
    toy.run("double.fail=[clip-7]", "double.once=true")
    toy.all_visits()
    assert toy.run("double.once=true").computed == 0
    result = toy.run(retry_failed=True)
    visits = toy.all_visits()
    assert result.failures == []
    assert 0 < visits["double"] < 40
    assert visits["add"] == visits["double"]
    assert toy.total()["clips"] == 40
    assert toy.run().computed == 0


def test_what_fails_again_in_the_same_way_leaves_everything_behind_it_done(toy: Toy) -> None:
    first = toy.run("double.fail=[clip-7]")
    toy.all_visits()
    for _ in range(2):
        result = toy.run("double.fail=[clip-7]", retry_failed=True)
        assert toy.all_visits()["double"] > 0, "it is tried again each time"
        assert (result.computed, result.failures, result.errors) == (1, first.failures, [])
        assert (
            recorded_keys(toy.run_folder)
            == {name: node_plan.keys for name, node_plan in toy.plan().nodes.items()}
            == {name: node_plan.keys for name, node_plan in first.plan.nodes.items()}
        )
        assert toy.run("double.fail=[clip-7]").computed == 0
    assert not any(toy.visits(stage) for stage in ("add", "total", "share"))
    assert read_status(toy.run_folder).text() == "done"
    toy.run(retry_failed=True)
    assert toy.total()["clips"] == 40, "it is tried again after retries in vain"


def test_retries_in_vain_of_an_early_stage_leave_those_of_a_later_one(toy: Toy) -> None:
    faults = ["partition=1000", "double.fail=[clip-7]", "add.fail=[clip-8]"]
    toy.run(*faults)
    toy.all_visits()
    result = toy.run(*faults, retry_failed=True)
    assert toy.all_visits() == {"double": 40, "add": 39, "total": 0, "share": 0}
    assert [failure.clip_id for failure in result.failures] == ["clip-7", "clip-8"]
    assert all(stage.done == stage.todo for stage in read_status(toy.run_folder).stages.values())
    toy.run("partition=1000", "double.fail=[clip-7]", retry_failed=True)
    assert toy.total()["clips"] == 39


def test_a_retry_that_was_interrupted_is_compared_when_it_goes_on(toy: Toy) -> None:
    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    toy.run("double.fail=[clip-7]")
    toy.all_visits()
    manifest = load_manifest(toy.path, ["double.fail=[clip-7]"])
    with pytest.raises(KeyboardInterrupt):
        run(manifest, Options(executor="local", retry_failed=True), [interrupt])
    assert toy.run("double.fail=[clip-7]").computed == 1
    assert not any(toy.visits(stage) for stage in ("add", "total", "share"))


class Chosen:
    """A toy whose stage ``total`` looks at the split train, with clips in a file and all of them in one partition."""

    def __init__(self, toy: Toy) -> None:
        self.toy = toy
        self.clips = {
            f"clip-{i}": [i, "even" if i % 2 == 0 else "odd", "train" if i % 3 else "test"] for i in range(20)
        }
        self.run()
        toy.all_visits()

    def run(self, *settings: str, **options) -> Result:
        file = self.toy.folder / "clips.txt"
        file.write_text("".join(f"{name} {' '.join(map(str, clip))}\n" for name, clip in self.clips.items()))
        return self.toy.run(
            f"index.file={file}", "partition=1000", "max_failed=1", "total.split=train", *settings, **options
        )

    def trains_again(self, *settings: str, **options) -> bool:
        result = self.run(*settings, **options)
        assert result.errors == []
        assert self.run(*settings).computed == 0
        return bool(self.toy.all_visits()["total"])


@pytest.fixture
def chosen(toy: Toy) -> Chosen:
    return Chosen(toy)


def test_a_stage_that_selects_clips_does_not_see_the_others_change(chosen: Chosen) -> None:
    chosen.clips["clip-3"][1] = "corrected"
    assert not chosen.trains_again()
    chosen.clips["clip-3"][0] = 1000
    assert not chosen.trains_again()
    chosen.clips["new"] = [7, "odd", "test"]
    assert not chosen.trains_again()
    del chosen.clips["clip-6"]
    chosen.run()
    assert chosen.toy.all_visits() == {"double": 20, "add": 20, "total": 0, "share": 7}
    assert chosen.toy.total()["clips"] == 13


def test_a_stage_that_selects_clips_is_computed_again_when_they_change(chosen: Chosen) -> None:
    chosen.clips["clip-4"][1] = "corrected"
    assert chosen.trains_again()
    chosen.clips["clip-4"][0] = 1000
    assert chosen.trains_again()
    chosen.clips["new"] = [7, "odd", "train"]
    assert chosen.trains_again()
    chosen.clips["clip-3"][2] = "train"
    assert chosen.trains_again()
    chosen.clips["clip-3"][2] = "test"
    assert not chosen.trains_again(), "the result from before is there still"
    del chosen.clips["clip-4"]
    assert chosen.trains_again()


def test_a_stage_that_selects_clips_is_computed_again_when_its_clips_fail_or_no_longer_fail(chosen: Chosen) -> None:
    assert chosen.trains_again("add.amount=2", "add.fail=[clip-3,clip-4]")
    assert chosen.trains_again("add.amount=2", "add.fail=[clip-3]", retry_failed=True)
    assert not chosen.trains_again("add.amount=2", retry_failed=True), "clip-3 is a clip of the split test"


@pytest.mark.parametrize("forced", ["double", "total"])
def test_force_computes_a_stage_that_selects_again_too(chosen: Chosen, forced: str) -> None:
    assert chosen.trains_again(force=(forced,))
    chosen.clips["clip-3"][0] = 1000
    chosen.run(force=(forced,))
    assert chosen.toy.all_visits()["total"] == 1


def test_results_from_before_stages_could_select_are_found(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.delattr(Total, "select")
        patch.setattr(Total, "run", lambda self, variants, context: pa.table({"total": [1], "clips": [1]}))
        early = toy.run("total.split=train")
    assert toy.run("total.split=train").computed == 0
    assert toy.plan("total.split=train").nodes["total"].keys == early.plan.nodes["total"].keys


def test_a_failed_clip_is_listed_and_later_stages_pass_it_by(toy: Toy) -> None:
    result = toy.run("double.fail=[clip-7]")
    assert result.failures == [("clip-7", "double", "clip-7 was told to fail")]
    assert toy.all_visits() == {"double": 40, "add": 39, "total": 1, "share": 19}
    listed = list(csv.reader((toy.run_folder / "failures.csv").open()))
    assert listed == [["clip_id", "stage", "error"], ["clip-7", "double", "clip-7 was told to fail"]]
    again = toy.run("double.fail=[clip-7]")
    assert (again.computed, again.failures) == (0, result.failures), "a run that does nothing knows them still"


def test_failures_are_those_of_the_parameters_that_are_asked_for(toy: Toy) -> None:
    toy.path.write_text(toy.path.read_text().partition("  total:")[0])
    failing = "double.fail=[clip-1,clip-2,clip-3]"
    first = toy.run(failing)
    assert (first.failed_clips, first.succeeded) == (3, False)
    assert (other := toy.run("double.factor=3")).succeeded and not other.failures
    again = toy.run(failing)
    assert (again.computed, again.failures, again.succeeded) == (0, first.failures, False)
    assert len((toy.run_folder / "failures.csv").read_text().splitlines()) == 1 + 3


@pytest.mark.parametrize("without", ["  nothing:", "  total:"])
def test_another_share_of_clips_that_may_fail_is_another_end(toy: Toy, without: str) -> None:
    toy.path.write_text(toy.path.read_text().partition(without)[0])
    failing = "double.fail=[clip-1,clip-2,clip-3]"
    for share, succeeds in (("0.01", False), ("0.1", True), ("0.01", False), ("0.2", True)):
        result = toy.run(failing, f"max_failed={share}")
        assert (result.failed_clips, result.succeeded) == (3, succeeds)
        assert read_status(toy.run_folder).text() == ("done" if succeeds else "failed")


def test_what_does_not_depend_on_a_stage_that_failed_is_laid_out(toy: Toy) -> None:
    toy.multiply("total", "{how: {fails: {fail: true, scale: 3}, works: {}}}")
    result = toy.run()
    assert result.errors == ["total[how=fails]: told to fail"]
    assert (toy.run_folder / "variants/how=works/total.json").exists()
    assert not (toy.run_folder / "variants/how=fails").exists()
    assert not (toy.run_folder / "summary.txt").exists()


def test_a_forced_stage_that_fails_does_not_lay_out_its_former_result(toy: Toy) -> None:
    toy.run()
    (toy.run_folder / "total.json").unlink()
    assert toy.run("total.fail=true", force=("total",)).errors == ["total: told to fail"]
    assert not (toy.run_folder / "total.json").exists()
    assert is_outdated(toy.run_folder, "total")


def test_a_given_executor_does_the_work_and_is_left_open(toy: Toy) -> None:
    executor = ToyExecutor()
    for factor in (2, 3):
        before = len(executor.submitted)
        result = run(load_manifest(toy.path, [f"double.factor={factor}"]), executor=executor)
        assert result.errors == []
        assert len(executor.submitted) - before == result.computed - 2, "all but total and summary"
    assert not executor.closed


def test_a_matrix_runs_every_variant_and_gathers_them(toy: Toy) -> None:
    toy.multiply("total", "{scale: [1, 2]}")
    toy.run()
    assert toy.all_visits() == {"double": 40, "add": 40, "total": 2, "share": 40}
    folder = toy.run_folder
    assert (folder / "summary.txt").read_text() == "scale=1: 1600\nscale=2: 3200"
    assert json.loads((folder / "variants/scale=2/total.json").read_text())["total"] == 3200


def test_a_gathering_stage_is_told_the_label_on_each_axis(toy: Toy) -> None:
    toy.multiply("total", "{scale: [1, 2]}")
    toy.run("summary.only=scale")
    assert (toy.run_folder / "summary.txt").read_text() == "1: 1600\n2: 3200"
    with pytest.raises(ManifestError, match=r"--set summary.only=scal: stage 'summary': no matrix has the axis 'scal'"):
        toy.run("summary.only=scal")


def test_files_that_were_deleted_come_back(toy: Toy) -> None:
    toy.run()
    (toy.run_folder / "total.json").unlink()
    assert toy.run().computed == 0
    assert (toy.run_folder / "total.json").is_file()


def test_a_run_is_outdated_until_its_change_is_finished_or_taken_back(toy: Toy) -> None:
    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    folder = toy.run_folder
    toy.run()
    assert not is_outdated(folder, "total")
    for overrides in ([], ["total.scale=2"]):
        with pytest.raises(KeyboardInterrupt):
            run(load_manifest(toy.path, ["total.scale=2"]), Options(executor="local"), [interrupt])
        assert is_outdated(folder, "total")
        toy.run(*overrides)
        assert not is_outdated(folder, "total")
    toy.multiply("total", "{scale: [1, 2]}")
    toy.run()
    assert is_outdated(folder, "total") and not is_outdated(folder, "total[scale=1]")


def test_a_run_does_not_depend_on_what_it_writes_itself(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.run()
    monkeypatch.setattr(Total, "files", lambda self: (toy.run_folder / "total.json",))
    assert toy.run("total.scale=3").errors == [], "it is only read by people"
    monkeypatch.setattr(Total, "exported", lambda self, folder: (folder / "total.json",))
    with pytest.raises(
        ManifestError, match=r"stage 'total': this very run will overwrite .*total\.json: give it another"
    ):
        toy.run("total.scale=2")
    assert toy.run("total.scale=2", "name=other").errors == []


def test_an_empty_index_is_no_crash(toy: Toy) -> None:
    assert toy.run("index.count=0").errors == []


def test_an_executor_that_there_is_not() -> None:
    with pytest.raises(ManifestError, match="executor: one of auto, local, ray, not 'Local'"):
        Options(executor="Local")  # type: ignore[arg-type]
