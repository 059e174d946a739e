"""Ray: GPU jobs in actors, whole stages side by side, nodes that are lost. Ray is only told of the GPUs."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from private_nodes import MEMORY, ray_cluster

from pipeline.errors import StageError
from pipeline.events import EventLog
from pipeline.executor import WorkerDied
from pipeline.manifest import load_manifest
from pipeline.ray_executor import RayExecutor
from pipeline.ray_session import start_ray
from pipeline.runs import Options, plan_run, run
from pipeline.schedule import Schedule
from toy_manifest import Toy


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_a_cluster_that_does_not_answer_is_said_at_once(address: str) -> None:
    pytest.importorskip("ray")
    with socket.socket() as taken:  # a port on which nobody listens
        taken.bind(("127.0.0.1", 0))
        address = address.format(taken.getsockname()[1])
        with pytest.raises(StageError, match=f"^nothing answers at the Ray address {address}: Connection refused"):
            start_ray(address)


@pytest.fixture(scope="module")
def two_places() -> Iterator[None]:
    """Ray with two CPUs and two GPUs."""
    ray = pytest.importorskip("ray")
    ray.shutdown()
    ray.init("local", num_cpus=2, num_gpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=MEMORY)
    yield
    ray.shutdown()


def test_gpu_stages_run_in_actors(toy: Toy, two_places: None) -> None:
    """What matters is who works on what, and that a dead actor is replaced."""
    settings = ["index.count=12", "partition=8", "double.gpus=2", "add.gpus=1", "double.abort=[clip-7]"]
    result = run(load_manifest(toy.path, settings), Options(executor="ray"))
    assert [failure.clip_id for failure in result.failures] == ["clip-7"]
    assert toy.total() == {"total": 144 - 15, "clips": 11}
    settings = ["double.cpus=64", "double.factor=3"]
    greedy = run(load_manifest(toy.path, settings), Options(executor="ray"))
    assert greedy.errors == ["double: double asks for 64 CPUs; no machine has more than 2"]


def test_workers_share_a_gpu(toy: Toy, two_places: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two on each of two."""
    numbers, wait = [], RayExecutor.wait

    def counted(self: RayExecutor, seconds: float) -> list[Any]:
        actors = [running.machine for running in self._running.values() if running.actor is not None]
        started, _ = self._ray.wait(actors, num_returns=len(actors), timeout=0) if actors else ([], [])
        numbers.append(len(started))
        return wait(self, seconds)

    monkeypatch.setattr(RayExecutor, "wait", counted)
    settings = ["index.count=8", "partition=1", "add.gpus=0.5", "add.slow=3"]
    assert run(load_manifest(toy.path, settings), Options(executor="ray")).errors == []
    assert toy.total() == {"total": 64, "clips": 8}
    assert max(numbers) == 4


def test_parts_of_gpus_that_are_idle_make_room_for_a_whole_one(toy: Toy, two_places: None) -> None:
    """Halves may be idle on both GPUs when the last whole one is asked for."""
    settings = ["index.count=8", "partition=2", "double.gpus=0.5", "add.gpus=1", "add.slow=0.1", "double.slow=0.3"]
    assert run(load_manifest(toy.path, settings), Options(executor="ray")).errors == []
    assert toy.total() == {"total": 2 * sum(range(8)) + 8, "clips": 8}


def test_gpu_stages_leave_the_cores_to_others(toy: Toy, two_places: None) -> None:
    """As many GPUs as cores: if idle actors held cores, the next partitions could never be doubled."""
    result = run(load_manifest(toy.path, ["index.count=12", "add.gpus=1"]), Options(executor="ray"))
    assert result.errors == []
    assert toy.total() == {"total": 144, "clips": 12}


@pytest.mark.parametrize("settings", [["total.cpus=1"], ["total.cpus=2", "total.gpus=1", "share.gpus=1"]])
def test_whole_stages_of_a_matrix_run_side_by_side(
    toy: Toy, two_places: None, tmp_path: Path, settings: list[str]
) -> None:
    toy.multiply("total", "{scale: [1, 2, 3]}")
    events: list[dict] = []
    result = run(load_manifest(toy.path, ["index.count=12", *settings]), Options(executor="ray"), [events.append])
    assert result.errors == []
    at_work, most, processes = set(), 0, set()
    for event in events:
        if event.get("stage", "").startswith("total"):
            {"started": at_work.add, "finished": at_work.discard}.get(event["event"], len)(event["stage"])
            processes |= {event["figures"].get("process")} if event["event"] == "progress" else set()
        most = max(most, len(at_work))
    assert most == 2
    assert len(processes - {None, os.getpid()}) == 3
    other = Toy(tmp_path / "other")
    other.multiply("total", "{scale: [1, 2, 3]}")
    other.run("index.count=12")
    assert toy.stored() == other.stored()


