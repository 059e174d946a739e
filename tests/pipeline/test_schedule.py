"""The schedule: in which order tasks are done, and what happens when workers die and stages fail."""

import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.errors import MissingResultError, StageError
from pipeline.events import Event, EventLog
from pipeline.executor import Executor, LocalExecutor, Result, WorkerDied
from pipeline.jobs import Job, WholeJob, do_job
from pipeline.manifest import load_manifest
from pipeline.plan import Plan
from pipeline.runs import Options, plan_run
from pipeline.schedule import DEATHS, DEATHS_BEFORE_ANY_CLIP, LOST_NODES, Schedule
from pipeline.store import Store
from toy_executor import ToyExecutor
from toy_manifest import Toy

CRASHED = "crashed its worker process (native code failed, or out of memory)"


class Pass(NamedTuple):
    """One pass over a plan."""

    schedule: Schedule
    plan: Plan
    events: list[Event]

    def tasks(self, kind: str) -> list[tuple[str, int]]:
        """(stage, partition) of all events of a kind, in order."""
        return [(event["stage"], event["partition"]) for event in self.events if event["event"] == kind]


def compute(toy: Toy, executor: Executor, *settings: str, plan: Plan | None = None, **options) -> Pass:
    """Plan the toy manifest with 12 clips, and compute what is missing."""
    manifest = load_manifest(toy.path, ["index.count=12", *settings])
    plan = plan or plan_run(manifest, Options(**options))
    events: list[Event] = []
    log = EventLog(toy.run_folder, events.append)
    schedule = Schedule(plan, executor, log, toy.run_folder, manifest.max_failed)
    schedule.run()
    log.close()
    return Pass(schedule, plan, events)


def partition_of(plan: Plan, clip_id: str) -> int:
    [found] = [i for i in range(len(plan.nodes["double"].rows)) if clip_id in clips_of(plan, i)]
    return found


def clips_of(plan: Plan, partition: int) -> list[str]:
    return plan.nodes["double"].clips_of(partition)["clip_id"].to_pylist()


def rows(done: Pass, node: str, partition: int = 0) -> list[dict]:
    """The rows of a result."""
    store = done.plan.store
    return store.read(done.plan.nodes[node].path(store, partition)).to_pylist()


def errors(done: Pass, node: str, partition: int) -> dict[str, str]:
    return {row["clip_id"]: row["error"] for row in rows(done, node, partition) if row["error"]}


# Order


def test_a_partition_goes_through_all_stages_before_the_next_one_and_whole_stages_come_last(toy: Toy) -> None:
    done = compute(toy, LocalExecutor())
    count = len(done.plan.nodes["double"].rows)
    assert count > 1
    assert done.tasks("started") == [
        *((stage, i) for i in range(count) for stage in ("double", "add")),
        ("total", 0),
        *(("share", i) for i in range(count) if done.plan.nodes["share"].keys[i]),
        ("summary", 0),
    ]
    assert done.schedule.computed.total() == len(done.plan.tasks)
    assert done.schedule.errors == [] and done.schedule.blocked == {}


def test_in_whatever_order_jobs_end_no_task_starts_before_its_inputs_exist(toy: Toy, tmp_path: Path) -> None:
    executor = ToyExecutor(slots=3)
    done = compute(toy, executor)
    partitions = range(len(done.plan.nodes["double"].rows))
    shares = {("share", i) for i in partitions if done.plan.nodes["share"].keys[i]}
    finished: set[tuple[str, int]] = set()
    running = most = 0
    for event in done.events:
        task = (event.get("stage", ""), event.get("partition", 0))
        if event["event"] == "started":
            running += 1
            needs = {
                "double": set(),
                "add": {("double", task[1])},
                "total": {("add", i) for i in partitions},
                "share": {("add", task[1]), ("total", 0)},
                "summary": {("total", 0)} | shares,
            }[task[0]]
            assert needs <= finished, task
        elif event["event"] == "finished":
            running -= 1
            finished.add(task)
        most = max(most, running)
    assert most == 3, "as many at a time as the executor has slots"
    assert done.tasks("started") != done.tasks("finished"), "some jobs have overtaken others"
    other = Toy(tmp_path / "other")
    compute(other, LocalExecutor())
    assert toy.stored() == other.stored()


