"""Runs jobs in one child process: starts in a second, and survives what kills a worker. For work too small for Ray."""

import multiprocessing
import time
from collections import deque
from multiprocessing.connection import Connection

from pipeline.executor import Result, WorkerDied
from pipeline.limits import allow_hard_exit
from pipeline.work import Job, do_job


class ChildExecutor:
    """One worker process, replaced when it dies."""

    name = "child"

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None
        self._jobs: deque[Job] = deque()
        self._started: float | None = None

    def slots(self) -> int:
        return 1

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def wait(self, seconds: float) -> list[tuple[Job, Result]]:
        connection = self._worker()
        if self._started is None:
            self._started = time.monotonic()
            connection.send(self._jobs[0])
        if not connection.poll(seconds):
            return []
        elapsed, self._started = time.monotonic() - self._started, None
        job = self._jobs.popleft()
        try:
            return [(job, connection.recv())]
        except (EOFError, ConnectionResetError):
            self._stop()
            return [(job, WorkerDied(elapsed))]

    def close(self) -> None:
        self._jobs.clear()
        self._stop()

    def _worker(self) -> Connection:
        if self._connection is None:
            self._connection, theirs = self._context.Pipe()
            self._process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
        return self._connection

    def _stop(self) -> None:
        if self._process is not None and self._connection is not None:
            self._connection.close()
            self._process.kill()
            self._process.join(10)
        self._process = self._connection = None
        self._started = None


def _serve(connection: Connection) -> None:
    allow_hard_exit()
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        try:
            result: Result = do_job(job)
        except Exception as error:
            result = error
        connection.send(result)
