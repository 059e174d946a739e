"""Runs jobs with Ray, on this machine or on a cluster: CPU jobs as tasks, GPU jobs in actors that keep their model, and
whole stages side by side, each in a process of its own.

CPU stages that load a model are tasks too: the model stays in the worker process (see ``pipeline.jobs``), which Ray
keeps between tasks, so that the same cores can decode now and estimate poses next. An actor would occupy its core even
when idle. What is on a GPU, on the other hand, belongs to one process. That is an actor, which occupies the GPU, or a
part of it, but no core: decoding would wait forever for its core on a machine that has no more cores than GPUs.
"""

import math
import os
import pickle
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from uuid import uuid4

from pipeline.answers import Answer, answer
from pipeline.errors import StageError
from pipeline.events import Listener
from pipeline.executor import Executor, Result, WorkerDied
from pipeline.jobs import Job, Outcome, WholeJob, do_job, do_whole
from pipeline.limits import allow_hard_exit
from pipeline.machines import Machines, ask_for_output, is_gone, places
from pipeline.newcomers import Newcomers
from pipeline.output import Printed, into_file, left_by
from pipeline.plan import Plan
from pipeline.ray_metrics import RayMetrics
from pipeline.ray_session import queue_here, start_ray
from pipeline.stage import Resources
from pipeline.store import Store

HOPE = 600.0
"""Seconds in which a machine comes that replaces a lost one, where they are started by themselves."""
ROUNDING = 1e-6
"""By how much parts of GPUs may add up to more than there is."""


class Running(NamedTuple):
    """A job that was handed to Ray."""

    job: Job | WholeJob
    wants: Resources
    """What it occupies."""
    actor: Any = None
    """None for a task."""
    machine: Any = None
    """Where the id of the actor's machine is as soon as it has started; None for a task."""
    file: str = ""
    """The name of the file, on its machine, into which it prints."""