def test_a_whole_stage_runs_in_this_process_when_nothing_else_does(toy: Toy) -> None:
    executor = ToyExecutor(slots=3)
    compute(toy, executor)
    assert executor.rests == [0, 0], "before total and summary, with no job at work"
    assert not any(isinstance(job, WholeJob) for job in executor.submitted)


def test_whole_stages_run_side_by_side_where_the_executor_has_room(toy: Toy) -> None:
    toy.multiply("total", "{scale: [1, 2, 3]}")
    executor = ToyExecutor(slots=9, places=2)
    done = compute(toy, executor, "total.cpus=1")
    assert [job.node for job in executor.submitted if isinstance(job, WholeJob)] == [
        f"total[scale={scale}]" for scale in (1, 2, 3)
    ]
    assert done.schedule.errors == []
    events = [(event["event"], event["stage"]) for event in done.events if event["event"] in ("started", "finished")]
    first = events.index(("started", "total[scale=1]"))
    assert events[first + 1] == ("started", "total[scale=2]"), "there is room for two"
    assert events[first + 2] == ("finished", "total[scale=2]")
    assert ("progress", "total[scale=1]") in [(event["event"], event.get("stage")) for event in done.events]


def test_a_whole_stage_that_names_no_resources_never_runs_beside_others(toy: Toy) -> None:
    executor = ToyExecutor(slots=9, places=9)
    compute(toy, executor)
    assert not any(isinstance(job, WholeJob) for job in executor.submitted)


def test_what_another_run_has_trained_meanwhile_is_not_trained_again(toy: Toy) -> None:
    plan = toy.plan("index.count=12")
    compute(toy, LocalExecutor())
    toy.all_visits()
    late = compute(toy, LocalExecutor(), plan=plan)
    assert toy.all_visits()["total"] == 0
    assert late.schedule.computed.total() == len(plan.tasks) - 2, "neither total nor summary"
    assert late.tasks("finished")[-1] == ("summary", 0)


def test_a_whole_stage_that_is_forced_before_it_is_done_goes_on_in_its_work_folder(toy: Toy) -> None:
    done = compute(toy, LocalExecutor(), "total.fail=true")
    checkpoint = toy.run_folder / "work" / f"total-{done.plan.nodes['total'].keys[0][:12]}" / "died"
    checkpoint.write_text("+")
    assert compute(toy, LocalExecutor(), "total.deaths=1").schedule.errors == [], "it continued from its checkpoint"
    assert not checkpoint.exists(), "the result is there"
    toy.run(force=("total",))
    assert [*(toy.run_folder / "work").glob("total-*/*")] == []


# Deaths of workers


def test_after_two_deaths_a_partition_is_tried_clip_by_clip_until_the_clip_is_found(toy: Toy) -> None:
    executor = ToyExecutor()
    done = compute(toy, executor, "double.abort=[clip-7]")
    partition = partition_of(done.plan, "clip-7")
    assert done.schedule.errors == []
    tries = [job for job in executor.submitted if job.key == done.plan.nodes["double"].keys[partition]]
    assert [job.one_by_one for job in tries] == [False] * DEATHS + [True] * 2
    retried = [(event["partition"], event["one_by_one"]) for event in done.events if event["event"] == "retried"]
    assert retried == [(partition, job.one_by_one) for job in tries[1:]]
    assert errors(done, "double", partition) == {"clip-7": CRASHED}
    assert toy.visits("double").count("clip-7") == DEATHS + 1, "once it is found it is not touched again"
    assert [row["clip_id"] for row in rows(done, "double", partition)] == clips_of(done.plan, partition)


