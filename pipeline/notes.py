"""What stages have said of their data and parameters before they ran: good to know, and kept for the report."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from pipeline.checks import Found, asked
from pipeline.files import replace_file
from pipeline.plan import Plan

NOTES = "notes.json"


def write_notes(folder: Path, plan: Plan, found: Iterable[Found]) -> None:
    """Write what has been found to the run's folder, after what was found earlier in stages that are done."""
    new = [{"stage": one.node, "text": one.text} for one in found]
    silent = plan.nodes.keys() - asked(plan)
    old = [note for note in read_notes(folder) if note.get("stage") in silent]
    replace_file(folder / NOTES, json.dumps([*old, *new], indent=1).encode())


def read_notes(folder: Path) -> list[dict[str, str]]:
    """A stage and a text for each note; none if the file is missing or damaged."""
    try:
        return cast(list[dict[str, str]], json.loads((folder / NOTES).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return []
