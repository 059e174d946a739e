"""Runs jobs in one child process, which starts in a second and is replaced if it dies. For work too small for Ray."""

import faulthandler
import multiprocessing
import os
import signal
import sys
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from types import ModuleType

from pipeline.answers import answer
from pipeline.executor import Executor, Result, WorkerDied
from pipeline.jobs import Job, WholeJob, do_job
from pipeline.limits import allow_hard_exit
from pipeline.output import into_file, left_by


class ChildExecutor(Executor):
    """One worker process, replaced when it dies."""

    def __init__(self) -> None:
        super().__init__()
        self._context = multiprocessing.get_context("spawn")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None
        self._jobs: deque[Job] = deque()
        self._busy = False
        self._file = uuid.uuid4().hex
        """Into which the worker prints."""

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def wait(self, seconds: float) -> list[tuple[Job | WholeJob, Result]]:
        if not self._busy:
            try:
                self._worker().send((self._jobs[0], self._file))
            except OSError:  # it died while idle, perhaps out of memory
                self._stop()
                self._worker().send((self._jobs[0], self._file))
            self._busy = True
        connection = self._worker()
        if not connection.poll(seconds):
            return []
        self._busy = False
        job = self._jobs.popleft()
        try:
            result, printed = connection.recv()
        except (EOFError, ConnectionResetError):
            killed = self._exit_code() == -signal.SIGKILL  # as Linux does where memory is short
            self._stop()
            result, printed = WorkerDied(out_of_memory=killed), left_by(self._file)
        self._keep_printed(job, printed)
        return [(job, result)]

    def close(self) -> None:
        self._jobs.clear()
        self._stop()
        left_by(self._file)  # which removes it

    def _worker(self) -> Connection:
        if self._connection is None:
            self._connection, theirs = self._context.Pipe()
            self._process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
            with _no_main():
                self._process.start()
            theirs.close()
        return self._connection

    def _exit_code(self) -> int | None:
        """Of a worker that is about to end."""
        if self._process is None:
            return None
        self._process.join(10)
        return self._process.exitcode

    def _stop(self) -> None:
        if self._process is not None and self._connection is not None:
            self._connection.close()
            self._process.kill()
            self._process.join(10)
        self._process = self._connection = None
        self._busy = False


@contextmanager
def _no_main() -> Iterator[None]:
    """Within it, processes start without importing the program that is running. They do not need it, and it may be a
    user's script without ``if __name__ == "__main__"``, which would start the same work again."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _serve(connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the main process, which ends this one
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # between jobs; during a job, see into_file
    faulthandler.enable(file=2, all_threads=False)  # sys.stderr may be closed
    allow_hard_exit()
    while True:
        try:
            job, file = connection.recv()
        except EOFError:
            return
        connection.send(answer(job.node, partial(do_job, job), into_file(file)).portable())