def test_a_death_before_any_clip_is_not_blamed_on_the_clip_that_was_found_before(toy: Toy) -> None:
    more: list[Job] = []

    def die_once_more(job: Job | WholeJob) -> Result | None:
        if isinstance(job, Job) and job.culprits and not more:
            more.append(job)
            return WorkerDied()
        return None

    executor = ToyExecutor(die_once_more)
    done = compute(toy, executor, "partition=1000", "double.abort=[clip-7]")
    assert errors(done, "double", 0) == {"clip-7": CRASHED}
    tries = [job for job in executor.submitted if isinstance(job, Job) and job.node == "double"]
    assert [len(job.culprits) for job in tries] == [0, 0, 0, 1, 1]


def test_every_clip_that_kills_its_worker_is_found(toy: Toy) -> None:
    done = compute(toy, ToyExecutor(), "partition=1000", "max_failed=0.5", "double.abort=[clip-1, clip-2, clip-9]")
    assert errors(done, "double", 0) == dict.fromkeys(("clip-1", "clip-2", "clip-9"), CRASHED)
    assert rows(done, "total") == [{"total": sum(2 * i + 1 for i in range(12) if i not in (1, 2, 9)), "clips": 9}]


def test_a_worker_that_dies_once_leaves_no_trace_in_the_results(toy: Toy, tmp_path: Path) -> None:
    done = compute(toy, ToyExecutor(), "double.abort=[clip-7]", "double.once=true")
    assert done.tasks("retried") == [("double", partition_of(done.plan, "clip-7"))]
    other = Toy(tmp_path / "other")
    compute(other, LocalExecutor())
    assert toy.stored() == other.stored()


def test_a_clip_at_which_its_worker_died_after_the_time_limit_took_too_long(toy: Toy) -> None:
    """As when native code never returns: the watchdog ends the process, and the journal says when the clip began."""

    def hang(job: Job | WholeJob) -> Result | None:
        if not isinstance(job, Job) or job.culprits or "clip-7" not in job.clips["clip_id"].to_pylist():
            return None
        if job.one_by_one:
            Store(job.store).write_note(job.journal, f"{time.time() - 61} clip-7")
        return WorkerDied()

    done = compute(toy, ToyExecutor(hang), "double.limit=60")
    assert errors(done, "double", partition_of(done.plan, "clip-7")) == {"clip-7": "took longer than 60 s"}


def test_a_worker_that_dies_before_any_clip_fails_its_stage(toy: Toy) -> None:
    executor = ToyExecutor(lambda job: WorkerDied() if job.node == "double" else None)
    done = compute(toy, executor, "partition=1000")
    assert done.schedule.errors == [
        "double: its worker dies before it reaches the first clip (out of memory, or a broken installation?)"
    ]
    assert len(executor.submitted) == DEATHS + DEATHS_BEFORE_ANY_CLIP
    assert set(done.schedule.blocked) == {"double", "add", "total", "share", "summary"}


@pytest.mark.parametrize(("losses", "lost"), [(LOST_NODES - 1, False), (LOST_NODES, True)])
def test_a_lost_node_counts_against_no_clip(toy: Toy, losses: int, lost: bool) -> None:
    def lose(job: Job | WholeJob) -> Result | None:
        return WorkerDied(node_lost=True) if job.node == "double" and len(executor.submitted) <= losses else None

    executor = ToyExecutor(lose)
    done = compute(toy, executor, "partition=1000")
    assert not any(job.one_by_one for job in executor.submitted if isinstance(job, Job))
    assert done.schedule.errors == (["double: lost 10 machines during the same work"] if lost else [])
    if not lost:
        assert errors(done, "double", 0) == {}


def test_what_a_machine_writes_to_a_store_of_its_own_is_an_error(toy: Toy, tmp_path: Path) -> None:
    """Three jobs at a time have written there before the first result is missed."""
    other = str(tmp_path / "other")
    executor = ToyExecutor(lambda job: do_job(replace(job, store=other)) if isinstance(job, Job) else None, slots=3)
    done = compute(toy, executor)
    [error] = done.schedule.errors
    assert error.startswith(f"double: {socket.gethostname()} has written {done.plan.store.root}/double/")
    assert error.endswith("set store to a folder or URL that is the same on all machines (--set store=...)")
    assert not done.schedule.computed
    assert len(done.tasks("started")) == 3 and not done.tasks("finished")


