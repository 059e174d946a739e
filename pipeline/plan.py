"""The plan: the key of every result that a manifest asks for, known before anything runs, and which are missing.

The key of a partition is the hash of the stage (name, version, parameters, files it names), of the partition's clips,
and of the keys of its inputs. A result exists if and only if the store has a file of that name.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import pyarrow as pa

from pipeline.clips import NO_CLIPS, Clips, Rows, Selection, listed_clips, selected_rows
from pipeline.errors import ManifestError
from pipeline.graph import Graph, Node
from pipeline.keys import canonical, digest, stage_identity
from pipeline.stage import MapStage, Source, Stage, WholeStage
from pipeline.stage_inputs import TableFiles, VariantInputs
from pipeline.store import Attempts, Store


@dataclass
class NodePlan:
    """What is known about one node before it runs. Lists have an item per partition; whole stages have one."""

    node: Node
    identity: dict[str, Any]
    folder: str
    clips: Clips | None = None
    rows: list[Rows] = field(default_factory=list)
    """Rows of the index in each partition; an empty partition has no result and no key."""
    keys: list[str] = field(default_factory=list)
    """Key of each partition; "" if the partition is empty."""
    first_keys: list[str] = field(default_factory=list)
    """The keys before any attempt."""
    done: list[bool] = field(default_factory=list)
    selections: dict[str, Selection] = field(default_factory=dict)
    """What a whole stage selects, by source; only of sources of which it does not select all clips."""
    before_retry: dict[int, str] = field(default_factory=dict)
    """The keys of retried partitions before the last attempt, with whose results those of the attempt are compared."""
    forced: bool = False
    """Whether any of its keys is that of a forced attempt: then no older result will do."""

    @property
    def partitions(self) -> int:
        return sum(bool(key) for key in self.keys)

    def path(self, store: Store, partition: int = 0) -> str:
        return store.path(self.folder, self.keys[partition])

    def paths(self, store: Store, partitions: Sequence[int] | None = None) -> list[str]:
        """The files of these partitions, or of all."""
        keys = self.keys if partitions is None else [self.keys[i] for i in partitions]
        return [store.path(self.folder, key) for key in keys if key]

    def clips_of(self, partition: int) -> pa.Table:
        """The clips that a worker gets for a partition."""
        assert self.clips is not None
        return self.clips.unannotated.take(pa.array(self.rows[partition], pa.int64()))


@dataclass
class Plan:
    """All nodes in topological order, and the tasks: partitions that must be computed for the manifest's results."""

    graph: Graph
    store: Store
    nodes: dict[str, NodePlan]
    sources: dict[str, Clips]
    tasks: list[tuple[str, int]]
    """(node, partition) of every missing result that is wanted. Each result occurs once, after the results it needs."""

    known_failures: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=dict)
    """(clip_id, error) by file, for results that have been read: they never change."""
    forced: Set[str] = frozenset()
    """Nodes that were asked to be computed again."""
    attempts: Mapping[str, int] = field(default_factory=dict)
    """Attempts that the store has to record before the plan is carried out, by first key: the keys count with them."""

    def todo(self, name: str) -> int:
        """The number of partitions of a node that would be computed."""
        return self._counts.get(name, 0)

    @cached_property
    def task_of(self) -> dict[str, tuple[str, int]]:
        """The task that makes a result, by key."""
        return {self.nodes[name].keys[i]: (name, i) for name, i in self.tasks}

    @cached_property
    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for name, _ in self.tasks:
            counts[name] = counts.get(name, 0) + 1
        return counts

    def variants(self, name: str) -> list[VariantInputs]:
        """What a whole node is given: the clips and inputs of each variant, as far as it selects them."""
        found = []
        for variant in self.nodes[name].node.variants:
            selection = self.nodes[name].selections.get(variant.source)
            clips = selection or self.sources.get(variant.source)
            found.append(
                VariantInputs(
                    variant.name,
                    clips.table if clips else NO_CLIPS,
                    {table: self._files(need, selection) for table, need in variant.inputs.items()},
                    variant.labels,
                    cast(Source, self.nodes[variant.source].node.stage).about() if variant.source else "",
                )
            )
        return found

    def _files(self, name: str, selection: Selection | None) -> TableFiles:
        plan = self.nodes[name]
        schema = plan.node.stage.makes.schema
        if selection is None or plan.node.kind != "map":
            return TableFiles(plan.paths(self.store), self.store.open_input, schema)
        paths = plan.paths(self.store, selection.partitions)
        return TableFiles(paths, self.store.open_input, schema, frozenset(selection.ids))