class RayExecutor(Executor):
    """Starts Ray on this machine, or connects to the cluster at ``address``, to which ``modules`` travel."""

    def __init__(self, address: str | None = None, modules: Sequence[str] = ()) -> None:
        super().__init__()
        self._own = start_ray(address, modules)
        import ray

        self._ray = ray
        self._folder = str(Path.cwd())
        self._task = ray.remote(max_retries=0)(_do_in_folder)
        self._actor = ray.remote(max_restarts=0, max_task_retries=0)(_GPUWorker)
        # A process for each: it ends with the training, and frees all its memory, also on a GPU.
        self._whole_task = ray.remote(max_retries=0, max_calls=1)(_do_whole_in_folder)
        self._machines = Machines()
        self._running: dict[Any, Running] = {}
        """What runs or waits to run, by reference."""
        self._progress: dict[str, Callable[..., None]] = {}
        """Callbacks of the running whole stages, by key."""
        self._news: Any = None
        """A queue from whole stages to this process; None until the first one starts."""
        self._wants: dict[str, tuple[Any, Resources]] = {}
        """By node: its stage, and what that occupies."""
        self._idle: dict[Resources, list[Any]] = {}
        """Actors without a job, by the resources that they hold."""
        self._gone: set[str] = set()
        """Ids of machines that no longer answer."""
        self._waiting: deque[Job] = deque()
        """GPU jobs that wait for an actor."""
        self._hopeless_since = math.inf
        """Since when tasks wait for a machine that is not there."""
        self._metrics: RayMetrics | None = None
        self._newcomers: Newcomers | None = None
        self._asked: dict[Any, Job | WholeJob] = {}
        """Answers of machines to come, by reference: what a worker has printed that died with this job."""

    def is_cluster(self) -> bool:
        """Whether work may run on other machines."""
        return len(self._machines.up) > 1

    def figures(self, plan: Plan) -> Listener | None:
        """Ray's application metrics."""
        todo = {name: plan.todo(name) for name, one in plan.nodes.items() if one.node.kind != "source"}
        reused = {name: plan.nodes[name].partitions - number for name, number in todo.items()}
        self._metrics = RayMetrics(plan.graph.manifest.name, todo, reused)
        return self._metrics

    def watch(self, plan: Plan, known: set[str]) -> None:
        """From now on, ask machines that join whether they have what the plan needs. known: ids of those that have been
        asked."""
        self._newcomers = Newcomers(plan, known)

    def slots(self) -> int:
        """Twice the cores and GPUs, so that the next job's process is ready when one becomes free."""
        return max(2, 2 * int(self._has("CPU") + self._has("GPU")))

    def submit(self, job: Job) -> None:
        worker = self._wanted_by(job)
        if worker.num_gpus and self._has("GPU"):
            self._refuse_if_too_large(job, "GPU", worker.num_gpus)
            self._waiting.append(job)
            self._hand_out()
        else:
            self._refuse_if_too_large(job, "CPU", worker.num_cpus)
            self._start_task(job, worker)

    def _refuse_if_too_large(self, job: Job, kind: str, wanted: float) -> None:
        """Raises StageError where no machine would ever be free for it."""
        if 0 < (most := self._machines.most(kind)) < wanted:  # 0 while the first node is still joining
            raise StageError(f"{job.node} asks for {wanted:g} {kind}s; no machine has more than {most:g}")

    def _start_task(self, job: Job, worker: Resources) -> None:
        """Run a job on CPUs."""
        task = self._task.options(num_cpus=worker.num_cpus, name=f"{job.node} {job.key}")
        file, wants = uuid4().hex, worker._replace(num_gpus=0)
        self._running[task.remote(pickle.dumps(job), self._folder, file)] = Running(job, wants, file=file)

    def has_room(self, worker: Resources) -> bool:
        """Only if at least two fit, or if this machine has less than what it wants: a whole stage that would run alone
        does better in the main process."""
        granted = self._granted(worker)
        if granted.num_gpus and self._gpus_in_use() + granted.num_gpus > self._has("GPU") + ROUNDING:
            return False
        alone = min(1, places(self._machines.here, granted))
        return sum(places(machine, granted) for machine in self._machines.up) > max(alone, len(self._progress))

    def submit_whole(self, job: WholeJob, progress: Callable[..., None]) -> None:
        self.rest()
        if self._news is None:  # not "not self._news": an empty queue is false
            self._news = queue_here()
        self._progress[job.key] = progress
        wants = self._granted(self._wanted_by(job))
        task = self._whole_task.options(**wants._asdict(), name=f"{job.node} {job.key}")
        file = uuid4().hex
        self._running[task.remote(job, self._folder, file, self._news)] = Running(job, wants, file=file)

    def wait(self, seconds: float) -> list[tuple[Job | WholeJob, Result]]:
        if self._newcomers:
            self._newcomers.check()
        running = list(self._running)
        ready, _ = self._ray.wait(running, num_returns=1, timeout=seconds)
        if ready:  # and whatever else is: to wait for each by itself would take as long as there are jobs
            ready, _ = self._ray.wait(running, num_returns=len(running), timeout=0)
        self._read_news()
        if self._metrics:
            self._metrics.refresh()
        results = [self._result(reference) for reference in ready]
        if self._newcomers and any(isinstance(result, Exception) for _, result in results):
            self._newcomers.look()  # that machine may be the reason
            self._newcomers.check()
        if not ready:
            self._end_what_never_starts()
            self._make_room()
            results = self._given_up()
        self._hand_out()
        return results

    def rest(self) -> None:
        for actor in (actor for actors in self._idle.values() for actor in actors):
            self._ray.kill(actor)
        self._idle.clear()

    def close(self) -> None:
        if self._newcomers:
            self._newcomers.stop()
        if self._own:  # ends tasks and actors; canceling a task as it completes would crash Ray
            self._ray.shutdown()
            return
        for reference, running in self._running.items():
            if running.actor is None:
                self._ray.cancel(reference, force=True)
            else:
                self._ray.kill(running.actor)
        self._running.clear()
        self.rest()

    def _hand_out(self) -> None:
        """Give waiting GPU jobs to idle actors, or to new ones while GPUs are free."""
        while self._waiting:
            worker = self._wanted_by(self._waiting[0])
            if self._machines.most("GPU") < worker.num_gpus:  # the last machine with as many is gone by now
                self._start_task(self._waiting.popleft(), worker)
                continue
            idle = self._idle.setdefault(worker, [])
            if not idle and self._gpus_in_use() + worker.num_gpus > self._has("GPU") + ROUNDING:
                return
            if not idle:
                for others in self._idle.values():  # they may hold the GPU that the new actor needs
                    while others:
                        self._ray.kill(others.pop())
            actor = idle.pop() if idle else self._actor.options(num_cpus=0, num_gpus=worker.num_gpus).remote()
            machine = actor.machine.remote()
            job, file = self._waiting.popleft(), uuid4().hex
            done = actor.do.remote(pickle.dumps(job), self._folder, file)
            self._running[done] = Running(job, worker, actor, machine, file)

    def _end_what_never_starts(self) -> None:
        """End the actors that wait for a GPU that is lost: their jobs are tried again, without one if need be."""
        actors = [running for running in self._running.values() if running.actor is not None]
        if sum(self._wanted_by(running.job).num_gpus for running in actors) > self._has("GPU") + ROUNDING:
            for running in actors:
                if not self._ray.wait([running.machine], timeout=0)[0]:
                    self._ray.kill(running.actor)

    def _given_up(self) -> list[tuple[Job | WholeJob, Result]]:
        """The tasks that wait for a machine that has been lost, once no other one has come for some time."""
        tasks = {reference: one.wants for reference, one in self._running.items() if one.actor is None}
        up = self._machines.up
        hopeless = {wants for wants in set(tasks.values()) if not any(places(machine, wants) for machine in up)}
        self._hopeless_since = min(self._hopeless_since, time.monotonic()) if hopeless else math.inf
        if time.monotonic() - self._hopeless_since < HOPE:
            return []
        given_up: list[tuple[Job | WholeJob, Result]] = []
        for reference in [reference for reference, wants in tasks.items() if wants in hopeless]:
            self._ray.cancel(reference, force=True)
            job, (cpus, gpus), *_ = self._running.pop(reference)
            wants = f"{cpus:g} CPUs" + (f" and {gpus:g} GPUs" if gpus else "")
            text = f"{job.node} waits for a machine with {wants}, and for {HOPE:g} s there has been none: start one"
            given_up.append((job, StageError(f"{text}, then run again; what is done is kept")))
        return given_up

    def _make_room(self) -> None:
        """Let idle actors go while something waits to start that wants another part of a GPU: together they may hold
        parts of all GPUs, of which none has enough left."""
        actors = [one for one in self._running.values() if one.actor is not None]
        starting = {self._wanted_by(one.job) for one in actors if not self._ray.wait([one.machine], timeout=0)[0]}
        idle = {worker for worker, those in self._idle.items() if those}
        if any(worker != other for worker in idle for other in starting) or (self._progress and not self._waiting):
            self.rest()

    def _result(self, reference: Any) -> tuple[Job | WholeJob, Result]:
        running = self._running.pop(reference)
        job = running.job
        self._progress.pop(job.key, None)
        exceptions = self._ray.exceptions
        result: Result
        try:
            result, printed = self._ray.get(reference)
            self._keep_printed(job, printed)
        except exceptions.RayTaskError as error:  # before the job has begun
            result = error.cause if isinstance(error.cause, Exception) else error
        except (exceptions.NodeDiedError, exceptions.ObjectLostError):
            self._machines.look_again()
            return job, WorkerDied(node_lost=True)
        except exceptions.LocalRayletDiedError:
            return job, StageError("Ray itself has died on this machine; what is done is kept: run again to resume")
        except exceptions.OutOfMemoryError:
            self._find_printed(running)
            return job, WorkerDied(out_of_memory=True)
        except exceptions.RayActorError:
            self._ray.kill(running.actor)  # it may only be out of reach
            lost = self._has_lost_its_machine(running)
            if not lost:
                self._find_printed(running)
            return job, WorkerDied(node_lost=lost)
        except exceptions.RayError:
            self._find_printed(running)
            return job, WorkerDied()
        if running.actor is not None:
            self._idle.setdefault(self._wanted_by(job), []).append(running.actor)
        return job, result

    def _find_printed(self, running: Running) -> None:
        """Look for what a worker has printed that has died, here, then on all machines of the cluster."""
        if printed := left_by(running.file):
            self._keep_printed(running.job, printed)
        elif self.is_cluster():
            self._asked |= dict.fromkeys(ask_for_output(running.file), running.job)

    def take_printed(self, wait: float = 0.0) -> list[tuple[str, Printed]]:
        if self._asked:
            asked = list(self._asked)
            for reference in self._ray.wait(asked, num_returns=len(asked), timeout=wait)[0]:
                job = self._asked.pop(reference)
                with suppress(self._ray.exceptions.RayError):  # it is lost by now
                    self._keep_printed(job, self._ray.get(reference))
        return super().take_printed()

    def _has_lost_its_machine(self, running: Running) -> bool:
        """Whether an actor has died with its machine, or has never had one. Of tasks, Ray says it itself."""
        self._machines.look_again()
        try:
            machine = self._ray.get(running.machine, timeout=0)
        except self._ray.exceptions.RayError:
            return True
        if machine not in self._gone and self.is_cluster() and is_gone(machine):
            self._gone.add(machine)
        return machine in self._gone

    def _read_news(self) -> None:
        while self._progress and not self._news.empty():
            key, done, total, figures = self._news.get()
            if key in self._progress:
                self._progress[key](done, total, **figures)

    def _granted(self, worker: Resources) -> Resources:
        """What a stage gets here: no GPU if there are too few; with a GPU, at most that GPU's share of the cores."""
        if self._machines.most("GPU") < worker.num_gpus:
            return worker._replace(num_gpus=0)
        if not worker.num_gpus:
            return worker
        shares = [machine.get("CPU", 0) / machine["GPU"] for machine in self._machines.up if machine.get("GPU")]
        share = min(shares, default=0) * worker.num_gpus  # empty if the last such machine has just been lost
        return worker._replace(num_cpus=min(worker.num_cpus, int(share) or share))

    def _gpus_in_use(self) -> float:
        at_work = (one.job for one in self._running.values() if one.actor is not None or isinstance(one.job, WholeJob))
        return sum(self._granted(self._wanted_by(job)).num_gpus for job in at_work)

    def _wanted_by(self, job: Job | WholeJob) -> Resources:
        """What a stage occupies. Some look into the files of their models to find out, so that each is asked once."""
        stage, worker = self._wants.get(job.node, (None, Resources()))
        if stage is not job.stage:
            worker = job.stage.resources() or Resources()
            self._wants[job.node] = job.stage, worker
        return worker

    def _has(self, kind: str) -> float:
        return self._machines.all_together(kind)


