"""The figures of a run as Prometheus reads them, from the port on which a real Ray exports its metrics."""

import re
import socket
import time
from collections.abc import Iterator
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from pipeline.manifest import load_manifest
from pipeline.ray_executor import RayExecutor
from pipeline.runs import run
from toy_manifest import Toy

for needed in ("ray", "opentelemetry.sdk", "opentelemetry.exporter.prometheus", "prometheus_client"):
    pytest.importorskip(needed, reason="without ray[default], Ray exports nothing")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Ray, and the port on which it exports metrics."""
    import ray

    ray.shutdown()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet: dict = {"include_dashboard": False, "log_to_driver": False}
    ray.init("local", num_cpus=2, object_store_memory=100 * 2**20, _metrics_export_port=port, **quiet)
    yield port
    ray.shutdown()


def figures(port: int, run_name: str) -> dict[tuple[str, ...], float]:
    """What is exported of a run: name, stage, and how or state if there is one; and the value."""
    try:
        text = urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    except (URLError, ConnectionError):
        return {}  # it is starting
    found = {}
    for name, labels, value in re.findall(r"^ray_(pipeline_\w+)\{(.*)\} (\S+)$", text, re.M):
        of = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        if of["run"] == run_name:
            found[(name, of["stage"], *(of[label] for label in ("how", "state") if label in of))] = float(value)
    return found


def expect(port: int, run_name: str, wanted: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    """All figures of a run, as soon as these have been exported: that takes up to 20 seconds."""
    end = time.monotonic() + 60
    while not wanted.items() <= (found := figures(port, run_name)).items():
        assert time.monotonic() < end, found
        time.sleep(1)
    return found


def test_what_a_run_has_computed_and_reused_and_what_failed(toy: Toy, port: int) -> None:
    settings = ["index.count=12", "partition=2", "double.fail=[clip-3]", "double.slow=0.1", "max_failed=0.5"]
    executor = RayExecutor()
    run(load_manifest(toy.path, [*settings, "name=first"]), executor=executor)
    partitions = len(toy.plan(*settings).nodes["double"].keys)
    found = expect(
        port,
        "first",
        {
            ("pipeline_results_total", "double", "computed"): partitions,
            ("pipeline_results_total", "add", "computed"): partitions,
            ("pipeline_results_total", "total", "computed"): 1,
            ("pipeline_clips_failed_total", "double"): 1,
        },
    )
    assert 1.2 <= found["pipeline_work_seconds_total", "double"] < 60
    assert ("pipeline_results_total", "double", "reused") not in found
    assert ("pipeline_clips_failed_total", "add") not in found

    run(load_manifest(toy.path, [*settings, "name=second", "total.fail=true", "total.scale=2"]), executor=executor)
    found = expect(
        port,
        "second",
        {
            ("pipeline_results_total", "double", "reused"): partitions,
            ("pipeline_results_total", "total", "failed"): 1,
        },
    )
    assert ("pipeline_results_total", "total", "computed") not in found
    assert figures(port, "first")["pipeline_results_total", "double", "computed"] == partitions, "of the run before"


def test_what_waits_and_what_is_in_hand(toy: Toy, port: int) -> None:
    """Looked at in the middle of a run, by a listener, while nothing changes for longer than Ray keeps a gauge."""
    seen: list[dict[tuple[str, ...], float]] = []

    def look(event: dict) -> None:
        if event["event"] == "progress" and event["done"] == 0 and not seen:
            seen.append(
                expect(
                    port,
                    "toy",
                    {
                        ("pipeline_partitions", "total", "in_hand"): 1,
                        ("pipeline_partitions", "total", "waiting"): 0,
                        ("pipeline_partitions", "summary", "waiting"): 1,
                        ("pipeline_partitions", "double", "waiting"): 0,
                    },
                )
            )

    run(load_manifest(toy.path, ["index.count=4"]), listeners=[look], executor=RayExecutor())
    assert seen
    expect(port, "toy", {("pipeline_partitions", stage, "in_hand"): 0 for stage in ("double", "total", "summary")})
