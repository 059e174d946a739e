"""A Ray cluster on this machine, and machines in it that see other folders than this one."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

MEMORY = 100 * 2**20
"""Bytes of each node for objects."""


def wait_for_cpus(count: int, node: subprocess.Popen[bytes]) -> None:
    """Until the cluster has so many CPUs. node: the one that is still to join."""
    import ray

    end = time.monotonic() + 240  # on a busy machine, Ray takes long to start
    while ray.cluster_resources().get("CPU") != count:
        assert node.poll() is None and time.monotonic() < end, "the node with its own mounts has not started"
        time.sleep(0.1)


def lose(node: subprocess.Popen[bytes]) -> None:
    """Kill all processes of a node at once, as a power failure does."""
    if node.poll() is not None:
        return
    for process in [psutil.Process(node.pid), *psutil.Process(node.pid).children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


@contextmanager
def ray_cluster(cpus: int = 0) -> Iterator[Any]:
    """A cluster on this machine whose head has so many CPUs. Who gets it adds nodes, and connects to it.

    Skips the test where Ray is not installed.
    """
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    ray.shutdown()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": cpus, "object_store_memory": MEMORY})
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


@contextmanager
def private_node(address: str, hidden: Path, cpus: int) -> Iterator[subprocess.Popen[bytes]]:
    """A node that sees an empty folder of its own in place of ``hidden``. It joins within some seconds.

    Skips the test where mounts of one's own are not allowed.
    """
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("mounts of one's own need the rights of root")
    start = f"{Path(sys.executable).parent}/ray start --address={address} --num-cpus={cpus} --block"
    command = f"mount -t tmpfs none {hidden} && exec {start} --object-store-memory={MEMORY}"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    node = subprocess.Popen(["unshare", "--mount", "bash", "-c", command], env=environment, stdout=subprocess.DEVNULL)
    try:
        yield node
    finally:
        node.terminate()
        node.wait(30)
