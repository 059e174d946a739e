"""Runs jobs with Ray, on this machine or on a cluster: CPU jobs as tasks, GPU jobs in actors that keep their model.

Tasks rather than actors also for CPU stages that hold a model: it lives in the worker process (``pipeline.work``),
which Ray keeps between tasks, so that two cores can be decoding at one moment and estimating poses at the next. An
actor would hold its core while it has nothing to do. A GPU is another matter: it must stay with one process.
"""

import os
from collections import deque
from pathlib import Path
from typing import Any

from pipeline.errors import StageError
from pipeline.executor import Result, WorkerDied
from pipeline.limits import allow_hard_exit
from pipeline.ray_session import start_ray
from pipeline.work import Job, Outcome, do_job


class RayExecutor:
    """Starts Ray on this machine, or connects to the cluster at ``address``."""

    def __init__(self, address: str | None = None) -> None:
        self._own = start_ray(address)
        import ray

        self._ray = ray
        self._folder = str(Path.cwd())
        self._task = ray.remote(max_retries=0)(_do_in_folder)
        self._actor = ray.remote(max_restarts=0, max_task_retries=0)(_GPUWorker)
        self._running: dict[Any, tuple[Job, Any]] = {}
        """Job and actor (None for a task) by reference."""
        self._idle: dict[tuple[float, float], list[Any]] = {}
        """Actors without a job, by the CPUs and GPUs they hold."""
        self._waiting: deque[Job] = deque()
        """GPU jobs that wait for an actor."""

    def slots(self) -> int:
        """Twice the cores: the next job's process is up when a core comes free."""
        return max(2, 2 * int(self._resource("CPU")))

    def submit(self, job: Job) -> None:
        worker = job.stage.worker()
        if 0 < self._resource("CPU") < worker.num_cpus:  # 0 while the first node is still joining
            raise StageError(f"{job.node} asks for {worker.num_cpus:g} CPUs; the cluster has {self._resource('CPU'):g}")
        if worker.num_gpus and self._resource("GPU") >= worker.num_gpus:
            self._waiting.append(job)
            self._hand_out()
        else:
            task = self._task.options(num_cpus=worker.num_cpus, name=f"{job.node} {job.key}")
            self._running[task.remote(job, self._folder)] = job, None

    def wait(self, seconds: float) -> list[tuple[Job, Result]]:
        ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=seconds)
        results = [self._result(reference) for reference in ready]
        self._hand_out()
        return results

    def rest(self) -> None:
        for actor in (actor for actors in self._idle.values() for actor in actors):
            self._ray.kill(actor)
        self._idle.clear()

    def close(self) -> None:
        if self._own:  # tasks and actors end with the connection; a task canceled as it completes would crash Ray
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
        """Give waiting GPU jobs to actors: idle ones, or new ones while GPUs are left."""
        while self._waiting:
            worker = self._waiting[0].stage.worker()
            idle = self._idle.setdefault((worker.num_cpus, worker.num_gpus), [])
            in_use = sum(job.stage.worker().num_gpus for job, actor in self._running.values() if actor is not None)
            if not idle and in_use + worker.num_gpus > self._resource("GPU"):
                return
            if not idle:
                for others in self._idle.values():  # what stages of another size hold would be waited for
                    while others:
                        self._ray.kill(others.pop())
            options = {"num_cpus": worker.num_cpus, "num_gpus": worker.num_gpus}
            actor = idle.pop() if idle else self._actor.options(**options).remote()
            job = self._waiting.popleft()
            self._running[actor.do.remote(job, self._folder)] = job, actor

    def _result(self, reference: Any) -> tuple[Job, Result]:
        job, actor = self._running.pop(reference)
        exceptions = self._ray.exceptions
        result: Result
        try:
            result = self._ray.get(reference)
        except exceptions.RayTaskError as error:
            result = error.cause if isinstance(error.cause, Exception) else error
        except (exceptions.NodeDiedError, exceptions.ObjectLostError):
            return job, WorkerDied(node_lost=True)
        except exceptions.LocalRayletDiedError:
            return job, StageError("Ray itself has died on this machine; what is done is kept: run again to go on")
        except exceptions.RayError:
            return job, WorkerDied()
        if actor is not None:
            worker = job.stage.worker()
            self._idle.setdefault((worker.num_cpus, worker.num_gpus), []).append(actor)
        return job, result

    def _resource(self, name: str) -> float:
        return float(self._ray.cluster_resources().get(name, 0))


class _GPUWorker:
    """An actor: one process that holds its GPU, and the models on it, from job to job."""

    def do(self, job: Job, folder: str) -> Outcome:
        return _do_in_folder(job, folder)


def _do_in_folder(job: Job, folder: str) -> Outcome:
    """Do a job where the run was started, as far as this machine has that folder: paths may be relative to it."""
    if Path(folder).is_dir():
        os.chdir(folder)
    allow_hard_exit()
    return do_job(job)
