"""The clips that failed, and why, from the tables of the stages in which they failed."""

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from pipeline.files import replace_file
from pipeline.plan import NodePlan, Plan

FAILURES = "failures.csv"
READERS = 8


class Failure(NamedTuple):
    clip_id: str
    stage: str
    error: str


def too_many(failed: int, clips: int, max_failed: float) -> bool:
    """Whether more clips have failed than the share ``max_failed`` allows. Unless it is 0, one clip may always fail,
    even of two."""
    return failed > max(max_failed * clips, min(1, clips - 1) if max_failed else 0)


def find_failures(plan: Plan, nodes: set[str] | None = None) -> list[Failure]:
    """The error rows of existing results, for all map stages or only the given nodes, sorted by clip."""
    files: dict[str, str] = {}  # variants of a matrix share files
    for name, node_plan in plan.nodes.items():
        if node_plan.node.kind == "map" and (nodes is None or name in nodes):
            files |= dict.fromkeys(node_plan.paths(plan.store), node_plan.node.spec)

    def read(path: str) -> list[tuple[str, str]]:
        if path not in plan.known_failures:
            try:
                table = plan.store.read(path, ["clip_id", "error"])
            except FileNotFoundError:
                return []
            rows = table.filter(table["error"].is_valid()).to_pylist()
            plan.known_failures[path] = [(row["clip_id"], row["error"]) for row in rows]
        return plan.known_failures[path]

    with ThreadPoolExecutor(READERS) as pool:
        tables = pool.map(read, files)
    found = {
        Failure(clip_id, stage, error)
        for stage, rows in zip(files.values(), tables, strict=True)
        for clip_id, error in rows
    }
    return sorted(found)


def failed_partitions(plan: Plan) -> dict[str, set[int]]:
    """By node, the partitions with an error row of their own, which ``--retry-failed`` computes again."""
    found: dict[str, set[int]] = {}
    for name, node_plan in plan.nodes.items():
        if node_plan.node.kind == "map":
            failed = {i for i in range(len(node_plan.keys)) if _has_failures(plan, node_plan, i)}
            if failed:
                found[name] = failed
    return found


def _has_failures(plan: Plan, node_plan: NodePlan, partition: int) -> bool:
    if not node_plan.keys[partition]:
        return False
    try:
        return (
            plan.store.read(node_plan.path(plan.store, partition), ["error"])["error"]
            .is_valid()
            .to_pylist()
            .count(True)
            > 0
        )
    except FileNotFoundError:
        return False


def write_failures(failures: list[Failure], folder: Path) -> None:
    """Write ``FOLDER/failures.csv``; an old file is replaced even if nothing has failed."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(Failure._fields)
    writer.writerows(failures)
    replace_file(folder / FAILURES, text.getvalue().encode("utf-8", "replace"))
