"""What stages report before anything runs: the problems they find, each with its place in the manifest."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from pipeline.clips import NO_CLIPS
from pipeline.errors import ManifestError
from pipeline.exports import written_files
from pipeline.plan import Plan
from pipeline.run_folders import run_folder
from pipeline.stage import Problem, Stage


class Found(NamedTuple):
    """A problem of one node. A problem that several variants of a stage share is reported once."""

    node: str
    problem: Problem

    @property
    def text(self) -> str:
        return self.problem.text


def check(plan: Plan, only_todo: bool = True) -> list[Found]:
    """Problems that the stages find, those with something to compute or all of them. Changes nothing."""
    return _first_of_each(plan, _checked(plan, only_todo))


def prepare(plan: Plan, fetch: bool, only_todo: bool = True) -> list[Found]:
    """Have the stages download what they need, or only check whether they could."""
    return _first_of_each(plan, _prepared(plan, fetch, only_todo))


def refuse(plan: Plan, found: list[Found]) -> None:
    """Raise one ManifestError with a line and a place for each fatal problem; return if there is none."""
    fatal = [str(plan.graph.blame(one.node, ManifestError(one.text))) for one in found if one.problem.fatal]
    if fatal:
        raise ManifestError("\n".join(fatal))


def asked(plan: Plan) -> set[str]:
    """The nodes with something to compute. A source is one of them if any node made from it is."""
    names = {name for name in plan.nodes if plan.todo(name)}
    return names | ({plan.nodes[name].node.source for name in names} & plan.sources.keys())


def _checked(plan: Plan, only_todo: bool) -> Iterator[Found]:
    written = written_files(plan, run_folder(plan.graph.manifest))
    for name, stage, clips in _stages(plan, only_todo):
        ancestors = [plan.nodes[other].node.stage for other in plan.graph.ancestors(name)]
        upstream: dict[str, Stage] = {ancestor.makes.name: ancestor for ancestor in ancestors}
        yield from (Found(name, problem) for problem in stage.check(clips, upstream))
        for file in written and stage.files():
            if isinstance(file, Path) and file.resolve() in written:  # it would never be done
                yield Found(name, Problem(f"this very run will overwrite {file}: give it another name"))
                break


def _prepared(plan: Plan, fetch: bool, only_todo: bool) -> Iterator[Found]:
    for name, stage, clips in _stages(plan, only_todo):
        yield from (Found(name, problem) for problem in stage.prepare(clips, fetch))


def _stages(plan: Plan, only_todo: bool) -> Iterator[tuple[str, Stage, pa.Table]]:
    """The nodes to ask, each with the clips of its source."""
    names = asked(plan) if only_todo else plan.nodes.keys()
    for name, node_plan in plan.nodes.items():
        if name in names:
            source = plan.sources.get(node_plan.node.source)
            yield name, node_plan.node.stage, source.table if source else NO_CLIPS


def _first_of_each(plan: Plan, found: Iterator[Found]) -> list[Found]:
    unique: dict[tuple[str, Problem], Found] = {}
    for one in found:
        unique.setdefault((plan.nodes[one.node].node.spec, one.problem), one)
    return list(unique.values())
