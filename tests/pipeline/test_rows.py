"""Work on one clip ends with a row, whatever happens."""

import time
from collections.abc import Callable

import pyarrow as pa
import pytest

from pipeline.errors import ClipError, ManifestError, PipelineError, StageError
from pipeline.rows import Row, aligned_rows, attempt


def raising(error: BaseException) -> Callable[[], Row]:
    def work() -> Row:
        raise error

    return work


def hang() -> Row:
    while True:
        time.sleep(0.01)


def test_what_is_returned_becomes_the_row() -> None:
    assert attempt("a", 5, lambda: {"number": 3}) == {"clip_id": "a", "error": None, "number": 3}


@pytest.mark.parametrize(
    ("work", "text"),
    [
        (raising(ClipError("is damaged")), "is damaged"),
        (raising(ClipError()), "failed without a message"),
        (raising(MemoryError()), "ran out of memory"),
        (raising(ValueError("no such frame")), "ValueError: no such frame"),
    ],
)
def test_what_goes_wrong_becomes_the_error_of_the_row(work: Callable[[], Row], text: str) -> None:
    assert attempt("a", 60, work) == {"clip_id": "a", "error": text}


def test_a_clip_that_hangs_is_stopped_at_its_limit() -> None:
    assert attempt("a", 0.05, hang) == {"clip_id": "a", "error": "took longer than 0.05 s"}


@pytest.mark.parametrize("error", [StageError("no GPU"), ManifestError("no such split")])
def test_an_error_of_the_whole_stage_is_not_blamed_on_the_clip(error: PipelineError) -> None:
    with pytest.raises(type(error), match=str(error)):
        attempt("a", 5, raising(error))


def test_an_interruption_is_not_blamed_on_the_clip() -> None:
    with pytest.raises(KeyboardInterrupt):
        attempt("a", 5, raising(KeyboardInterrupt()))


def test_the_inputs_of_each_clip_are_its_rows_of_all_tables() -> None:
    inputs = {"frames": pa.table({"x": [1, 2, 3]}), "skeletons": pa.table({"y": ["a", None, "c"]})}
    assert list(aligned_rows(inputs, 3)) == [
        {"frames": {"x": 1}, "skeletons": {"y": "a"}},
        {"frames": {"x": 2}, "skeletons": {"y": None}},
        {"frames": {"x": 3}, "skeletons": {"y": "c"}},
    ]


def test_without_inputs_each_clip_has_none() -> None:
    assert list(aligned_rows({}, 2)) == [{}, {}]
