"""What the status of a run says while it is running, and afterwards."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ManifestError
from pipeline.executor import LocalExecutor, Result
from pipeline.jobs import Job, Outcome, WholeJob
from pipeline.manifest import load_manifest
from pipeline.runs import run
from pipeline.status import find_run, read_status
from toy_manifest import Toy


def write(folder: Path, *events: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "events.jsonl").write_text(
        "".join(json.dumps({"time": 10.0 + i} | e) + "\n" for i, e in enumerate(events))
    )


STARTED = {"event": "run_started", "stages": {"index": 0, "decode": 2, "train": 1}}
FINISHED = {"event": "finished", "stage": "decode", "clips": 5, "failed": 1, "seconds": 2.0}
PROGRESS = {"event": "progress", "stage": "train", "done": 3, "total": 9, "figures": {"epoch": 1, "loss": 0.51234}}


def test_a_run_in_progress(tmp_path: Path) -> None:
    write(tmp_path, STARTED, FINISHED, FINISHED, PROGRESS)
    status = read_status(tmp_path)
    assert list(status.stages) == ["decode", "train"]
    decode = status.stages["decode"]
    assert (decode.done, decode.todo, decode.clips, decode.failed, decode.seconds) == (2, 2, 10, 2, 4.0)
    assert status.stages["train"].note == "3 of 9, epoch 1, loss 0.5123"
    assert not status.finished
    assert status.text().startswith("running or interrupted, last event ")


def test_which_machine_has_made_what(tmp_path: Path) -> None:
    train = {"event": "finished", "stage": "train", "clips": 0, "failed": 0, "seconds": 9.0}
    write(tmp_path, STARTED, FINISHED | {"host": "b"}, FINISHED | {"host": "a"}, train | {"host": "b"}, FINISHED)
    assert read_status(tmp_path).machines == {"b": {"decode": 1, "train": 1}, "a": {"decode": 1}}


def test_results_of_other_machines_say_whose_they_are(toy: Toy) -> None:
    class Elsewhere(LocalExecutor):
        def wait(self, seconds: float) -> list[tuple[Job | WholeJob, Result]]:
            return [(job, replace(done, host="b")) for job, done in super().wait(seconds) if isinstance(done, Outcome)]

    run(load_manifest(toy.path, ["index.count=8"]), executor=Elsewhere())
    assert read_status(toy.run_folder).machines == {"b": {"double": 4, "add": 4, "share": 4}}, "whole stages ran here"


def test_what_turns_out_to_be_done_is_no_longer_to_do_and_what_turns_up_is(tmp_path: Path) -> None:
    write(tmp_path, STARTED, FINISHED, {"event": "planned_again", "stages": {"decode": 2, "train": 0, "pose": 1}})
    stages = read_status(tmp_path).stages
    assert {name: (stage.done, stage.todo) for name, stage in stages.items()} == {
        "decode": (1, 3),
        "train": (0, 0),
        "pose": (0, 1),
    }


def test_a_run_that_was_interrupted(tmp_path: Path) -> None:
    interrupted = {"event": "run_interrupted"}
    for events in ([STARTED, FINISHED], [STARTED, {"event": "run_finished"}], [{"event": "preparing"}]):
        write(tmp_path, *events, interrupted)
        assert read_status(tmp_path).text() == "interrupted"
        write(tmp_path, *events, interrupted, STARTED, {"event": "run_finished"})
        assert read_status(tmp_path).text() == "done"


def test_only_the_last_start_counts(tmp_path: Path) -> None:
    write(tmp_path, STARTED, FINISHED, STARTED | {"stages": {"train": 1}}, {"event": "run_finished"})
    status = read_status(tmp_path)
    assert list(status.stages) == ["train"]
    assert status.text() == "done"


def test_a_run_that_is_being_prepared_is_not_the_one_before(tmp_path: Path) -> None:
    write(tmp_path, STARTED, FINISHED, {"event": "run_finished"}, {"event": "preparing"})
    status = read_status(tmp_path)
    assert (status.finished, status.stages) == (False, {})
    assert status.text().startswith("running or interrupted, last event ")


def test_a_stage_that_failed(tmp_path: Path) -> None:
    failed = {"event": "stage_failed", "stage": "train", "error": "no clips"}
    write(tmp_path, STARTED, failed, {"event": "run_finished"})
    status = read_status(tmp_path)
    assert (status.text(), status.stages["train"].note) == ("failed", "no clips")


def test_a_run_with_too_many_failed_clips_has_failed(tmp_path: Path) -> None:
    write(tmp_path, STARTED, FINISHED, {"event": "run_finished", "succeeded": False})
    assert read_status(tmp_path).text() == "failed"
    write(tmp_path, STARTED, FINISHED, {"event": "run_finished", "succeeded": True})
    assert read_status(tmp_path).text() == "done"


def test_runs_are_found_by_folder_and_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("runs/demo"), STARTED)
    Path("runs/demo/manifest.json").touch()
    assert find_run("demo") == find_run("runs/demo") == Path("runs/demo")
    with pytest.raises(ManifestError, match="did you mean 'demo'"):
        find_run("dem")
    with pytest.raises(ManifestError, match="nothing has been run in this folder"):
        read_status(tmp_path)
