"""What the process that drives a run needs for many clips and many workers: time and memory, without any work done.

    python benchmarks/scale.py simulate [CLIPS] [WORKERS]
    python benchmarks/scale.py ray [PARTITIONS]

``simulate`` plans and schedules three map stages with the real planner and schedule, for workers that only pretend:
each takes a made-up time for its partition, and the clock jumps to the next one that ends. ``ray`` has Ray run stages
that do nothing on this machine, and tells how much of a processor the driving process takes for a result, and for what.
"""

import cProfile
import heapq
import pstats
import random
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, whose recognizer.py is not the package
from pipeline.events import EVENTS, EventLog
from pipeline.executor import Executor, Result
from pipeline.jobs import Job, Outcome, WholeJob
from pipeline.manifest import Manifest, manifest_from_dict
from pipeline.runs import plan_run
from pipeline.schedule import Schedule
from pipeline.stage import MapStage, Source, Table
from pipeline.store import Store
from pipeline.texts import byte_size
from stages.tables import CLIPS

DONE = [Table(name, pa.schema([("clip_id", pa.string()), ("error", pa.string())])) for name in ("a", "b", "c")]
SECONDS = {"decode": 20.0, "pose": 60.0, "cache": 5.0}
"""Made-up mean time that a simulated worker takes for a partition."""


class Index(Source):
    """Clips that do not exist."""

    makes = CLIPS

    count: int = 1
    """How many."""

    def clips(self) -> pa.Table:
        numbers = pc.utf8_lpad(pc.cast(pa.array(range(self.count)), pa.string()), 9, "0")
        paths = pc.binary_join_element_wise(pa.scalar("/data/videos"), numbers, "/")
        return pa.table({"clip_id": numbers, "path": paths, "source": numbers})


class Decode(MapStage):
    """Makes no frames."""

    makes = DONE[0]

    def process(self, clips: pa.Table, inputs: Mapping[str, pa.Table], loaded: Any) -> pa.Table:
        return clips.select(["clip_id"]).append_column("error", pa.nulls(clips.num_rows, pa.string()))


class Pose(Decode):
    """Makes no skeletons."""

    makes, takes = DONE[1], (DONE[0],)


class Cache(Decode):
    """Makes no shards."""

    makes, takes = DONE[2], (DONE[0], DONE[1])


class SimulatedExecutor(Executor):
    """Workers of which each has one job and ends it in time, without doing it."""

    def __init__(self, workers: int) -> None:
        super().__init__()
        self.now, self._workers, self._dice = 0.0, workers, random.Random(0)
        self._ends: list[tuple[float, int, Job]] = []
        self._written = False

    def slots(self) -> int:
        return self._workers

    def submit(self, job: Job) -> None:
        seconds = self._dice.expovariate(1 / SECONDS[job.node])
        heapq.heappush(self._ends, (self.now + seconds, id(job), job))

    def wait(self, seconds: float) -> list[tuple[Job | WholeJob, Result]]:
        self.now, _, job = heapq.heappop(self._ends)
        if not self._written:  # of a store that is no folder, one result of each machine is looked for
            Store(job.store).write(job.folder, job.key, job.stage.makes.schema.empty_table(), job.stage.makes)
            self._written = True
        return [(job, Outcome(job.clips.num_rows, (), 1000, SECONDS[job.node]))]

    def close(self) -> None:
        self._ends.clear()


def manifest(folder: Path, store: str, clips: int) -> Manifest:
    def stage(cls: str, *needs: str, **values: Any) -> dict[str, Any]:
        return {"uses": f"scale:{cls}", "needs": list(needs), "with": values}

    stages = {
        "index": stage("Index", count=clips),
        "decode": stage("Decode", "index"),
        "pose": stage("Pose", "decode"),
        "cache": stage("Cache", "decode", "pose"),
    }
    return manifest_from_dict(
        {"name": "scale", "store": store, "runs": str(folder / "runs"), "stages": stages}, "scale"
    )


def simulate(clips: int = 1_000_000, workers: int = 1000) -> None:
    with tempfile.TemporaryDirectory() as name:
        began = time.process_time()
        plan = plan_run(manifest(Path(name), "memory://scale", clips))
        report(f"planned {clips:,} clips", began, len(plan.tasks))
        executor = SimulatedExecutor(workers)
        began = time.process_time()
        log = EventLog(Path(name))
        schedule = Schedule(plan, executor, log, Path(name), 0)
        schedule.run()
        log.close()
        assert not schedule.errors and schedule.computed.total() == len(plan.tasks)
        report(f"scheduled {len(plan.tasks):,} partitions", began, len(plan.tasks))
        busy = sum(plan.todo(stage) * seconds for stage, seconds in SECONDS.items()) / (executor.now * workers)
        print(f"{workers:,} workers took {executor.now / 3600:.1f} h of simulated time, {busy:.0%} of it at work")
        size = (Path(name) / EVENTS).stat().st_size
        print(f"events: {byte_size(size)}, {size / len(plan.tasks):.0f} bytes a partition")


def report(what: str, began: float, partitions: int) -> None:
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"{what}: {seconds:.1f} s of a processor, {1000 * seconds / partitions:.3f} ms a partition, peak memory", end=""
    )
    print(f" {byte_size(peak)}", flush=True)


def through_ray(partitions: int = 3000) -> None:
    from pipeline.ray_executor import RayExecutor

    with tempfile.TemporaryDirectory() as name:
        plan = plan_run(manifest(Path(name), f"{name}/store", 32 * partitions // 3))
        executor = RayExecutor()
        log = EventLog(Path(name))
        schedule = Schedule(plan, executor, log, Path(name), 0)
        profile = cProfile.Profile()
        began, wall = time.process_time(), time.perf_counter()
        profile.runcall(schedule.run)
        report(f"{len(plan.tasks):,} results through Ray", began, len(plan.tasks))
        print(f"{len(plan.tasks) / (time.perf_counter() - wall):.0f} results a second on this machine")
        executor.close()
        log.close()
        pstats.Stats(profile).sort_stats("tottime").print_stats(12)


if __name__ == "__main__":
    {"simulate": simulate, "ray": through_ray}[sys.argv[1]](*map(int, sys.argv[2:]))