class _GPUWorker:
    """An actor: one process that keeps its GPU, and the models on it, between jobs."""

    def do(self, job: bytes, folder: str, file: str) -> Answer:
        return _do_in_folder(job, folder, file)

    def machine(self) -> str:
        """The id of the machine on which it is."""
        import ray

        return str(ray.get_runtime_context().get_node_id())


def _do_in_folder(job: bytes, folder: str, file: str) -> Answer:
    """job: pickled, for which Ray would take longer: it takes tables apart. file: into which to print."""
    _go_to(folder)
    allow_hard_exit()
    loaded: Job = pickle.loads(job)
    return answer(loaded.node, lambda: do_job(loaded), into_file(file)).portable()


def _do_whole_in_folder(job: WholeJob, folder: str, file: str, news: Any) -> Answer:
    def tell(done: float, total: float, /, **figures: object) -> None:
        news.put((job.key, done, total, figures))

    def work() -> Outcome:
        if job.work_folder.is_dir():
            return do_whole(job, tell)
        if Store(job.store).is_local:
            raise StageError(
                f"{job.work_folder} does not exist on the machine that runs {job.node}: for a cluster, set runs to a "
                "folder that all machines share, or store to a URL"
            )
        with TemporaryDirectory() as own:  # its checkpoints are kept in the store
            return do_whole(replace(job, work_folder=Path(own)), tell)

    _go_to(folder)
    return answer(job.node, work, into_file(file)).portable()


def _go_to(folder: str) -> None:
    """Change to the folder in which the run was started, if it exists here, because paths may be relative to it."""
    if Path(folder).is_dir():
        os.chdir(folder)
