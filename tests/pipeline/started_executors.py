"""Executors by name, for tests that have to pass with each of them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from pipeline.child_executor import ChildExecutor
from pipeline.executor import Executor, LocalExecutor
from pipeline.ray_session import ray_session


@contextmanager
def started(name: str) -> Iterator[Executor]:
    """name: local, child or ray, without which the test is skipped."""
    if name == "ray":
        pytest.importorskip("ray")
        from pipeline.ray_executor import RayExecutor

        with ray_session(), closing(RayExecutor()) as executor:
            yield executor
        return
    with closing({"local": LocalExecutor, "child": ChildExecutor}[name]()) as executor:
        yield executor
