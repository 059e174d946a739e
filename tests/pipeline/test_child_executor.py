"""One worker process: kept from job to job, replaced when it dies, gone when the executor is closed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipeline.child_executor import ChildExecutor
from pipeline.errors import StageError
from pipeline.executor import Result, WorkerDied
from pipeline.jobs import Job, Outcome
from pipeline.manifest import load_manifest
from pipeline.runs import run
from pipeline.schedule import DEATHS
from pipeline.stage import MapStage
from pipeline.store import Store
from toy_manifest import Toy
from toy_stages import Numbers, Worker


@pytest.fixture(scope="module")
def executor() -> Iterator[ChildExecutor]:
    child = ChildExecutor()
    yield child
    child.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def job(store: Store, stage: MapStage, **more) -> Job:
    clips = Numbers(count=1).clips().drop_columns(["label", "split"])
    return Job(node="worker", stage=stage, store=store.url, folder="worker", key="a" * 32, clips=clips, **more)


def result(executor: ChildExecutor, job: Job) -> Result:
    executor.submit(job)
    while not (results := executor.wait(10)):
        pass
    [(done, result)] = results
    assert done is job
    return result


def process(executor: ChildExecutor, store: Store) -> int:
    """The process that does a job now."""
    outcome = result(executor, job(store, Worker()))
    assert isinstance(outcome, Outcome), outcome
    return int(store.read(store.path("worker", "a" * 32))["number"][0].as_py())


def test_one_other_process_does_all_jobs(executor: ChildExecutor, store: Store) -> None:
    first = process(executor, store)
    assert first != os.getpid()
    assert process(executor, store) == first


def test_waiting_ends_after_its_time_and_the_job_goes_on(executor: ChildExecutor, store: Store) -> None:
    worker = process(executor, store)
    os.kill(worker, signal.SIGSTOP)
    waiting = job(store, Worker())
    executor.submit(waiting)
    assert executor.wait(0) == []
    assert executor.wait(0.01) == []
    os.kill(worker, signal.SIGCONT)
    [(done, outcome)] = executor.wait(60)
    assert done is waiting and isinstance(outcome, Outcome)


def test_a_worker_that_dies_is_replaced(executor: ChildExecutor, store: Store) -> None:
    before = process(executor, store)
    assert result(executor, job(store, Worker(abort=("clip-0",)))) == WorkerDied()
    after = process(executor, store)
    assert after != before
    assert not psutil.pid_exists(before)


def test_a_worker_that_is_killed_is_taken_to_be_out_of_memory(executor: ChildExecutor, store: Store) -> None:
    assert result(executor, job(store, Worker(kill=("clip-0",)))) == WorkerDied(out_of_memory=True)


@pytest.mark.parametrize(("once", "failures"), [("true", []), ("false", ["clip-7"])])
def test_a_clip_that_needs_too_much_memory_alone_and_twice_is_named(
    toy: Toy, executor: ChildExecutor, once: str, failures: list[str]
) -> None:
    manifest = load_manifest(toy.path, ["double.kill=[clip-7]", f"double.once={once}"])
    done = run(manifest, executor=executor)
    assert done.errors == [] and [failure.clip_id for failure in done.failures] == failures
    assert toy.visits("double").count("clip-7") == (2 if once == "true" else DEATHS + 2)


def test_a_worker_that_was_killed_with_nothing_to_do_costs_no_job(executor: ChildExecutor, store: Store) -> None:
    before = process(executor, store)
    os.kill(before, signal.SIGKILL)
    os.waitid(os.P_PID, before, os.WEXITED | os.WNOWAIT)
    assert process(executor, store) != before


def test_errors_come_back_as_texts_for_people(executor: ChildExecutor, store: Store) -> None:
    worker = process(executor, store)
    error = result(executor, job(store, Worker(), inputs={"folder": str(Path(store.root).parent)}))
    assert isinstance(error, StageError) and str(error).startswith("IsADirectoryError: ")
    assert process(executor, store) == worker, "the worker did not die"


def test_ctrl_c_does_not_reach_the_worker(executor: ChildExecutor, store: Store) -> None:
    worker = process(executor, store)
    os.kill(worker, signal.SIGINT)
    assert process(executor, store) == worker


def test_closing_ends_the_worker_and_forgets_its_jobs(executor: ChildExecutor, store: Store) -> None:
    worker = process(executor, store)
    executor.submit(job(store, Worker(hang=("clip-0",))))
    assert executor.wait(0) == []
    executor.close()
    assert not psutil.pid_exists(worker)
    assert process(executor, store) != worker, "it may be used again"


def test_a_script_without_a_guard_does_not_start_again(tmp_path: Path) -> None:
    toy = Toy(tmp_path / "toy")
    lines = ["from pipeline import run", f"print(run({str(toy.path)!r}, ['index.count=4']).status.text())"]
    script = tmp_path / "script.py"
    script.write_text("\n".join(lines))
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environ)
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr
