"""Whether the machines of a cluster have what a run needs, asked before anything runs.

Every node gets one small task that occupies nothing. It looks for what jobs will look for there, and leaves a file in
the store, which this process then looks for: so a folder that only has the same name on two machines is told from one
that they share.
"""

import time
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.checks import asked
from pipeline.errors import ManifestError
from pipeline.keys import columns_of
from pipeline.node_probe import Lack, Wanted, not_shared, versions
from pipeline.plan import Plan
from pipeline.stage import MapStage, Resources, WholeStage
from pipeline.store import TEMPORARY, Store
from pipeline.texts import byte_size, columns
from pipeline.urls import is_url
from pipeline.writers import writer_name

ANSWER = 90.0
"""Seconds in which a node must answer: Python and Ray may have to be read from a network file system first."""
CLOCKS = 10.0
"""Seconds that the clocks of two machines may differ: less than any time limit of a clip."""
SAMPLE = 20
"""So many clips have their files looked for on every node."""


@dataclass
class Node:
    """A machine of the cluster, and what it lacks."""

    name: str
    cpus: float
    gpus: float
    free: int | None = None
    """Bytes free for Ray's own files; None: unknown."""
    lacks: list[Lack] = field(default_factory=list)
    lost: bool = False
    """Ray says that it has died while it was asked: no work will run there."""

    @property
    def works(self) -> bool:
        """Whether any work runs there: the head of a cluster often has no CPUs for it."""
        return self.cpus > 0 or self.gpus > 0


def refuse_nodes(nodes: Sequence[Node], reason: str = "not all machines have what the run needs") -> None:
    """Raises ManifestError with a table of all nodes if any of them lacks something."""
    if any(node.lacks for node in nodes):
        raise ManifestError("\n".join([f"{reason}:", *node_lines(nodes)]))


def node_lines(nodes: Sequence[Node]) -> Iterator[str]:
    """One table, a row a node, then what to do about all that is missing."""
    rows = []
    for node in nodes:
        verdict = "; ".join(lack.what for lack in node.lacks) or ("ok" if node.works else "no work runs here")
        free = "" if node.free is None else byte_size(node.free)
        rows.append((node.name, f"{node.cpus:g}", f"{node.gpus:g}", free, verdict))
    yield from columns([("node", "CPUs", "GPUs", "disk free", ""), *rows])
    yield from (f"- {remedy}" for remedy in dict.fromkeys(lack.remedy for node in nodes for lack in node.lacks))
    if not any(node.works for node in nodes):
        yield "- no machine is there that works: start one, or wait for those that start by themselves"


def examine_nodes(plan: Plan | None = None, only_todo: bool = True, among: Set[str] | None = None) -> list[Node]:
    """Ask all nodes of the running Ray, and compare what they have with what this process has.

    plan: what will run there. only_todo: ask about its stages with something to compute, or about all of them. among:
    ids of the nodes to ask; None: all.
    """
    import ray

    up = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
    nodes = {key: _node(node) for key, node in up.items() if among is None or key in among}
    wanted = _wanted(plan, only_todo) if plan else Wanted(str(Path.cwd()))
    try:
        for url, probe in wanted.places:
            _leave(url, probe)
        _ask({key: node for key, node in nodes.items() if node.works}, wanted)
        for key, node in nodes.items():
            for url, probe in wanted.places if node.works and not node.lacks and not node.lost else ():
                if not Store(url).has_arrived(_path(url, f"{probe}.{key}")):
                    node.lacks.append(not_shared(url))
    finally:
        for url, probe in wanted.places:
            for name in (probe, *(f"{probe}.{key}" for key in nodes)):
                with suppress(OSError):
                    Store(url).filesystem.rm_file(_path(url, name))
    there = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
    return sorted((node for key, node in nodes.items() if key in there and not node.lost), key=lambda node: node.name)


def _node(node: dict[str, Any]) -> Node:
    host, address, has = node["NodeManagerHostname"], node["NodeManagerAddress"], node["Resources"]
    return Node(f"{host} ({address})", has.get("CPU", 0), has.get("GPU", 0))


