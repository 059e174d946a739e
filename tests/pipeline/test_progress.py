"""On a terminal, bars: one per stage in a small run, only those of running stages in a large one. Elsewhere, lines."""

import io
import re

from rich.console import Console

from pipeline.progress import MANY, NAMED, Bars, Lines


def last_frame(stages: int) -> list[str]:
    """Names of the bars on the screen while the last stage but one is running and all before it are done."""
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


def test_lines_name_the_first_failures_and_say_where_the_others_are() -> None:
    output = io.StringIO()
    lines = Lines(Console(file=output, width=100))
    lines({"event": "run_started", "stages": {"decode": 1}})
    lines({"event": "started", "stage": "decode", "time": 0.0})
    failures = [(f"{i}.mp4", "damaged") for i in range(NAMED + 5)]
    lines({"event": "finished", "stage": "decode", "time": 1.0, "clips": len(failures), "failures": failures})
    said = output.getvalue().splitlines()
    assert said.count("decode: 19.mp4: damaged") == 1 and "decode: 20.mp4: damaged" not in said
    assert said[-1] == "decode: more clips failed; pipeline failures lists them when the run has ended"


def test_a_stage_that_another_run_has_computed_meanwhile_ends_without_having_begun() -> None:
    output = io.StringIO()
    lines, bars = Lines(Console(file=output)), Bars(Console(file=io.StringIO(), force_terminal=True))
    for show in (lines, bars):
        show({"event": "run_started", "stages": {"train": 1}})
        show({"event": "finished", "stage": "train", "time": 5.0, "clips": 0, "failed": 0, "failures": []})
        show.close()
    assert output.getvalue() == "train: done in 0.0 s\n"


def test_a_stage_of_another_run_in_the_same_folder_gets_a_bar() -> None:
    output = io.StringIO()
    bars = Bars(Console(file=output, force_terminal=True, width=100))
    bars({"event": "run_started", "stages": {"double": 3, "train": 0}})
    bars({"event": "finished", "stage": "train", "time": 5.0, "clips": 0, "failed": 0, "failures": []})
    bars({"event": "noted", "stage": "store", "text": "a file was removed"})
    bars.close()
    assert "train" in output.getvalue() and "1/?" in output.getvalue()
    assert re.search(r"store +[━╸╺]", output.getvalue()) is None


def test_what_turns_out_to_be_done_is_no_longer_awaited_and_what_turns_up_is() -> None:
    output, shown = io.StringIO(), io.StringIO()
    lines, bars = Lines(Console(file=output)), Bars(Console(file=shown, force_terminal=True, width=100))
    done = {"event": "finished", "time": 5.0, "clips": 3, "failed": 0, "failures": []}
    for show in (lines, bars):
        show({"event": "run_started", "stages": {"decode": 3, "train": 1, "pose": 0}})
        show({"event": "started", "stage": "decode", "time": 0.0})
        show(done | {"stage": "decode"})
        show({"event": "planned_again", "stages": {"decode": 1, "train": 0, "pose": 1}})
        show({"event": "started", "stage": "pose", "time": 5.0})
        show(done | {"stage": "pose"})
        show(done | {"stage": "decode"})
        show.close()
    assert output.getvalue().splitlines()[-1] == "decode: done in 5.0 s, 6 clips"
    assert "train" not in output.getvalue()
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue())
    assert re.findall(r"(\w+) +[━╸╺]+ (\d+/\d+)", last)[-3:] == [("decode", "2/2"), ("train", "0/0"), ("pose", "1/1")]