def make_plan(
    graph: Graph,
    store: Store,
    partition: int,
    only: set[str] | None = None,
    force: Set[str] = frozenset(),
) -> Plan:
    """Compute all keys and look up which results exist.

    partition: mean number of clips per partition. only: nodes that may be computed (of all others, the needed results
    must exist). force: nodes to compute again, even if they are done. What is done there gets one more attempt, and
    with it new keys, as has everything made from it: so neither is taken for done if this is interrupted. Whole stages
    after it that select clips get an attempt of their own, as results of theirs are also found by content.
    """
    sources: dict[str, Clips] = {}
    nodes: dict[str, NodePlan] = {}
    existing: dict[str, set[str]] = {}
    attempts, same = store.attempts(), store.same()
    forced: dict[str, int] = {}

    def key_after(first: str, count: int) -> str:
        """The key of an attempt, or the older one whose result turned out to be the same."""
        key = digest(first, f"attempt {count}") if first and count else first
        for _ in same:
            if key not in same:
                break
            key = same[key]
        return key

    def key_of(first: str) -> str:
        return key_after(first, attempts.get(first, Attempts()).last)

    for name, node in graph.nodes.items():
        if node.kind == "source":
            try:
                sources[name] = Clips(listed_clips(cast(Source, node.stage)), partition)
            except ManifestError as error:
                raise graph.blame(name, error) from error
            nodes[name] = NodePlan(node, stage_identity(node.uses, node.stage), "")
            continue
        try:
            found = _map_plan(node, nodes, sources) if node.kind == "map" else _whole_plan(node, nodes, sources)
        except ManifestError as error:
            raise graph.blame(name, error) from error
        if found.folder not in existing:
            existing[found.folder] = store.keys(found.folder)
        there = existing[found.folder]
        if node.kind == "whole" and found.selections and key_of(found.first_keys[0]) not in there:
            early = _whole_key(found, nodes, sources, {})
            found.first_keys = [early] if key_of(early) in there else found.first_keys
        by_content = bool(found.selections) and not force.isdisjoint((name, *graph.ancestors(name)))
        for first in found.first_keys if name in force or by_content else ():
            count, last_forced = attempts.get(first, Attempts())
            if key_of(first) in there or (by_content and not last_forced):
                forced[first] = count + 1
                attempts[first] = Attempts(count + 1, count + 1)
        tried = [attempts.get(first, Attempts()) for first in found.first_keys]
        found.keys = [key_of(first) for first in found.first_keys]
        found.done = [not key or key in there for key in found.keys]
        for i, (first, (count, last_forced)) in enumerate(zip(found.first_keys, tried, strict=True)):
            if count > last_forced:
                found.before_retry[i] = key_after(first, count - 1)
        found.forced = any(last_forced for _, last_forced in tried)
        nodes[name] = found
    return Plan(graph, store, nodes, sources, _wanted(graph, nodes, only, force), forced=force, attempts=forced)


def _map_plan(node: Node, nodes: dict[str, NodePlan], sources: dict[str, Clips]) -> NodePlan:
    clips = sources[node.source]
    stage = cast(MapStage, node.stage)
    plan = NodePlan(node, stage_identity(node.uses, stage), stage_folder(stage), clips)
    identity = canonical(plan.identity)
    plan.rows = selected_rows(stage, clips)
    inputs = [(table, nodes[need]) for table, (need,) in sorted(node.inputs.items())]
    whole = [f"{table}={need.keys[0]}" for table, need in inputs if need.node.kind == "whole"]
    mapped = [(table, need) for table, need in inputs if need.node.kind == "map"]
    for i, rows in enumerate(plan.rows):
        keys = [need.keys[i] for _, need in mapped]
        if not len(rows) or not all(keys):
            plan.rows[i] = range(0)
            plan.first_keys.append("")
            continue
        tables = [f"{table}={key}" for (table, _), key in zip(mapped, keys, strict=True)]
        plan.first_keys.append(digest(identity, *whole, *tables, "clips", *clips.content(rows)))
    return plan


