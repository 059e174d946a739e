"""Bars on a terminal: each stage of a small run, only what is at work of a large one."""

import io
import re

from rich.console import Console

from pipeline.progress import MANY, Bars


def last_frame(stages: int) -> list[str]:
    """Names of the bars shown when all but the last two stages are done and the last but one is at work."""
    output = io.StringIO()
    bars = Bars(Console(file=output, force_terminal=True, width=100, height=50))
    bars({"event": "run_started", "stages": {f"s{i}": 1 for i in range(stages)} | {"idle": 0}})
    for i in range(stages - 1):
        bars({"event": "started", "stage": f"s{i}"})
        if i < stages - 2:
            bars({"event": "finished", "stage": f"s{i}", "failed": int(i == 1), "clips": 1})
    bars.close()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.getvalue())
    names = re.findall(r"(\w+) +[━╸╺]", plain)
    return names[len(names) - names[::-1].index(names[0]) - 1 :]


def test_every_stage_of_a_small_run_has_its_bar() -> None:
    assert last_frame(4) == ["s0", "s1", "s2", "s3"]


def test_of_many_variants_those_at_work_and_those_with_failures_are_shown() -> None:
    assert last_frame(MANY + 1) == ["all", "s1", f"s{MANY - 1}"]
