"""Clips that failed: how many may, and where they are listed."""

import csv
from pathlib import Path

import pytest

from pipeline.failures import FAILURES, Failure, failed_partitions, find_failures, too_many, write_failures
from toy_manifest import Toy


@pytest.mark.parametrize(
    ("failed", "clips", "max_failed", "expected"),
    [
        (2, 40, 0.05, False),
        (3, 40, 0.05, True),
        (1, 13, 0.05, False),  # 5 % is less than one clip, but one may fail all the same
        (2, 13, 0.05, True),
        (1, 2, 0.05, False),
        (1, 1, 0.05, True),  # no clip is left
        (1, 13, 0.0, True),
        (13, 13, 1.0, False),
        (0, 0, 0.05, False),
    ],
)
def test_the_share_of_clips_that_may_fail(failed: int, clips: int, max_failed: float, expected: bool) -> None:
    assert too_many(failed, clips, max_failed) is expected


TOLD = "was told to fail"


def test_failures_are_found_in_the_stage_they_happened_in_sorted_by_clip(toy: Toy) -> None:
    toy.run("double.fail=[clip-7]", "add.fail=[clip-30, clip-12]", "max_failed=1")
    plan = toy.plan()
    assert find_failures(plan) == [
        ("clip-12", "add", f"clip-12 {TOLD}"),
        ("clip-30", "add", f"clip-30 {TOLD}"),
        ("clip-7", "double", f"clip-7 {TOLD}"),
    ]
    assert find_failures(toy.plan(), {"double"}) == [("clip-7", "double", f"clip-7 {TOLD}")]


def test_variants_that_share_a_result_list_its_failures_once(toy: Toy) -> None:
    toy.multiply("index", "{labels: [true, false]}")
    toy.run("double.fail=[clip-7]")
    assert find_failures(toy.plan()) == [("clip-7", "double", f"clip-7 {TOLD}")]


def test_results_that_do_not_exist_have_no_failures(toy: Toy) -> None:
    assert find_failures(toy.plan()) == []
    assert failed_partitions(toy.plan()) == {}


def test_partitions_count_as_failed_where_their_own_stage_failed(toy: Toy) -> None:
    toy.run("double.fail=[clip-7]", "add.fail=[clip-12]", "max_failed=1")
    plan = toy.plan()
    ids, rows = list(plan.sources["index"].ids()), plan.nodes["double"].rows
    [seven] = [i for i, inside in enumerate(rows) if ids.index("clip-7") in inside]
    [twelve] = [i for i, inside in enumerate(rows) if ids.index("clip-12") in inside]
    assert failed_partitions(plan) == {"double": {seven}, "add": {twelve}}


def test_the_list_is_written_anew_also_when_nothing_has_failed(tmp_path: Path) -> None:
    write_failures([Failure("a,b.mp4", "decode", 'says "no"\nand ends\udcff')], tmp_path)
    rows = list(csv.reader((tmp_path / FAILURES).open(newline="")))
    assert rows == [["clip_id", "stage", "error"], ["a,b.mp4", "decode", 'says "no"\nand ends?']]
    write_failures([], tmp_path)
    assert list(csv.reader((tmp_path / FAILURES).open(newline=""))) == [["clip_id", "stage", "error"]]
