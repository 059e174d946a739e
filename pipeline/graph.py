"""The graph of a manifest: every variant of every stage is a node, which takes a table from each of its needs.

Tables are matched by kind: a stage that takes ``frames`` gets them from the need that makes ``frames``. The clips come
from the one Source upstream, without being named. The variants of a matrix multiply everything downstream, up to a
stage that gathers them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

from pipeline.errors import ManifestError, PipelineError
from pipeline.manifest import Manifest, StageSpec, built_stages
from pipeline.matrix import joined, variant_name, variants
from pipeline.parameters import Complaint, raise_complaints
from pipeline.registry import did_you_mean, makers
from pipeline.stage import MapStage, Source, Stage, WholeStage

Kind = Literal["source", "map", "whole"]

MAX_NODES = 5000


class VariantNodes(NamedTuple):
    """The nodes that give a whole stage the tables of one variant."""

    name: str
    """Like ``modality=rgb``; empty if nothing upstream has variants, or the stage does not gather them."""
    source: str
    """The Source node upstream; empty if there is none, as with pretrained weights."""
    inputs: dict[str, str]
    """Node name by table name."""
    labels: dict[str, Any]
    """The variant's label on each axis; empty if the name is."""


@dataclass(frozen=True)
class Node:
    """One variant of one stage."""

    name: str
    """Like ``train[modality=rgb]``."""
    spec: str
    """The stage's name in the manifest."""
    uses: str
    """``module:Class``"""
    stage: Stage
    inputs: dict[str, tuple[str, ...]]
    """Node names by table name: more than one only if the stage gathers. Without Sources."""
    needs: tuple[str, ...]
    """Names of all nodes that it takes tables from, including a Source."""
    source: str
    """The Source node upstream (a Source: itself); empty if there is none, or if it gathers several."""
    labels: dict[str, Any]
    """The label on each axis of its own matrix and of those upstream."""
    variant_name: str
    kind: Kind
    variants: tuple[VariantNodes, ...] = ()
    """Only for a whole stage: one, unless it gathers."""


@dataclass(frozen=True)
class Graph:
    """All nodes in topological order; as far as needs allow, in the manifest's order."""

    manifest: Manifest
    nodes: dict[str, Node]

    def ancestors(self, name: str) -> set[str]:
        """Names of all nodes that a node depends on, directly or indirectly."""
        found: set[str] = set()
        for other in reversed(self.nodes):
            if other == name or other in found:
                found.update(self.nodes[other].needs)
        return found

    def descendants(self, name: str) -> set[str]:
        """Names of all nodes that depend on a node, directly or indirectly."""
        found: set[str] = set()
        for other, node in self.nodes.items():
            if name in node.needs or not found.isdisjoint(node.needs):
                found.add(other)
        return found

    def select(self, name: str) -> list[str]:
        """The nodes a person means by ``train`` (all variants) or ``train[modality=rgb]``. Raises ManifestError."""
        found = [node.name for node in self.nodes.values() if name in (node.name, node.spec)]
        if not found:
            valid = dict.fromkeys(name for node in self.nodes.values() for name in (node.spec, node.name))
            raise ManifestError(f"{self.manifest.path}: no stage is called '{name}'{did_you_mean(name, valid)}")
        return found

    def blame(self, name: str, error: PipelineError) -> ManifestError:
        """The error of a node with the file and line that caused it."""
        return self.manifest.blame(self.nodes[name].spec, error)

    def text(self) -> str:
        """A drawing in plain characters: one line per node, with its kind, what it makes and what it needs."""
        depth: dict[str, int] = {}
        for name, node in self.nodes.items():
            depth[name] = max((depth[need] + 1 for need in node.needs), default=0)
        names = [f"{'  ' * depth[name]}{name}" for name in self.nodes]
        width = max(map(len, names))
        lines = []
        for drawn, node in zip(names, self.nodes.values(), strict=True):
            specs = [self.nodes[need].spec for need in node.needs]
            needs = [
                f"all {specs.count(spec)} of {spec}" if specs.count(spec) > 1 else need
                for spec, need in dict(zip(specs, node.needs, strict=True)).items()
            ]
            arrow = f"  <- {', '.join(needs)}" if needs else ""
            lines.append(f"{drawn:<{width}}  {node.kind:<6}  {node.stage.makes.name:<11}{arrow}".rstrip())
        return "\n".join(lines)

    def mermaid(self) -> str:
        """A drawing for Markdown pages that render Mermaid: sources are round, whole stages have double sides."""
        shapes = {"source": ('(["', '"])'), "map": ('["', '"]'), "whole": ('[["', '"]]')}
        identifier = {name: f"n{i}" for i, name in enumerate(self.nodes)}
        lines = ["flowchart LR"]
        for name, node in self.nodes.items():
            opening, closing = shapes[node.kind]
            lines.append(f"    {identifier[name]}{opening}{name}{closing}")
        for name, node in self.nodes.items():
            for need in node.needs:
                lines.append(f"    {identifier[need]} -->|{self.nodes[need].stage.makes.name}| {identifier[name]}")
        return "\n".join(lines)