def test_a_machine_that_does_not_see_what_another_has_written_is_an_error(toy: Toy, tmp_path: Path) -> None:
    other = str(tmp_path / "other")

    def elsewhere(job: Job | WholeJob) -> Result | None:
        if not isinstance(job, Job) or job.node != "add":
            return None
        here = {table: path.replace(job.store, other) for table, path in job.inputs.items()}
        try:
            return do_job(replace(job, store=other, inputs=here))
        except MissingResultError as error:  # the same path on every machine
            return MissingResultError(error.path.replace(other, job.store), error.reason)

    done = compute(toy, ToyExecutor(elsewhere))
    [error] = done.schedule.errors
    assert error.startswith(f"add: {done.plan.store.root}/double/")
    assert "is here, but not on a machine that needs it: set store to" in error
    assert not done.schedule.damaged


def test_variants_that_share_a_failed_result_are_all_blocked(toy: Toy) -> None:
    toy.multiply("index", "{labels: [true, false]}")
    executor = ToyExecutor(lambda job: StageError("no such model") if job.node.startswith("double") else None)
    done = compute(toy, executor)
    assert len(done.schedule.errors) == 1
    both = {f"{stage}[labels={which}]" for stage in ("double", "add", "total", "share") for which in ("true", "false")}
    assert set(done.schedule.blocked) == {*both, "summary"}


def test_a_whole_stage_whose_process_dies_is_tried_twice_more(toy: Toy) -> None:
    toy.multiply("total", "{how: {lives: {deaths: 2}, dies: {deaths: 3, scale: 2}}}")
    done = compute(toy, ToyExecutor(slots=9, places=1), "total.cpus=1")
    assert done.schedule.errors == [
        "total[how=dies]: its process died 3 times (out of memory, or a crash in native code?)"
    ]
    assert rows(done, "total[how=lives]") == [{"total": 144, "clips": 12}]
    assert toy.all_visits()["total"] == 6


# Failures of stages


def test_a_failing_stage_blocks_its_descendants_and_nothing_else(toy: Toy) -> None:
    toy.multiply("add", "{amount: [1, 2]}")
    executor = ToyExecutor(lambda job: StageError("no model") if job.node == "add[amount=1]" else None)
    done = compute(toy, executor)
    assert done.schedule.errors == ["add[amount=1]: no model"]
    assert [job.node for job in executor.submitted].count("add[amount=1]") == 1, "its other partitions are not tried"
    blocked = ("add[amount=1]", "total[amount=1]", "share[amount=1]", "summary")
    assert done.schedule.blocked == dict.fromkeys(blocked, "add[amount=1]")
    assert rows(done, "total[amount=2]") == [{"total": sum(2 * i + 2 for i in range(12)), "clips": 12}]
    other_shares = {i for i, key in enumerate(done.plan.nodes["share[amount=2]"].keys) if key}
    assert {i for name, i in done.tasks("finished") if name == "share[amount=2]"} == other_shares
    assert [event["stage"] for event in done.events if event["event"] == "stage_failed"] == ["add[amount=1]"]


def test_a_stage_of_which_several_partitions_fail_is_reported_once(toy: Toy) -> None:
    executor = ToyExecutor(lambda job: StageError("no model") if job.node == "double" else None, slots=4)
    done = compute(toy, executor)
    assert len(executor.submitted) == 4
    assert done.schedule.errors == ["double: no model"]
    assert [event["event"] for event in done.events].count("stage_failed") == 1


