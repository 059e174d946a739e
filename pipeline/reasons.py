"""Says why a plan would compute its tasks, by comparing it with the record of the run's last plan."""

import importlib
import json
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any, cast

from pipeline.events import read_events
from pipeline.plan import NodePlan, Plan
from pipeline.source_code import code_of, plugins_of
from pipeline.texts import count

RECORD = "plan.json"
"""The file in a run's folder that records its last plan."""

LISTED = 3
"""Up to this many variants with the same reason have a line each, and up to this many changed modules are named."""


def record(plan: Plan, before: dict[str, Any], computed: Set[str] = frozenset()) -> str:
    """JSON for the run's folder: identities, code and keys, from which the next plan finds out what has changed.

    before: what the last run recorded (see ``last_record``). computed: nodes that this run has computed results of.
    """

    def code(name: str, node_plan: NodePlan) -> dict[str, str]:
        """The code of a stage. If it has nothing to do, then that with which its results were computed."""
        known = None if plan.todo(name) or name in computed else before.get(name)
        return _recorded_code(known) if known else _code(node_plan)

    return json.dumps(
        {
            name: {"identity": node_plan.identity, "code": code(name, node_plan), "keys": node_plan.keys}
            for name, node_plan in plan.nodes.items()
        }
    )


def reasons(plan: Plan, run_folder: Path) -> dict[str, str]:
    """One text per node: why it would be computed, or that it is done."""
    record = last_record(run_folder)
    events = list(read_events(run_folder))
    started = {event["key"] for event in events if event["event"] == "started"}
    finished = {event["key"] for event in events if event["event"] == "finished"}
    texts: dict[str, str] = {}
    for name, node_plan in plan.nodes.items():
        node = node_plan.node
        before = record.get(name)
        if node.kind == "source":
            clips = plan.sources[name]
            texts[name] = f"{count(len(clips), 'clip')} in {count(len(clips.bounds), 'partition')}"
            continue
        todo = plan.todo(name)
        if not todo:
            texts[name] = _why_nothing_to_do(plan, node_plan)
            changed = _changed_code(_recorded_code(before), _code(node_plan)) if before else ""
            if changed:
                texts[name] += f" (code changed since: {changed}; to recompute, use --force or increase the version)"
        elif name in plan.forced:
            texts[name] = "forced"
        else:
            recomputed = _recomputed_needs(plan, node_plan)
            texts[name] = (_what_changed(before["identity"], node_plan.identity) if before else "") or _why_missing(
                node_plan, before, todo, recomputed, started, finished
            )
    return texts


def own_code_changed(plan: Plan, before: dict[str, Any]) -> list[str]:
    """A sentence for each stage whose results are done, but with other code of a user's own than there is now.

    before: what the last run recorded.
    """
    shipped = importlib.import_module("stages").CODE
    found = []
    for name, node_plan in plan.nodes.items():
        if name not in before or plan.todo(name) or node_plan.node.kind == "source":
            continue
        recorded = _recorded_code(before[name])
        own = [
            {module: digest for module, digest in code.items() if module.partition(".")[0] not in shipped}
            for code in (recorded, _code(node_plan))
        ]
        if changed := _changed_code(*own):
            found.append(
                f"{name}: the code of {changed} has changed since its results were made; they stay, until its "
                f"version is increased or --force {node_plan.node.spec} is given"
            )
    return found


def plan_lines(plan: Plan, run_folder: Path) -> list[tuple[str, str, str]]:
    """(stage, how much of it would be computed, why) for people. Many variants with the same reason share a line."""
    alike: dict[tuple[str, str], list[NodePlan]] = {}
    for name, why in reasons(plan, run_folder).items():
        alike.setdefault((plan.nodes[name].node.spec, why), []).append(plan.nodes[name])
    lines = []
    for (spec, why), group in alike.items():
        variants = sum(node_plan.node.spec == spec for node_plan in plan.nodes.values())
        for few in [group] if len(group) > LISTED else [[node_plan] for node_plan in group]:
            name = few[0].node.name
            if len(few) > 1:
                name = f"{spec}, all {variants}" if len(few) == variants else f"{spec}, {len(few)} of {variants}"
            todo = sum(plan.todo(node_plan.node.name) for node_plan in few)
            total = sum(node_plan.partitions for node_plan in few)
            lines.append((name, f"{todo:,} of {total:,}" if total else "", why))
    return lines