def _ask(nodes: dict[str, Node], wanted: Wanted) -> None:
    """Ask these nodes, all at the same time, and note what they lack."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    task = ray.remote(num_cpus=0, max_retries=0)(_probe())
    sent, end = time.time(), time.monotonic() + ANSWER
    asked_of = {}
    for key, node in nodes.items():
        there = NodeAffinitySchedulingStrategy(key, soft=False)
        options = {"scheduling_strategy": there, "name": "what is on this machine?"}
        asked_of[task.options(**options).remote(tuple(wanted), key, node.gpus)] = node
    waiting = list(asked_of)
    while waiting and (left := end - time.monotonic()) > 0:
        ready, waiting = ray.wait(waiting, num_returns=1, timeout=left)
        for reference in ready:
            try:
                _compare(asked_of[reference], ray.get(reference), sent, time.time())
            except ray.exceptions.NodeDiedError:
                asked_of[reference].lost = True
            except ray.exceptions.RayError as error:
                asked_of[reference].lacks.append(_silent(str(error).splitlines()[0]))
    for reference in waiting:
        ray.cancel(reference, force=True)
        asked_of[reference].lacks.append(_silent(f"nothing came within {ANSWER:g} s"))


def _silent(reason: str) -> Lack:
    return Lack("does not answer", f"a machine that does not answer ({reason}): see ray status, or take it away")


def _probe() -> Callable[..., Any]:
    """What a node runs. A function inside a function travels with its code, so that it also runs where this package is
    missing."""

    def probe(wanted: tuple[Any, ...], key: str, gpus: float) -> tuple[Any, str, float]:
        import importlib
        import time

        try:
            there = importlib.import_module("pipeline.node_probe")
            return there.look(there.Wanted(*wanted), key, gpus), "", time.time()
        except Exception as error:
            return None, f"{type(error).__name__}: {error}", time.time()

    return probe


def _compare(node: Node, answer: tuple[Any, str, float], sent: float, received: float) -> None:
    """Note what a node has said: what it lacks, and what is not as it is here."""
    said, error, clock = answer
    if error:
        remedy = f"install the same version of the package as here, in the Python that runs Ray ({error})"
        node.lacks.append(Lack("another installation", remedy))
        return
    theirs, node.free, lacks = said
    for name, version in versions().items():
        if theirs[name] != version:
            remedy = f"install the same {name} on all machines: {version} is here"
            node.lacks.append(Lack(f"{name} {theirs[name]}", remedy))
    if (off := max(clock - received, sent - clock)) > CLOCKS:
        node.lacks.append(Lack(f"clock differs by {off:.0f} s", "set the clocks of all machines, for example by NTP"))
    node.lacks += [Lack(*lack) for lack in lacks]


def _wanted(plan: Plan, only_todo: bool) -> Wanted:
    """What the plan's jobs will look for."""
    import ray

    names = asked(plan) if only_todo else plan.nodes.keys()
    files: dict[str, int | None] = {}
    stages: dict[str, bytes] = {}
    gpus = False
    for name in plan.nodes:
        node_plan = plan.nodes[name]
        stage = node_plan.node.stage
        if name not in names or not isinstance(stage, MapStage | WholeStage):
            continue
        worker = _worker(stage)
        gpus = gpus or bool(worker and worker.num_gpus)
        files |= {str(file): file.stat().st_size for file in stage.files() if isinstance(file, Path)}
        if isinstance(stage, MapStage):
            clips = plan.sources[node_plan.node.source].table
            some = clips.take(list(range(0, clips.num_rows, max(1, clips.num_rows // SAMPLE))))
            stages.setdefault(node_plan.node.spec, ray.cloudpickle.dumps((stage, some)))
            for column in columns_of(some, "place"):
                files |= {path: None for path in some[column].to_pylist() if path and Path(path).exists()}
    return Wanted(str(Path.cwd()), _places(plan), list(files.items()), list(stages.items()), gpus)


def _worker(stage: MapStage | WholeStage) -> Resources | None:
    """What the stage occupies on a machine. None: it runs in this process alone."""
    return stage.resources() or (stage.spreads() if isinstance(stage, WholeStage) else None)


def _places(plan: Plan) -> list[tuple[str, str]]:
    """The folders and URLs that machines must share, each with the name of a file to leave there."""
    places = [(plan.store.url, f"{TEMPORARY}/probe.{writer_name()}")]
    stages = [node_plan.node.stage for node_plan in plan.nodes.values()]
    if plan.store.is_local and any(isinstance(stage, WholeStage) and _worker(stage) for stage in stages):
        if is_url(plan.graph.manifest.runs):
            raise ManifestError(
                "runs is a URL, but the store is a folder: on a cluster, set store to a URL, too, or runs to a folder "
                "that all machines share"
            )
        places.append((str(Path(plan.graph.manifest.runs).absolute()), f".probe.{writer_name()}"))
    return places


def _leave(url: str, probe: str) -> None:
    path = _path(url, probe)
    filesystem = Store(url).filesystem
    filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
    filesystem.pipe_file(path, b"asked")


def _path(url: str, name: str) -> str:
    return f"{Store(url).root}/{name}"
