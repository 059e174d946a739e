"""Where jobs run. An executor takes jobs and gives back, for each, its outcome or what became of it."""

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from pipeline.work import Job, Outcome, do_job


@dataclass(frozen=True)
class WorkerDied:
    """The process that worked on a job is gone: it crashed, was killed, or hung beyond its time limit."""

    node_lost: bool = False
    """The whole machine went away: no clip is to blame."""


Result = Outcome | WorkerDied | Exception


class Executor(Protocol):
    def slots(self) -> int:
        """How many jobs should be handed over at a time, to keep all workers busy."""
        ...

    def submit(self, job: Job) -> None: ...

    def wait(self, seconds: float) -> list[tuple[Job, Result]]:
        """Jobs that have ended, waiting at most so long for the first."""
        ...

    def rest(self) -> None:
        """Give back what is held for jobs to come, such as GPUs: a whole stage is about to run."""
        ...

    def close(self) -> None: ...


class LocalExecutor:
    """Runs jobs in the calling process, one after the other: for debugging. A crashing decoder ends the run with it."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()

    def slots(self) -> int:
        return 1

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def wait(self, seconds: float) -> list[tuple[Job, Result]]:
        job = self._jobs.popleft()
        try:
            return [(job, do_job(job))]
        except Exception as error:
            return [(job, error)]

    def rest(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        self._jobs.clear()