def build_graph(manifest: Manifest) -> Graph:
    """Resolve needs, tables and matrices. Raises ManifestError with one line for each error."""
    specs = {spec.name: spec for spec in manifest.stages}
    raise_complaints(_unknown_needs(manifest, specs))
    nodes: dict[str, Node] = {}
    complaints: list[Complaint] = []
    failed: set[str] = set()
    for spec in _in_order(manifest, specs):
        if not failed.isdisjoint(spec.needs):
            failed.add(spec.name)  # a consequence of the first error
            continue
        try:
            nodes.update((node.name, node) for node in _nodes_of(manifest, spec, nodes))
        except _RelationError as wrong:
            place = manifest.where(wrong.path) if wrong.path else manifest.place_of_quoted(spec.name, str(wrong))
            complaints.append(Complaint(place, f"stage '{spec.name}'{wrong}"))
            failed.add(spec.name)
    raise_complaints(complaints)
    return Graph(manifest, nodes)


class _RelationError(Exception):
    """A stage does not fit the others. The text continues a sentence that starts with the stage's name."""

    def __init__(self, spec: StageSpec, text: str, need: str | None = None) -> None:
        super().__init__(text)
        self.path: tuple[str | int, ...] = ("stages", spec.name, "needs")
        if need is not None:
            self.path = (*self.path, spec.needs.index(need))


class _AxisError(_RelationError):
    """A parameter names an axis that no matrix has. The text quotes the axis."""

    def __init__(self, spec: StageSpec, text: str) -> None:
        super().__init__(spec, text)
        self.path = ()


def _unknown_needs(manifest: Manifest, specs: dict[str, StageSpec]) -> Iterator[Complaint]:
    for spec in specs.values():
        for i, need in enumerate(spec.needs):
            place = manifest.where(("stages", spec.name, "needs", i))
            if need not in specs:
                others = [name for name in specs if name != spec.name]
                hint = did_you_mean(need, others)
                yield Complaint(place, f"stage '{spec.name}' needs '{need}', but no stage is called that{hint}")
            elif need in spec.needs[:i]:
                yield Complaint(place, f"stage '{spec.name}' needs '{need}' twice")


def _in_order(manifest: Manifest, specs: dict[str, StageSpec]) -> list[StageSpec]:
    """Topological order, close to the manifest's. Raises ManifestError that names the stages of a cycle."""
    ordered: dict[str, StageSpec] = {}
    waiting = dict(specs)
    while waiting:
        ready = next((spec for spec in waiting.values() if ordered.keys() >= set(spec.needs)), None)
        if ready is None:
            cycle = _cycle(waiting)
            place = manifest.where(("stages", cycle[0], "needs"))
            raise ManifestError(f"{place}: stages need each other in a circle: {' → '.join((*cycle, cycle[0]))}")
        ordered[ready.name] = waiting.pop(ready.name)
    return list(ordered.values())


def _cycle(waiting: dict[str, StageSpec]) -> list[str]:
    """The names along a cycle. Every stage in ``waiting`` needs another one of them."""
    path: list[str] = []
    name = next(iter(waiting))
    while name not in path:
        path.append(name)
        name = next(need for need in waiting[name].needs if need in waiting)
    return path[path.index(name) :]


