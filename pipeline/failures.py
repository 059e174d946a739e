"""The clips that failed, and why, from the tables of the stages in which they failed."""

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import DamagedResultError
from pipeline.files import replace_file
from pipeline.plan import Plan
from pipeline.store import Store

FAILURES = "failures.csv"
WARNINGS = "warnings.csv"
WARNING = "warning"
"""The column of a table, if it has one, that says what is unusual about a clip that did not fail."""
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
    """Error rows of all existing results, of all map stages or of the given nodes, sorted by clip."""
    return _find(plan, "error", nodes)


def find_warnings(plan: Plan) -> list[Failure]:
    """What map stages find unusual about clips that did not fail, in the place of errors; sorted by clip."""
    return _find(plan, WARNING, None)


def _find(plan: Plan, column: str, nodes: set[str] | None) -> list[Failure]:
    files: dict[str, str] = {}  # variants of a matrix share files
    for name, node_plan in plan.nodes.items():
        node = node_plan.node
        if node.kind == "map" and column in node.stage.makes.schema.names and (nodes is None or name in nodes):
            files |= dict.fromkeys(node_plan.paths(plan.store), node.spec)

    def read(path: str) -> list[tuple[str, str]]:
        if (path, column) not in plan.known_failures:
            try:
                table = plan.store.read(path, ["clip_id", column])
            except FileNotFoundError:
                return []
            if column not in table.column_names:
                return []  # made before its stage had warnings
            rows = table.filter(table[column].is_valid()).to_pylist()
            plan.known_failures[path, column] = [(row["clip_id"], row[column]) for row in rows]
        return plan.known_failures[path, column]

    with ThreadPoolExecutor(READERS) as pool:
        tables = list(pool.map(read, files))
    found = {
        Failure(clip_id, stage, text)
        for stage, rows in zip(files.values(), tables, strict=True)
        for clip_id, text in rows
    }
    return sorted(found)


def failed_partitions(plan: Plan) -> dict[str, set[int]]:
    """By node, the partitions with an error row of their own, which ``--retry-failed`` computes again."""
    found: dict[str, set[int]] = {}
    with ThreadPoolExecutor(READERS) as pool:
        for name, node_plan in plan.nodes.items():
            if node_plan.node.kind != "map":
                continue
            there = [i for i, key in enumerate(node_plan.keys) if key and node_plan.done[i]]
            failures = pool.map(partial(_has_failures, plan.store), node_plan.paths(plan.store, there))
            if failed := {i for i, fails in zip(there, failures, strict=True) if fails}:
                found[name] = failed
    return found


def _has_failures(store: Store, path: str) -> bool:
    try:
        errors = store.read(path, ["error"])["error"]
    except FileNotFoundError:
        return False
    except DamagedResultError:
        return True
    return bool(errors.null_count < len(errors))


def write_failures(failures: list[Failure], folder: Path, name: str = FAILURES) -> None:
    """Write ``FOLDER/NAME``; an old file is replaced even if there are none."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(Failure._fields)
    writer.writerows(failures)
    replace_file(folder / name, text.getvalue().encode("utf-8", "replace"))