def _whole_plan(node: Node, nodes: dict[str, NodePlan], sources: dict[str, Clips]) -> NodePlan:
    plan = NodePlan(node, stage_identity(node.uses, node.stage), stage_folder(node.stage))
    stage = cast(WholeStage, node.stage)
    for name in {variant.source for variant in node.variants if variant.source}:
        clips = sources[name]
        rows = selected_rows(stage, clips)
        if sum(map(len, rows)) < len(clips):
            plan.selections[name] = Selection(clips, rows)
        if not stage.gathers:
            plan.identity["version"] = stage.version_for(plan.selections.get(name, clips).table)
    plan.first_keys = [_whole_key(plan, nodes, sources, plan.selections)]
    return plan


def _whole_key(
    plan: NodePlan, nodes: dict[str, NodePlan], sources: dict[str, Clips], selections: Mapping[str, Selection]
) -> str:
    """The first key of a whole node, of which nothing counts but what ``selections`` leave of its inputs.

    Without selections it is the key that results had before stages could select. Such a result is still valid.
    """
    parts = [canonical(plan.identity)]
    for variant in plan.node.variants:
        labels = canonical(variant.labels) if variant.labels else ""
        selection = selections.get(variant.source)
        clips = selection or sources.get(variant.source)
        parts += ["branch", labels, clips.digest if clips else ""]
        for table, need in sorted(variant.inputs.items()):
            keys = nodes[need].keys
            if selection and nodes[need].node.kind == "map":
                keys = [keys[i] for i in selection.partitions]
            parts += [table, *keys]
    return digest(*parts)


def _wanted(graph: Graph, nodes: dict[str, NodePlan], only: Set[str] | None, force: Set[str]) -> list[tuple[str, int]]:
    """What must be computed: missing results of nodes without descendants, and all missing results that those need.

    So an intermediate result may be deleted once everything made from it exists.
    """
    wanted: set[tuple[str, int]] = set()
    needed = {name: bytearray(len(plan.keys)) for name, plan in nodes.items()}
    for name in reversed(list(graph.nodes)):
        plan = nodes[name]
        final = name in force or (not graph.descendants(name) if only is None else name in only)
        for i, done in enumerate(plan.done):
            if done or not (final or needed[name][i]):
                continue
            if only is not None and name not in only:
                raise ManifestError(
                    f"stage '{name}' is not done (partition {i + 1} of {len(plan.keys)}), and what you "
                    "asked for needs it; run without --from and --only, or with an earlier stage"
                )
            wanted.add((name, i))
            for need in plan.node.needs:
                if plan.node.kind == "map" and nodes[need].node.kind == "map":
                    needed[need][i] = 1
                else:
                    needed[need][:] = b"\x01" * len(needed[need])
    order = {name: position for position, name in enumerate(graph.nodes)}

    def turn(task: tuple[str, int]) -> tuple[bool, int, int]:
        """Partition by partition, so that later stages start before earlier ones have ended. Whole stages last, but
        first those that need no other, such as a saved model, for which predictions would have to wait."""
        name, i = task
        node = nodes[name].node
        if node.kind == "whole":
            return bool(node.needs), -1, order[name]
        return False, i, order[name]

    # Several variants may want the same result: the first one makes it.
    first = {nodes[name].keys[i]: (name, i) for name, i in sorted(wanted, key=turn, reverse=True)}
    return sorted(first.values(), key=turn)


def stage_folder(stage: Stage) -> str:
    """The store's folder for a stage's results. It is named for people: keys alone identify results."""
    return type(stage).__name__.lower()