def test_a_whole_stage_that_fails_costs_its_variant_alone(toy: Toy) -> None:
    toy.multiply("total", "{how: {fails: {fail: true, scale: 3}, works: {}}}")
    done = compute(toy, LocalExecutor())
    assert done.schedule.errors == ["total[how=fails]: told to fail"]
    assert done.schedule.blocked.keys() == {"total[how=fails]", "share[how=fails]", "summary"}
    assert rows(done, "total[how=works]") == [{"total": 144, "clips": 12}]


def test_an_executor_that_refuses_a_job_fails_the_stage(toy: Toy) -> None:
    class Refusing(ToyExecutor):
        def submit(self, job: Job) -> None:
            if job.node == "add":
                raise StageError("too many CPUs")
            super().submit(job)

    done = compute(toy, Refusing())
    assert done.schedule.errors == ["add: too many CPUs"]
    assert {name for name, _ in done.tasks("finished")} == {"double"}


def test_an_unexpected_error_is_named_and_its_traceback_logged(toy: Toy) -> None:
    def broken(job: Job | WholeJob) -> Result | None:
        try:
            raise ZeroDivisionError("by zero")
        except ZeroDivisionError as error:
            return error

    done = compute(toy, ToyExecutor(broken))
    assert done.schedule.errors == ["double: ZeroDivisionError: by zero"]
    [failed] = [event for event in done.events if event["event"] == "stage_failed"]
    assert "in broken" in failed["traceback"]


@pytest.mark.parametrize(
    ("settings", "clips"),
    [([], 0), (["max_failed=0.2"], 10), (["max_failed=0"], 0), (["max_failed=1"], 10)],
)
def test_too_many_failed_clips_stop_before_a_whole_stage(toy: Toy, settings: Sequence[str], clips: int) -> None:
    done = compute(toy, LocalExecutor(), "double.fail=[clip-1]", "add.fail=[clip-2]", *settings)
    assert toy.all_visits()["add"] == 11, "map stages do all that they can"
    if clips:
        assert done.schedule.errors == []
        assert rows(done, "total")[0]["clips"] == clips
        return
    share = "0%" if settings else "5%"
    assert done.schedule.errors == [
        f"total: 2 of 12 clips failed, more than max_failed ({share}) allows: see pipeline failures; fix them and run "
        "again with --retry-failed, or with --set max_failed=0.17"
    ]
    assert "total" not in {name for name, _ in done.tasks("started")}
    assert done.schedule.blocked.keys() == {"total", "share", "summary"}


# Memory


class CrowdedExecutor(ToyExecutor):
    """Has room in memory for some jobs at a time. Those that are one too many are killed."""

    def __init__(self, slots: int, room: int) -> None:
        super().__init__(lambda job: WorkerDied(out_of_memory=True) if len(self.at_work) >= room else None, slots)


@pytest.mark.parametrize("room", [1, 2, 5])
def test_where_memory_is_short_fewer_jobs_run_at_a_time_and_nothing_fails(toy: Toy, tmp_path: Path, room: int) -> None:
    executor = CrowdedExecutor(slots=16, room=room)
    done = compute(toy, executor, "partition=1")
    assert done.schedule.errors == [] and done.schedule.blocked == {}
    notes = [event["text"] for event in done.events if event["event"] == "noted"]
    jobs = {1: ["4 jobs", "2 jobs", "1 job"], 2: ["4 jobs", "2 jobs"], 5: ["4 jobs"]}[room]
    assert notes == [f"a worker ran out of memory; from now on, {some} at a time" for some in jobs]
    assert not any(job.one_by_one for job in executor.submitted if isinstance(job, Job))
    other = Toy(tmp_path / "other")
    compute(other, LocalExecutor(), "partition=1")
    assert toy.stored() == other.stored()


def test_a_job_that_runs_out_of_memory_even_alone_ends_its_stage(toy: Toy) -> None:
    done = compute(toy, ToyExecutor(lambda job: WorkerDied(out_of_memory=True), slots=4))
    [error] = done.schedule.errors
    assert error.startswith("double: its worker dies before it reaches the first clip (out of memory")
