"""The executor that works in the calling process."""

from pathlib import Path

import pytest

from pipeline.errors import DamagedResultError, StageError
from pipeline.executor import LocalExecutor
from pipeline.jobs import Job, Outcome
from pipeline.stage import Resources
from pipeline.store import Store
from toy_stages import CLIPS, Double, Numbers


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def job(store: Store, key: str, **more) -> Job:
    clips = Numbers(count=3).clips().drop_columns(["label", "split"])
    return Job(node="double", stage=Double(), store=store.url, folder="double", key=key, clips=clips, **more)


def test_jobs_are_done_one_after_another_in_the_order_they_came(store: Store) -> None:
    executor = LocalExecutor()
    assert executor.slots() == 1
    jobs = [job(store, key * 32) for key in "ab"]
    for one in jobs:
        executor.submit(one)
    [(first, outcome)] = executor.wait(0)
    assert first is jobs[0]
    assert isinstance(outcome, Outcome) and outcome.clips == 3
    assert store.keys("double") == {"a" * 32}, "the second one has not begun"
    [(second, _)] = executor.wait(0)
    assert second is jobs[1]
    assert store.read(store.path("double", "b" * 32))["number"].to_pylist() == [0, 2, 4]
    executor.close()


def test_what_a_job_raises_is_its_result(store: Store) -> None:
    executor = LocalExecutor()
    executor.submit(job(store, "a" * 32, inputs={"missing": store.path("none", "c" * 32)}))
    executor.submit(job(store, "b" * 32, token="x"))
    [(failed, error)] = executor.wait(0)
    assert failed.key == "a" * 32 and isinstance(error, DamagedResultError)
    [(_, outcome)] = executor.wait(0)
    assert isinstance(outcome, Outcome), "the next job is done all the same"


def test_an_interruption_is_not_caught(store: Store) -> None:
    class Interrupted(Double):
        def load(self, inputs: object) -> None:
            raise KeyboardInterrupt

    executor = LocalExecutor()
    executor.submit(Job("double", Interrupted(), store.url, "double", "a" * 32, CLIPS.schema.empty_table()))
    with pytest.raises(KeyboardInterrupt):
        executor.wait(0)


def test_whole_stages_run_elsewhere() -> None:
    assert not LocalExecutor().has_room(Resources(0.001))


def test_an_error_of_a_stage_keeps_its_class(store: Store) -> None:
    class Broken(Double):
        def load(self, inputs: object) -> None:
            raise OSError("no weights")

    executor = LocalExecutor()
    executor.submit(Job("double", Broken(), store.url, "double", "a" * 32, CLIPS.schema.empty_table()))
    [(_, error)] = executor.wait(0)
    assert isinstance(error, StageError) and str(error) == "double cannot start: OSError: no weights"
