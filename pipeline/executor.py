"""Where jobs run. An executor takes jobs and gives back, for each, its outcome or what became of it."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.jobs import Job, Outcome, WholeJob, do_job
from pipeline.stage import Resources


@dataclass(frozen=True)
class WorkerDied:
    """The process that worked on a job is gone: it crashed, was killed, or hung beyond its time limit."""

    node_lost: bool = False
    """The whole machine went away: no clip is to blame."""


Result = Outcome | WorkerDied | Exception


class Executor:
    """Base of all executors."""

    def slots(self) -> int:
        """How many jobs should be handed over at a time, to keep all workers busy."""
        return 1

    def submit(self, job: Job) -> None:
        raise NotImplementedError

    def has_room(self, worker: Resources) -> bool:
        """Whether a whole stage that occupies this much should be handed over now, to run beside others. Where it
        should not, it runs in this process when nothing else does."""
        return False

    def submit_whole(self, job: WholeJob, progress: Callable[..., None]) -> None:
        """Called where there is room. ``progress``: called from ``wait``."""
        raise NotImplementedError

    def wait(self, seconds: float) -> list[tuple[Job | WholeJob, Result]]:
        """Jobs that have ended, waiting at most so long for the first."""
        raise NotImplementedError

    def rest(self) -> None:
        """Give back what is held for jobs to come, such as GPUs: a whole stage is about to run."""

    def close(self) -> None:
        raise NotImplementedError


class LocalExecutor(Executor):
    """Runs jobs in the calling process, one after the other: for debugging. A crashing decoder ends the run with it."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def wait(self, seconds: float) -> list[tuple[Job | WholeJob, Result]]:
        job = self._jobs.popleft()
        try:
            return [(job, do_job(job))]
        except Exception as error:
            return [(job, error)]

    def close(self) -> None:
        self._jobs.clear()