def test_a_whole_stage_that_could_only_run_alone_runs_in_this_process(toy: Toy, two_places: None) -> None:
    toy.multiply("total", "{scale: [1, 2]}")
    events: list[dict] = []
    result = run(load_manifest(toy.path, ["index.count=12", "total.cpus=2"]), Options(executor="ray"), [events.append])
    assert result.errors == []
    figures = [event["figures"] for event in events if event["event"] == "progress"]
    assert {shown["process"] for shown in figures if "process" in shown} == {os.getpid()}


def test_a_whole_stage_that_dies_is_tried_again_and_costs_at_most_its_variant(toy: Toy, two_places: None) -> None:
    """One dies each time, one fails, and one works the third time."""
    hows = "dies: {deaths: 9, scale: 2}, fails: {fail: true, scale: 3}, works: {deaths: 2}"
    toy.multiply("total", f"{{how: {{{hows}}}}}")
    result = run(load_manifest(toy.path, ["index.count=12", "total.cpus=1"]), Options(executor="ray"))
    assert sorted(result.errors) == [
        "total[how=dies]: its process died 3 times (out of memory, or a crash in native code?)",
        "total[how=fails]: told to fail",
    ]
    assert (toy.folder / "runs/toy/variants/how=works/total.json").exists()
    assert toy.all_visits()["total"] == 3 + 1 + 3


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes on this machine: a head without CPUs, to which this process is connected, and one with a CPU.

    A test may lose nodes, but leaves one with a CPU.
    """
    with ray_cluster() as cluster:
        import ray

        cluster.add_node(num_cpus=1, object_store_memory=MEMORY)
        ray.init(address=cluster.address, log_to_driver=False)
        cluster.wait_for_nodes()
        yield cluster


def test_a_whole_stage_runs_where_there_is_what_it_wants(toy: Toy, cluster: Any) -> None:
    """Although it runs alone: this machine has no core for work."""
    events: list[dict] = []
    result = run(load_manifest(toy.path, ["index.count=12", "total.cpus=1"]), Options(executor="ray"), [events.append])
    assert result.errors == []
    figures = [event["figures"] for event in events if event["event"] == "progress"]
    assert os.getpid() not in {shown["process"] for shown in figures if "process" in shown} != set()


def test_work_that_no_machine_can_do_any_more_is_given_up(
    toy: Toy, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.ray_executor.HOPE", 3.0)
    lost = cluster.add_node(num_cpus=2, object_store_memory=MEMORY)
    cluster.wait_for_nodes()

    def lose(event: dict) -> None:
        if event["event"] == "finished" and lost in cluster.worker_nodes:
            cluster.remove_node(lost, allow_graceful=False)

    settings = ["double.slow=0.05", "double.cpus=2", "partition=4"]
    result = run(load_manifest(toy.path, settings), Options(), [lose], RayExecutor())
    assert result.errors == [
        "double: double waits for a machine with 2 CPUs, and for 3 s there has been none: start one, then run again; "
        "what is done is kept"
    ]


def test_work_that_waits_for_the_last_gpu_goes_on_without_it(toy: Toy, cluster: Any) -> None:
    """The only node with a GPU is killed in the middle of the run."""
    lost = cluster.add_node(num_cpus=1, num_gpus=1, object_store_memory=MEMORY)
    cluster.wait_for_nodes()
    done: list[int] = []

    def lose(event: dict) -> None:
        if event["event"] == "finished":
            done.append(event["partition"])
            if len(done) == 2:
                cluster.remove_node(lost, allow_graceful=False)

    settings = ["double.slow=0.05", "double.gpus=1", "partition=4"]
    # With an executor that is given, nobody asks for GPUs that can be used.
    result = run(load_manifest(toy.path, settings), Options(), [lose], RayExecutor())
    assert result.errors == [] and result.failures == []
    assert len(done) > 2
    assert toy.total() == {"total": 1600, "clips": 40}


def test_a_lost_node_counts_against_no_clip(toy: Toy, cluster: Any) -> None:
    """The node that works is killed in the middle of the run, and another one joins."""
    [lost] = cluster.worker_nodes
    done: list[int] = []

    def lose(event: dict) -> None:
        if event["event"] == "finished":
            done.append(event["partition"])
            if len(done) == 2:
                cluster.add_node(num_cpus=1, object_store_memory=MEMORY)
                cluster.remove_node(lost, allow_graceful=False)

    settings = ["double.slow=0.05", "partition=8"]
    result = run(load_manifest(toy.path, settings), Options(executor="ray"), [lose])
    assert result.errors == [] and result.failures == []
    assert len(done) > 2
    assert toy.total() == {"total": 1600, "clips": 40}


def test_what_no_single_machine_has_is_an_error_at_once(toy: Toy, cluster: Any) -> None:
    cluster.add_node(num_cpus=1, object_store_memory=MEMORY)
    cluster.wait_for_nodes()
    executor = RayExecutor()
    result = run(load_manifest(toy.path, ["double.cpus=2"]), Options(), executor=executor)
    assert result.errors == ["double: double asks for 2 CPUs; no machine has more than 1"]


@pytest.mark.parametrize("how", ["killed", "terminated"])
def test_a_machine_that_is_taken_away_counts_against_no_clip(toy: Toy, cluster: Any, how: str) -> None:
    """An actor is ended with its machine in the middle of a clip."""
    taken = cluster.add_node(num_cpus=1, num_gpus=1, object_store_memory=MEMORY)
    cluster.wait_for_nodes()
    plan = plan_run(load_manifest(toy.path, ["double.slow=60", "double.gpus=1"]))
    executor = RayExecutor()
    executor.submit(Schedule(plan, executor, EventLog(toy.run_folder), toy.run_folder, 0)._job("double", 0))
    while not toy.visits("double"):
        time.sleep(0.1)
    cluster.remove_node(taken, allow_graceful=how == "terminated")
    ended: list = []
    while not ended:
        ended = executor.wait(10)
    assert [result for _, result in ended] == [WorkerDied(node_lost=True)]
    executor.close()


def test_what_a_worker_has_printed_is_fetched_from_its_machine(toy: Toy, cluster: Any, tmp_path: Path) -> None:
    """The other machine has its own folder for temporary files, as others do; its worker crashes."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    cluster.add_node(num_cpus=1, num_gpus=1, object_store_memory=MEMORY, env_vars={"TMPDIR": str(elsewhere)})
    cluster.wait_for_nodes()
    toy.path.write_text(toy.path.read_text().replace("toy_stages:Double", "toy_stages:Loud"))
    settings = ["index.count=1", "double.gpus=1", "double.abort=[clip-0]", "double.text=blue", "max_failed=1"]
    # With an executor that is given, nobody asks for GPUs that can be used.
    run(load_manifest(toy.path, settings), executor=RayExecutor())
    [file] = (toy.run_folder / "logs").iterdir()
    assert file.read_text().count("clip-0: Python printed blue\n") == 3
    assert len(list(elsewhere.glob("pipeline-*"))) == 1 and list(elsewhere.glob("pipeline-*/*")) == []


def test_a_worker_that_ray_ends_for_want_of_memory_is_said_to_be_out_of_memory(toy: Toy) -> None:
    """Ray is told that the memory is full as soon as any of it is in use."""
    ray = pytest.importorskip("ray")
    ray.shutdown()
    full = {"memory_usage_threshold": 0.0, "memory_monitor_refresh_ms": 50}
    quiet: dict = {"include_dashboard": False, "log_to_driver": False}
    ray.init("local", num_cpus=2, object_store_memory=MEMORY, _system_config=full, **quiet)
    try:
        plan = plan_run(load_manifest(toy.path, ["double.slow=9"]))
        executor = RayExecutor()
        job = Schedule(plan, executor, EventLog(toy.run_folder), toy.run_folder, 0)._job("double", 0)
        executor.submit(job)
        ended: list = []
        while not ended:
            ended = executor.wait(10)
        assert ended == [(job, WorkerDied(out_of_memory=True))]
    finally:
        ray.shutdown()