def _why_nothing_to_do(plan: Plan, node_plan: NodePlan) -> str:
    missing = [key for key, done in zip(node_plan.keys, node_plan.done, strict=True) if not done]
    makers = {plan.task_of[key][0] for key in missing if key in plan.task_of}
    if not missing:
        return "done"
    if makers:
        return f"the same as {', '.join(sorted(makers))}"
    name, graph = node_plan.node.name, plan.graph
    ends = [end for end in (name, *graph.descendants(name)) if not graph.descendants(end)]
    if not all(all(plan.nodes[end].done) for end in ends):
        return "not asked for"
    return "not needed: everything made from it is done"


def _recomputed_needs(plan: Plan, node_plan: NodePlan) -> list[str]:
    """The needs of a node that would be computed, if only because another variant shares the result."""
    needs = [plan.nodes[need] for need in node_plan.node.needs]
    return list(
        dict.fromkeys(need.node.spec for need in needs if not plan.task_of.keys().isdisjoint(filter(None, need.keys)))
    )


def _what_changed(before: dict[str, Any], now: dict[str, Any]) -> str:
    if before["uses"] != now["uses"]:
        return f"now uses {now['uses']} (was {before['uses']})"
    if before["version"] != now["version"]:
        return f"stage version {before['version']} → {now['version']}"
    old, new = dict(_flat(before["parameters"])), dict(_flat(now["parameters"]))
    changes = [
        f"{name} {json.dumps(old.get(name))} → {json.dumps(new.get(name))}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    was, plugins = before.get("plugins", {}), now.get("plugins", {})
    changes += [f"version of {name} → {plugins[name]}" for name in plugins if was.get(name) != plugins[name]]
    changes += [f"{name} has different content" for name, sha in now["files"] if [name, sha] not in before["files"]]
    return "changed: " + ", ".join(changes) if changes else ""


def _flat(parameters: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Parameters by name; nested ones by dotted name."""
    for name, value in parameters.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _why_missing(
    plan: NodePlan,
    before: dict[str, Any] | None,
    todo: int,
    recomputed: list[str],
    started: set[str],
    finished: set[str],
) -> str:
    keys = {key for key in plan.keys if key}
    if before is None or (set(before["keys"]) >= keys and not keys & started):
        return "never computed"
    missing = {key for key, done in zip(plan.keys, plan.done, strict=True) if key and not done}
    if set(before["keys"]) >= keys and missing <= finished:
        return f"{todo} of {plan.partitions} results {'is' if todo == 1 else 'are'} missing in the store"
    if set(before["keys"]) >= keys:
        return "started, not finished"
    if recomputed and plan.selections:
        return f"new input from {', '.join(recomputed)}, unless it is the same for the clips that this stage looks at"
    if recomputed:
        return f"new input from {', '.join(recomputed)}"
    return f"{todo} of {plan.partitions} partitions {'has' if todo == 1 else 'have'} new or changed clips"


def recorded_keys(run_folder: Path) -> dict[str, list[str]]:
    """The keys of every node's partitions when the run was last planned; empty if there is no record."""
    return {name: known["keys"] for name, known in last_record(run_folder).items()}


def last_record(run_folder: Path) -> dict[str, Any]:
    """What the last run recorded; empty if there is no record."""
    try:
        return cast(dict[str, Any], json.loads((run_folder / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _recorded_code(known: dict[str, Any]) -> dict[str, str]:
    """Digests by module, from the record. Empty if it was written by an early version, which recorded a single file."""
    code = known.get("code")
    return code if isinstance(code, dict) else {}


def _code(node_plan: NodePlan) -> dict[str, str]:
    """The code of a stage and of the classes that its parameters name."""
    return code_of(type(node_plan.node.stage), plugins_of(node_plan.identity["parameters"]))


def _changed_code(before: dict[str, str], now: dict[str, str]) -> str:
    """The modules whose code differs, the first few by name; empty if the record has no code."""
    changed = sorted(module for module in before.keys() | now.keys() if before.get(module) != now.get(module))
    if not before or not changed:
        return ""
    more = f" and {len(changed) - LISTED} more" if len(changed) > LISTED else ""
    return ", ".join(changed[:LISTED]) + more
