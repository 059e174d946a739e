"""Where jobs run. An executor takes jobs, and returns for each its outcome, an error, or the death of its worker."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.answers import answer
from pipeline.events import Listener
from pipeline.jobs import Job, Outcome, WholeJob, do_job
from pipeline.output import Printed, overheard
from pipeline.plan import Plan
from pipeline.stage import Resources


@dataclass(frozen=True)
class WorkerDied:
    """The process that worked on a job is gone: it crashed, was killed, or hung past its time limit."""

    node_lost: bool = False
    """The whole machine is gone, so no clip is the cause."""
    out_of_memory: bool = False
    """It was killed as processes are that leave too little memory to others: fewer at a time may do."""


Result = Outcome | WorkerDied | Exception


class Executor:
    """Base of all executors."""

    def __init__(self) -> None:
        self._printed: list[tuple[str, Printed]] = []

    def take_printed(self, wait: float = 0.0) -> list[tuple[str, Printed]]:
        """What jobs that have ended have printed, with their keys. Each is given once.

        wait: seconds in which other machines may answer that were asked for it.
        """
        taken, self._printed = self._printed, []
        return taken

    def _keep_printed(self, job: Job | WholeJob, printed: Printed | None) -> None:
        if printed is not None:
            self._printed.append((job.key, printed))

    def figures(self, plan: Plan) -> Listener | None:
        """Shows the figures of a run in a way of its own, from the run's events."""
        return None

    def slots(self) -> int:
        """How many jobs it should have at a time, to keep all workers busy."""
        return 1

    def submit(self, job: Job) -> None:
        raise NotImplementedError

    def has_room(self, worker: Resources) -> bool:
        """Whether to submit a whole stage that occupies this much now, to run beside others. If not, it runs in this
        process while nothing else does."""
        return False

    def submit_whole(self, job: WholeJob, progress: Callable[..., None]) -> None:
        """Called if there is room. ``progress`` is called from ``wait``."""
        raise NotImplementedError

    def wait(self, seconds: float) -> list[tuple[Job | WholeJob, Result]]:
        """Jobs that have ended. Waits at most this long for the first."""
        raise NotImplementedError

    def rest(self) -> None:
        """Release what is kept for later jobs, such as GPUs, because a whole stage is about to run."""

    def close(self) -> None:
        raise NotImplementedError


class LocalExecutor(Executor):
    """Runs jobs in the calling process, one at a time, for debugging. A crash in a decoder ends the run."""

    def __init__(self) -> None:
        super().__init__()
        self._jobs: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def wait(self, seconds: float) -> list[tuple[Job | WholeJob, Result]]:
        job = self._jobs.popleft()
        result, printed = answer(job.node, lambda: do_job(job), overheard())
        self._keep_printed(job, printed)
        return [(job, result)]

    def close(self) -> None:
        self._jobs.clear()