def _nodes_of(manifest: Manifest, spec: StageSpec, nodes: dict[str, Node]) -> Iterator[Node]:
    """The nodes of one stage: its own variants, combined with the variants of its needs that fit together."""
    stages, complaints = built_stages(spec, manifest.places, manifest.path)
    raise_complaints(complaints)
    needs = [[node for node in nodes.values() if node.spec == need] for need in spec.needs]
    position = _tables(spec, stages[0], needs, nodes)
    own = [variant.labels for variant in variants(spec.matrix)]

    def taken(labels: dict[str, Any], picked: Sequence[int]) -> VariantNodes:
        chosen = [choices[i] for choices, i in zip(needs, picked, strict=False)]
        sources = list(dict.fromkeys(node.source for node in chosen if node.source))
        if len(sources) > 1:
            raise _RelationError(spec, f" has two sources, {' and '.join(sources)}; clips must come from one")
        inputs = {table: chosen[i].name for table, i in position.items()}
        return VariantNodes(variant_name(labels), "".join(sources), inputs, labels)

    upstream = [[node.labels for node in choices] for choices in needs]
    found: list[tuple[dict[str, Any], Stage, tuple[VariantNodes, ...]]]
    if isinstance(stages[0], WholeStage) and stages[0].gathers:
        gathered = tuple(taken(labels, picked) for labels, picked in joined(upstream))
        axes = list(dict.fromkeys(axis for one in gathered for axis in one.labels))
        for stage in stages:
            _check_axes(spec, stage, axes)
        found = [(labels, stage, gathered) for labels, stage in zip(own, stages, strict=True) if gathered]
    else:
        found = [(labels, stages[picked[-1]], (taken({}, picked),)) for labels, picked in joined([*upstream, own])]
    if not found:
        raise _RelationError(spec, " has no variants, because none of its needs and of its own matrix fit together")
    if len(found) + len(nodes) > MAX_NODES:
        raise _RelationError(spec, f" makes the graph larger than {MAX_NODES:,} nodes; make the matrices smaller")
    for labels, stage, variant_nodes in found:
        yield _node(spec, stage, labels, variant_nodes, needs)


def _check_axes(spec: StageSpec, stage: Stage, axes: list[str]) -> None:
    try:
        cast(WholeStage, stage).check_axes(axes)
    except ManifestError as error:
        raise _AxisError(spec, f": {error}") from None


def _node(
    spec: StageSpec, stage: Stage, labels: dict[str, Any], taken: tuple[VariantNodes, ...], needs: list[list[Node]]
) -> Node:
    suffix = variant_name(labels)
    name = f"{spec.name}[{suffix}]" if suffix else spec.name
    kind: Kind = "source" if isinstance(stage, Source) else "map" if isinstance(stage, MapStage) else "whole"
    inputs = {table: tuple(dict.fromkeys(nodes.inputs[table] for nodes in taken)) for table in taken[0].inputs}
    sources = {nodes.source for nodes in taken}
    source = name if kind == "source" else "".join(sources) if len(sources) == 1 else ""
    if kind == "map" and not source:
        raise _RelationError(spec, " gets no clips, because no source is upstream; add one to its needs")
    used = {need for needs in inputs.values() for need in needs} | sources
    ordered = tuple(node.name for choices in needs for node in choices if node.name in used)
    return Node(
        name, spec.name, spec.uses, stage, inputs, ordered, source, labels, suffix, kind,
        taken if kind == "whole" else (),
    )  # fmt: skip


def _tables(spec: StageSpec, stage: Stage, needs: list[list[Node]], nodes: dict[str, Node]) -> dict[str, int]:
    """The position of the need that makes each table the stage takes. Clips need not be named."""
    if isinstance(stage, Source) and needs:
        raise _RelationError(spec, " is a source, which needs no other stage; leave its needs out")
    position: dict[str, int] = {}
    taken = [table.name for table in (*stage.takes, *stage.may_take)]
    for i, (need, *_) in enumerate(needs):
        made = need.stage.makes.name
        if need.kind == "source":
            continue
        if made not in taken:
            takes = f"it takes {', '.join(taken)}" if taken else "it takes only clips"
            raise _RelationError(spec, f" does not take '{made}', which '{need.spec}' makes; {takes}", need.spec)
        if made in position:
            other = spec.needs[position[made]]
            raise _RelationError(spec, f" needs '{other}' and '{need.spec}', which both make '{made}'", need.spec)
        position[made] = i
    for table in stage.takes:
        if table.name not in position and table.name != "clips":
            here = dict.fromkeys(node.spec for node in nodes.values() if node.stage.makes.name == table.name)
            hint = f"; add '{next(iter(here))}' to its needs" if here else _like(makers(table.name))
            raise _RelationError(spec, f" needs a stage that makes '{table.name}'{hint}")
    return position


def _like(names: list[str]) -> str:
    return f" (such as '{names[0]}')" if names else ""
