"""Runs jobs as Ray tasks, on this machine or on a cluster.

Tasks rather than actors also for stages that hold a model: the model lives in the worker process (``pipeline.work``),
which Ray keeps between tasks, so that two cores can be decoding at one moment and estimating poses at the next. An
actor would hold its core while it has nothing to do.
"""

import os
import time
from typing import Any

from pipeline.errors import StageError
from pipeline.executor import Result, WorkerDied
from pipeline.limits import allow_hard_exit
from pipeline.work import Job, Outcome, do_job

OBJECT_STORE_BYTES = 200 * 1024 * 1024
"""Only keys and rows of the index travel through Ray."""


class RayExecutor:
    """Starts Ray on this machine, or connects to the cluster at ``address``."""

    name = "ray"

    def __init__(self, address: str | None = None) -> None:
        # Ray would otherwise rebuild the environment of "uv run" for every worker, and warn about a coming default.
        os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        # A worker that has asked for no GPU must see none, or all of them would take the first.
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
        # A dead worker is reported by the schedule, in plain words; Ray's own messages stay out of the display.
        os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
        import ray

        self._ray = ray
        self._own = not ray.is_initialized()
        if self._own:
            local = {"object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
            options = {"address": address} if address else {"address": "local"} | local
            try:
                ray.init(**options, log_to_driver=False, logging_level="ERROR", configure_logging=True)
            except Exception as error:
                where = f"the cluster at {address}" if address else "on this machine"
                raise StageError(f"Ray does not start {where}: {error} (--executor local does without)") from error
        self._do = ray.remote(max_retries=0, max_calls=0)(_do_job_in_worker)
        self._running: dict[Any, tuple[Job, float]] = {}

    def slots(self) -> int:
        """Twice the cores: the next job's process is up when a core comes free."""
        return max(2, 2 * int(self._ray.cluster_resources().get("CPU", 1)))

    def submit(self, job: Job) -> None:
        worker = job.stage.worker()
        gpus = worker.num_gpus if self._ray.cluster_resources().get("GPU", 0) >= worker.num_gpus else 0
        task = self._do.options(num_cpus=worker.num_cpus, num_gpus=gpus, name=f"{job.node} {job.key}")
        self._running[task.remote(job)] = (job, time.monotonic())

    def wait(self, seconds: float) -> list[tuple[Job, Result]]:
        ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=seconds)
        return [self._result(reference) for reference in ready]

    def close(self) -> None:
        for reference in self._running:
            self._ray.cancel(reference, force=True)
        self._running.clear()
        if self._own:
            self._ray.shutdown()

    def _result(self, reference: Any) -> tuple[Job, Result]:
        job, submitted = self._running.pop(reference)
        try:
            return job, self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            return job, error.cause if isinstance(error.cause, Exception) else error
        except (self._ray.exceptions.NodeDiedError, self._ray.exceptions.ObjectLostError):
            return job, WorkerDied(time.monotonic() - submitted, node_lost=True)
        except self._ray.exceptions.RayError:
            return job, WorkerDied(time.monotonic() - submitted)


def _do_job_in_worker(job: Job) -> Outcome:
    allow_hard_exit()
    return do_job(job)
