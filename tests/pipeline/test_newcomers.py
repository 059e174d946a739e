"""Machines that join while a run goes on: nodes of Ray on this machine, one without the stages."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from private_nodes import MEMORY, ray_cluster

import pipeline.newcomers
from pipeline.errors import ManifestError
from pipeline.events import read_events
from pipeline.manifest import load_manifest
from pipeline.runs import Options, run
from toy_manifest import Toy


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without CPUs and a node with one."""
    monkeypatch.setattr(pipeline.newcomers, "INTERVAL", 0.2)
    with ray_cluster() as cluster:
        import ray

        cluster.add_node(num_cpus=1, object_store_memory=MEMORY)
        ray.init(address=cluster.address, log_to_driver=False)
        yield cluster


def test_one_that_lacks_something_ends_the_run_and_is_named(toy: Toy, cluster: Any) -> None:
    other: list[subprocess.Popen[bytes]] = []

    def join() -> None:
        """Once the run has come to a clip."""
        end = time.monotonic() + 120
        while not (toy.folder / "double.log").exists() and time.monotonic() < end:
            time.sleep(0.05)
        command = [f"{Path(sys.executable).parent}/ray", "start", f"--address={cluster.address}", "--num-cpus=2"]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        command += ["--block", f"--object-store-memory={MEMORY}"]
        other.append(subprocess.Popen(command, env=environment, **quiet))

    joining = threading.Thread(target=join)
    joining.start()
    manifest = load_manifest(toy.path, ["index.count=1000", "partition=4", "double.slow=0.2"])
    try:
        with pytest.raises(ManifestError) as refused:
            run(manifest, Options(executor="ray"))
    finally:
        joining.join()
        other[0].terminate()
        other[0].wait(60)
    events = [event["event"] for event in read_events(toy.run_folder)]
    assert events[-1] == "run_interrupted", "who follows the run sees its end"
    lines = str(refused.value).splitlines()
    assert lines[0].startswith("a machine has joined that lacks what the run needs")
    assert len(lines[1:3]) == 2 and "double cannot work" in lines[2]
    assert any("No module named 'toy_stages'" in line for line in lines[3:])
