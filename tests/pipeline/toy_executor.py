"""A small executor with which a test decides in which order jobs end and what happens to workers."""

import os
from collections.abc import Callable

import pytest

from pipeline.executor import Executor, Result, WorkerDied
from pipeline.jobs import Job, WholeJob, do_job, do_whole
from pipeline.stage import Resources

Fate = Callable[[Job | WholeJob], Result | None]


class Crash(BaseException):
    """Raised by ``os.abort`` here. Nothing in a worker catches it, just as nothing stops a real crash."""


class ToyExecutor(Executor):
    """Really does the jobs, in this process; the one submitted last ends first.

    A stage that calls ``os.abort`` ends its job as if its worker had died.
    """

    def __init__(self, fate: Fate = lambda job: None, slots: int = 1, places: int = 0) -> None:
        """fate: called with each job when its turn comes; a result that it returns replaces the job's own.
        places: how many whole stages may run beside other jobs.
        """
        super().__init__()
        self.fate = fate
        self.submitted: list[Job | WholeJob] = []
        self.at_work: list[Job | WholeJob] = []
        self.rests: list[int] = []
        """The number of jobs at work at each call of ``rest``."""
        self.closed = False
        self._slots, self._places = slots, places
        self._progress: dict[str, Callable[..., None]] = {}

    def slots(self) -> int:
        return self._slots

    def submit(self, job: Job) -> None:
        self.submitted.append(job)
        self.at_work.append(job)

    def has_room(self, worker: Resources) -> bool:
        return sum(isinstance(job, WholeJob) for job in self.at_work) < self._places

    def submit_whole(self, job: WholeJob, progress: Callable[..., None]) -> None:
        self.submitted.append(job)
        self.at_work.append(job)
        self._progress[job.key] = progress

    def wait(self, seconds: float) -> list[tuple[Job | WholeJob, Result]]:
        job = self.at_work.pop()
        return [(job, self.fate(job) or self._done(job))]

    def rest(self) -> None:
        self.rests.append(len(self.at_work))

    def close(self) -> None:
        self.at_work.clear()
        self.closed = True

    def _done(self, job: Job | WholeJob) -> Result:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "abort", _crash)
            try:
                return do_whole(job, self._progress[job.key]) if isinstance(job, WholeJob) else do_job(job)
            except Crash:
                return WorkerDied()
            except Exception as error:
                return error


def _crash() -> None:
    raise Crash
