"""Runs jobs with Ray, on this machine or on a cluster: CPU jobs as tasks, GPU jobs in actors that keep their model, and
whole stages side by side, each in a process of its own.

CPU stages that load a model are tasks too: the model stays in the worker process (see ``pipeline.jobs``), which Ray
keeps between tasks, so that the same cores can decode now and estimate poses next. An actor would occupy its core even
when idle. A GPU, on the other hand, must stay with one process.
"""

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.errors import StageError
from pipeline.executor import Executor, Result, WorkerDied
from pipeline.jobs import Job, Outcome, WholeJob, do_job, do_whole
from pipeline.limits import allow_hard_exit
from pipeline.ray_session import start_ray
from pipeline.stage import Resources


class RayExecutor(Executor):
    """Starts Ray on this machine, or connects to the cluster at ``address``."""

    def __init__(self, address: str | None = None) -> None:
        self._own = start_ray(address)
        import ray

        self._ray = ray
        self._folder = str(Path.cwd())
        self._task = ray.remote(max_retries=0)(_do_in_folder)
        self._actor = ray.remote(max_restarts=0, max_task_retries=0)(_GPUWorker)
        # A process for each: it ends with the training, and frees all its memory, also on a GPU.
        self._whole_task = ray.remote(max_retries=0, max_calls=1)(_do_whole_in_folder)
        self._running: dict[Any, tuple[Job | WholeJob, Any]] = {}
        """Job and actor (None for a task) by reference."""
        self._progress: dict[str, Callable[..., None]] = {}
        """Callbacks of the running whole stages, by key."""
        self._news: Any = None
        """A queue from whole stages to this process; None until the first one starts."""
        self._idle: dict[Resources, list[Any]] = {}
        """Actors without a job, by the resources that they hold."""
        self._waiting: deque[Job] = deque()
        """GPU jobs that wait for an actor."""

    def is_cluster(self) -> bool:
        """Whether work may run on other machines."""
        return len(self._machines()) > 1

    def slots(self) -> int:
        """Twice the cores, so that the next job's process is ready when a core becomes free."""
        return max(2, 2 * int(self._resource("CPU")))

    def submit(self, job: Job) -> None:
        worker = job.stage.resources()
        if 0 < self._resource("CPU") < worker.num_cpus:  # 0 while the first node is still joining
            raise StageError(f"{job.node} asks for {worker.num_cpus:g} CPUs; the cluster has {self._resource('CPU'):g}")
        if worker.num_gpus and self._resource("GPU") >= worker.num_gpus:
            self._waiting.append(job)
            self._hand_out()
        else:
            self._start_task(job, worker)

    def _start_task(self, job: Job, worker: Resources) -> None:
        """Run a job on CPUs."""
        task = self._task.options(num_cpus=worker.num_cpus, name=f"{job.node} {job.key}")
        self._running[task.remote(job, self._folder)] = job, None

    def has_room(self, worker: Resources) -> bool:
        """Only if at least two fit: a whole stage that would run alone does better in the main process."""
        cpus, gpus = self._granted(worker)
        if gpus and self._gpus_in_use() + gpus > self._resource("GPU"):
            return False
        places = 0
        for machine in self._machines():
            fits = [int(machine.get(kind, 0) // wanted) for kind, wanted in (("CPU", cpus), ("GPU", gpus)) if wanted]
            places += min(fits, default=0)
        return places > max(1, len(self._progress))

    def submit_whole(self, job: WholeJob, progress: Callable[..., None]) -> None:
        self.rest()
        if self._news is None:  # not "not self._news": an empty queue is false
            self._news = self._queue()
        self._progress[job.key] = progress
        options = self._granted(job.stage.resources() or Resources())._asdict()
        task = self._whole_task.options(**options, name=f"{job.node} {job.key}")
        self._running[task.remote(job, self._folder, self._news)] = job, None

    def wait(self, seconds: float) -> list[tuple[Job | WholeJob, Result]]:
        ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=seconds)
        self._read_news()
        results = [self._result(reference) for reference in ready]
        self._hand_out()
        return results

    def rest(self) -> None:
        for actor in (actor for actors in self._idle.values() for actor in actors):
            self._ray.kill(actor)
        self._idle.clear()

    def close(self) -> None:
        if self._own:  # ends tasks and actors; canceling a task as it completes would crash Ray
            self._ray.shutdown()
            return
        for reference, (_, actor) in self._running.items():
            if actor is None:
                self._ray.cancel(reference, force=True)
            else:
                self._ray.kill(actor)
        self._running.clear()
        self.rest()

    def _hand_out(self) -> None:
        """Give waiting GPU jobs to idle actors, or to new ones while GPUs are free."""
        while self._waiting:
            worker = self._waiting[0].stage.resources()
            if self._resource("GPU") < worker.num_gpus:  # the last GPU is gone by now
                self._start_task(self._waiting.popleft(), worker)
                continue
            idle = self._idle.setdefault(worker, [])
            if not idle and self._gpus_in_use() + worker.num_gpus > self._resource("GPU"):
                return
            if not idle:
                for others in self._idle.values():  # they may hold the GPU that the new actor needs
                    while others:
                        self._ray.kill(others.pop())
            actor = idle.pop() if idle else self._actor.options(**worker._asdict()).remote()
            job = self._waiting.popleft()
            self._running[actor.do.remote(job, self._folder)] = job, actor

    def _result(self, reference: Any) -> tuple[Job | WholeJob, Result]:
        job, actor = self._running.pop(reference)
        self._progress.pop(job.key, None)
        exceptions = self._ray.exceptions
        result: Result
        try:
            result = self._ray.get(reference)
        except exceptions.RayTaskError as error:
            result = error.cause if isinstance(error.cause, Exception) else error
        except (exceptions.NodeDiedError, exceptions.ObjectLostError):
            return job, WorkerDied(node_lost=True)
        except exceptions.LocalRayletDiedError:
            return job, StageError("Ray itself has died on this machine; what is done is kept: run again to resume")
        except exceptions.OutOfMemoryError:
            return job, WorkerDied(out_of_memory=True)
        except exceptions.RayError:
            return job, WorkerDied()
        if actor is not None and (worker := job.stage.resources()):
            self._idle.setdefault(worker, []).append(actor)
        return job, result

    def _queue(self) -> Any:
        """A queue on this machine, so that it survives when other machines are lost."""
        from ray.util.queue import Queue
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=False)
        return Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})

    def _read_news(self) -> None:
        while self._progress and not self._news.empty():
            key, done, total, figures = self._news.get()
            if key in self._progress:
                self._progress[key](done, total, **figures)

    def _granted(self, worker: Resources) -> Resources:
        """What a stage gets here: no GPU if there are too few; with a GPU, at most that GPU's share of the cores."""
        if self._resource("GPU") < worker.num_gpus:
            return worker._replace(num_gpus=0)
        if not worker.num_gpus:
            return worker
        shares = [machine.get("CPU", 0) / machine["GPU"] for machine in self._machines() if machine.get("GPU")]
        share = min(shares, default=0)  # empty if the last such machine has just been lost
        return worker._replace(num_cpus=min(worker.num_cpus, max(1, int(share * worker.num_gpus))))

    def _gpus_in_use(self) -> float:
        jobs = (job for job, actor in self._running.values() if actor is not None or isinstance(job, WholeJob))
        return sum(self._granted(worker).num_gpus for job in jobs if (worker := job.stage.resources()))

    def _machines(self) -> list[dict[str, float]]:
        """The resources of each machine that is up."""
        return [machine["Resources"] for machine in self._ray.nodes() if machine["Alive"]]

    def _resource(self, name: str) -> float:
        return float(self._ray.cluster_resources().get(name, 0))


class _GPUWorker:
    """An actor: one process that keeps its GPU, and the models on it, between jobs."""

    def do(self, job: Job, folder: str) -> Outcome:
        return _do_in_folder(job, folder)


def _do_in_folder(job: Job, folder: str) -> Outcome:
    _go_to(folder)
    allow_hard_exit()
    return do_job(job)


def _do_whole_in_folder(job: WholeJob, folder: str, news: Any) -> Outcome:
    _go_to(folder)
    if not job.work_folder.is_dir():
        raise StageError(
            f"{job.work_folder} does not exist on the machine that runs {job.node}: for a cluster, set runs to a "
            "folder that all machines share"
        )

    def tell(done: float, total: float, /, **figures: object) -> None:
        news.put((job.key, done, total, figures))

    return do_whole(job, tell)


def _go_to(folder: str) -> None:
    """Change to the folder in which the run was started, if it exists here, because paths may be relative to it."""
    if Path(folder).is_dir():
        os.chdir(folder)
