"""Real kills: of workers, and of the process a person started. Nothing is lost, and the results are the same bytes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from started_executors import started

from pipeline.executor import Executor
from pipeline.manifest import load_manifest
from pipeline.runs import run
from toy_manifest import Toy


@pytest.fixture(scope="module", params=["child", "ray"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """Both executors that must survive the death of a worker, each started once for all tests."""
    with started(request.param) as executor:
        yield executor


def test_all_executors_make_the_same_files(toy: Toy, executor: Executor, tmp_path: Path) -> None:
    assert run(load_manifest(toy.path), executor=executor).errors == []
    stored = toy.stored()
    other = Toy(tmp_path / "other")
    other.run(executor="local")
    assert stored == other.stored()


def test_a_clip_that_kills_its_worker_is_named_and_costs_no_other(toy: Toy, executor: Executor) -> None:
    result = run(load_manifest(toy.path, ["double.abort=[clip-7]"]), executor=executor)
    assert result.failures == [
        ("clip-7", "double", "crashed its worker process (native code failed, or out of memory)")
    ]
    assert toy.total() == {"total": 1600 - 15, "clips": 39}


def test_all_clips_of_a_partition_that_kill_their_worker_are_named(toy: Toy, executor: Executor) -> None:
    settings = ["double.abort=[clip-7, clip-8, clip-9]", "partition=1000", "max_failed=0.5"]
    result = run(load_manifest(toy.path, settings), executor=executor)
    assert [failure.clip_id for failure in result.failures] == ["clip-7", "clip-8", "clip-9"]


def test_a_worker_killed_once_leaves_no_trace_in_the_results(toy: Toy, executor: Executor, tmp_path: Path) -> None:
    result = run(load_manifest(toy.path, ["double.abort=[clip-7]", "double.once=true"]), executor=executor)
    assert result.failures == []
    other = Toy(tmp_path / "other")
    other.run(executor="local")
    assert toy.stored() == other.stored()


def test_damaged_results_are_set_aside_and_computed_again(toy: Toy, executor: Executor) -> None:
    run(load_manifest(toy.path), executor=executor)
    stored = toy.stored()
    nodes = toy.plan().nodes

    def result_of(name: str, partition: int) -> Path:
        return toy.folder / "store" / name / f"{nodes[name].keys[partition]}.parquet"

    for path in (result_of("double", 1), result_of("add", 2), result_of("total", 0)):
        path.write_bytes(path.read_bytes()[:-9])  # the end, without which nothing can be found in it
    result_of("add", 1).unlink()  # so that the damaged input is read
    for name in ("share", "summary"):
        for path in (toy.folder / "store" / name).iterdir():
            path.unlink()  # and the damaged results of add and total
    result = run(load_manifest(toy.path), executor=executor)
    assert result.errors == [] and result.succeeded
    assert {path: content for path, content in toy.stored().items() if not path.startswith("damaged/")} == stored
    assert len(list((toy.folder / "store" / "damaged").iterdir())) == 3
    assert run(load_manifest(toy.path), executor=executor).computed == 0


def test_a_clip_that_hangs_is_stopped(toy: Toy, executor: Executor) -> None:
    result = run(load_manifest(toy.path, ["double.hang=[clip-7]", "double.limit=2"]), executor=executor)
    assert result.failures == [("clip-7", "double", "took longer than 2 s")]


RUN = """
from pipeline.child_executor import ChildExecutor
from pipeline.manifest import load_manifest
from pipeline.runs import run

if __name__ == "__main__":
    settings = ["index.count=20", "double.slow=0.03", "add.slow=0.02", "total.slow=0.3"]
    manifest = load_manifest({path!r}, settings)
    run(manifest, listeners=[lambda event: print(event["event"], flush=True)], executor=ChildExecutor())
"""


@pytest.mark.parametrize("seed", range(3))
def test_killed_and_started_again_the_files_are_the_same(tmp_path: Path, seed: int) -> None:
    """SIGKILL to the process a person started, and to its worker, at moments spread over the run."""
    undisturbed = Toy(tmp_path / "undisturbed")
    undisturbed.run("index.count=20")
    toy = Toy(tmp_path / "killed")
    for kill in range(2):
        command = [sys.executable, "-c", RUN.format(path=str(toy.path))]
        process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE)
        assert process.stdout is not None
        with process.stdout as events:
            seen = len(list(islice(events, 4 + 7 * seed + 5 * kill)))
        assert seen, "it had begun"
        time.sleep(0.02 * kill)  # into the work that the last event began
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
    assert toy.run("index.count=20").errors == []
    assert toy.stored() == undisturbed.stored()
