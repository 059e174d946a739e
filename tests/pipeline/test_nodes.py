"""What the machines of a cluster are asked before a run: nodes of Ray on this machine, one with its own mounts."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from private_nodes import MEMORY, private_node, ray_cluster, wait_for_cpus

import pipeline.node_probe
import pipeline.nodes
from pipeline.errors import ManifestError
from pipeline.manifest import load_manifest
from pipeline.node_probe import Lack, Wanted, look, versions
from pipeline.nodes import CLOCKS, Node, _compare, examine_nodes, node_lines, refuse_nodes
from pipeline.runs import Options, run
from toy_manifest import Toy
from toy_stages import CLIPS, Double, Unprepared


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in whose place one of the nodes sees another."""
    return tmp_path_factory.mktemp("private")


@pytest.fixture(scope="module")
def cluster(private: Path) -> Iterator[Any]:
    """A head without CPUs, a node with one, and one with two that sees another folder and finds no toy stages."""
    with ray_cluster() as cluster, private_node(cluster.address, private, 2) as other:
        import ray

        cluster.add_node(num_cpus=1, object_store_memory=MEMORY)
        ray.init(address=cluster.address, log_to_driver=False)
        wait_for_cpus(3, other)
        yield other


@pytest.mark.parametrize("elsewhere", ["total.cpus=1", "total.spread=true"])
def test_a_machine_that_lacks_the_store_and_the_stages_is_shown_before_anything_runs(
    cluster: subprocess.Popen, private: Path, elsewhere: str
) -> None:
    toy = Toy(private)
    with pytest.raises(ManifestError) as refused:
        run(load_manifest(toy.path, [elsewhere]), Options(executor="ray"))
    lines = str(refused.value).splitlines()
    assert lines[0] == "not all machines have what the run needs:"
    assert lines[1].split() == ["node", "CPUs", "GPUs", "disk", "free"]
    rows = {row.split()[2]: row for row in lines[2:5]}
    assert rows["0"].endswith("no work runs here")
    assert re.search(r"B +ok$", rows["1"])
    lacks = rows["2"].partition("B  ")[2].strip().split("; ")
    assert lacks == [
        f"other {private}/store",
        f"other {private}/runs",
        *(f"{stage} cannot work" for stage in ("double", "add", "share")),
    ]
    assert f"- {private}/store must be the same folder on all machines: mount it there, or choose another" in lines[5]
    assert lines[7].startswith("- double: No module named 'toy_stages': install it on all machines")
    assert sum(toy.all_visits().values()) == 0
    left = [path for folder in ("store", "runs") for path in (private / folder).rglob("*probe*")]
    assert left == []


def test_a_machine_that_does_not_answer_is_shown(
    cluster: subprocess.Popen, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.nodes, "ANSWER", 5.0)
    stopped = [one for one in psutil.Process(cluster.pid).children(recursive=True) if one.name() != "bash"]
    for process in stopped:
        process.send_signal(signal.SIGSTOP)
    try:
        nodes = examine_nodes()
    finally:
        for process in stopped:
            process.send_signal(signal.SIGCONT)
    assert {node.cpus: [lack.what for lack in node.lacks] for node in nodes} == {0: [], 1: [], 2: ["does not answer"]}


def test_a_machine_that_is_lost_while_it_is_asked_is_left_out(
    cluster: subprocess.Popen, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    known = ray.nodes
    lost = {"NodeID": "ab" * 28, "Alive": True, "NodeManagerHostname": "lost", "NodeManagerAddress": "192.0.2.9"}
    answers = [[*known(), lost | {"Resources": {"CPU": 4}}]]
    monkeypatch.setattr(ray, "nodes", lambda: answers.pop() if answers else known())
    assert sorted(node.cpus for node in examine_nodes()) == [0, 1, 2]


def test_a_machine_that_ray_says_has_died_is_left_out(
    cluster: subprocess.Popen, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    get = ray.get
    deaths = [ray.exceptions.NodeDiedError("it has died")]

    def get_or_die(reference: Any) -> Any:
        answer = get(reference)
        if deaths:
            raise deaths.pop()
        return answer

    monkeypatch.setattr(ray, "get", get_or_die)
    left = examine_nodes()
    assert len(left) == 2 and not any(node.lacks for node in left if node.cpus == 1)


def test_other_versions_and_clocks_are_named() -> None:
    here, now = versions(), time.time()
    same = ((here, 10**12, []), "", now)
    far = ((here | {"ray": "2.1", "source code": "0"}, 10**12, []), "", now + CLOCKS + 5)
    none = (None, "ModuleNotFoundError: No module named 'pipeline'", now)
    nodes = [Node("a", 1, 0), Node("b", 1, 0), Node("c", 1, 0)]
    for node, answer in zip(nodes, (same, far, none), strict=True):
        _compare(node, answer, now - 1, now)
    assert list(node_lines(nodes))[1:] == [
        "a     1     0     1.0 TB     ok",
        "b     1     0     1.0 TB     ray 2.1; source code 0; clock differs by 15 s",
        "c     1     0                another installation",
        f"- install the same ray on all machines: {here['ray']} is here",
        f"- install the same source code on all machines: {here['source code']} is here",
        "- set the clocks of all machines, for example by NTP",
        "- install the same version of the package as here, in the Python that runs Ray (ModuleNotFoundError: No "
        "module named 'pipeline')",
    ]
    refuse_nodes(nodes[:1])
    with pytest.raises(ManifestError):
        refuse_nodes(nodes)
    assert list(node_lines([Node("head", 0, 0)]))[1:] == [
        "head  0     0                no work runs here",
        "- no machine is there that works: start one, or wait for those that start by themselves",
    ]


def test_what_a_node_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline.node_probe, "FREE", 10**18)
    cloudpickle = pytest.importorskip("ray").cloudpickle
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").write_bytes(b"12345")
    clips = CLIPS.schema.empty_table()
    stages = [(name, cloudpickle.dumps((stage, clips))) for name, stage in (("a", Double()), ("b", Unprepared()))]
    files = [("weights", 5), ("weights", 6), ("video.mp4", None)]
    _, free, lacks = look(Wanted(str(tmp_path), files=files, stages=stages, gpus=True), "key", 1000)
    assert free > 0
    assert [lack.what for lack in lacks] == [
        "disk full",
        "1 file not there",
        "1 other file",
        "b cannot work",
        f"PyTorch can use {usable()} of 1000 GPUs",
    ]
    assert lacks[3] == Lack("b cannot work", "b: its weights are on no machine but one")


def usable() -> int:
    torch = pytest.importorskip("torch")
    return torch.cuda.device_count() if torch.cuda.is_available() else 0
