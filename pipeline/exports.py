"""The files that whole stages write into the run's folder, for people to open."""

import json
from collections.abc import Set
from pathlib import Path
from typing import cast

from pipeline.failures import FAILURES
from pipeline.files import replace_file
from pipeline.graph import Graph, Node
from pipeline.keys import digest
from pipeline.plan import Plan
from pipeline.reasons import recorded_keys
from pipeline.stage import StageUse, WholeStage

EXPORTED = "exported.json"


def export(plan: Plan, folder: Path, blocked: Set[str] = frozenset()) -> list[str]:
    """Let all whole stages that are done write their files. Returns the lines of those without descendants."""
    exported, lines = {}, []
    for name, key in _whole_keys(plan).items():
        node_plan = plan.nodes[name]
        path = node_plan.path(plan.store)
        if name in blocked or not plan.store.filesystem.exists(path):
            continue
        target = _folder_of(node_plan.node, folder)
        target.mkdir(parents=True, exist_ok=True)
        stage = cast(WholeStage, node_plan.node.stage)
        line = stage.export(plan.store.read(path), target, folder)
        stage.export_uses(uses_of(plan.graph, name), target, node_plan.node.spec, plan.graph.manifest.partition)
        exported[name] = key
        if line and not plan.graph.descendants(name):
            lines.append(line)
    replace_file(folder / EXPORTED, json.dumps(exported | _failures_key(plan), indent=1).encode())
    return lines


def written_files(plan: Plan, folder: Path) -> set[Path]:
    """The files that the run's whole stages will write and that a stage may read."""
    nodes = [plan.nodes[name].node for name in _whole_keys(plan)]
    return {
        file.resolve() for node in nodes for file in cast(WholeStage, node.stage).exported(_folder_of(node, folder))
    }


def _folder_of(node: Node, folder: Path) -> Path:
    return folder / "variants" / node.variant_name if node.variant_name else folder


def uses_of(graph: Graph, name: str) -> list[StageUse]:
    """What ``WholeStage.export_uses`` is given. Of several variants of a stage, the first counts."""
    names = graph.ancestors(name) | {name}
    specs = {graph.nodes[one].spec for one in names}
    for node in graph.nodes.values():
        if node.kind == "map" and node.spec not in specs and names.issuperset(node.needs):
            names.add(node.name)
            specs.add(node.spec)
    return [
        StageUse(
            node.spec,
            node.uses,
            tuple(graph.nodes[need].spec for need in node.needs),
            node.stage.model_dump(mode="json", exclude_unset=True),
            node.stage.makes.name,
        )
        for node in graph.nodes.values()
        if node.name in names
    ]


def _whole_keys(plan: Plan) -> dict[str, str]:
    return {name: node_plan.keys[0] for name, node_plan in plan.nodes.items() if node_plan.node.kind == "whole"}


def _failures_key(plan: Plan) -> dict[str, str]:
    """Of which results the list of failures is."""
    keys = [key for node_plan in plan.nodes.values() if node_plan.node.kind == "map" for key in node_plan.keys]
    return {FAILURES: digest(*keys)}


def is_exported(plan: Plan, folder: Path) -> bool:
    """Whether the folder's files are of just these results."""
    return _exported(folder) == _whole_keys(plan) | _failures_key(plan)


def is_outdated(folder: Path, name: str) -> bool:
    """Whether a run has been changed since a whole node wrote its files, and has not yet written them again."""
    exported, planned = _exported(folder), recorded_keys(folder)
    return exported is not None and bool(planned) and [exported.get(name)] != planned.get(name)


def _exported(folder: Path) -> dict[str, str] | None:
    try:
        return cast(dict[str, str], json.loads((folder / EXPORTED).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None
