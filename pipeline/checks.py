"""What stages have to say before anything runs: their own checks, each with its place in the manifest."""

from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa

from pipeline.errors import ManifestError
from pipeline.plan import NO_CLIPS, Plan
from pipeline.stage import Problem, Stage


class Found(NamedTuple):
    """A problem of one node. The variants of a stage that have the same one share it."""

    node: str
    problem: Problem

    @property
    def text(self) -> str:
        return self.problem.text


def check(plan: Plan, only_todo: bool = True) -> list[Found]:
    """What the stages with something to compute (or all) say of their work. Looks, and changes nothing."""
    return _first_of_each(plan, _checked(plan, only_todo))


def prepare(plan: Plan, fetch: bool, only_todo: bool = True) -> list[Found]:
    """Have the stages get what they need from elsewhere, or see whether they could."""
    return _first_of_each(plan, _prepared(plan, fetch, only_todo))


def refuse(plan: Plan, found: list[Found]) -> None:
    """Raise one ManifestError with a line for each fatal problem, each with its place; return where there is none."""
    fatal = [str(plan.graph.blame(one.node, ManifestError(one.text))) for one in found if one.problem.fatal]
    if fatal:
        raise ManifestError("\n".join(fatal))


def _checked(plan: Plan, only_todo: bool) -> Iterator[Found]:
    for name, stage, clips in _stages(plan, only_todo):
        ancestors = [plan.nodes[other].node.stage for other in plan.graph.ancestors(name)]
        upstream: dict[str, Stage] = {ancestor.makes.name: ancestor for ancestor in ancestors}
        yield from (Found(name, problem) for problem in stage.check(clips, upstream))


def _prepared(plan: Plan, fetch: bool, only_todo: bool) -> Iterator[Found]:
    for name, stage, clips in _stages(plan, only_todo):
        yield from (Found(name, problem) for problem in stage.prepare(clips, fetch))


def _stages(plan: Plan, only_todo: bool) -> Iterator[tuple[str, Stage, pa.Table]]:
    """Nodes to be heard, each with the clips of its source. A source is heard where anything made from it is."""
    heard = {name for name, node_plan in plan.nodes.items() if not only_todo or plan.todo(name)}
    heard |= {plan.nodes[name].node.source for name in heard} & plan.sources.keys()
    for name, node_plan in plan.nodes.items():
        if name in heard:
            source = plan.sources.get(node_plan.node.source)
            yield name, node_plan.node.stage, source.table if source else NO_CLIPS


def _first_of_each(plan: Plan, found: Iterator[Found]) -> list[Found]:
    unique: dict[tuple[str, Problem], Found] = {}
    for one in found:
        unique.setdefault((plan.nodes[one.node].node.spec, one.problem), one)
    return list(unique.values())
