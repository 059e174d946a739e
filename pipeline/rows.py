"""A single clip: its inputs as rows, and its result or failure as a row."""

import errno
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from pipeline.errors import ClipError, PipelineError, UnreadableError
from pipeline.limits import time_limit
from pipeline.output import note_error
from pipeline.patience import patiently

Row = dict[str, Any]


def attempt(clip_id: str, seconds: float, work: Callable[[], Row]) -> Row:
    """The row that ``work`` returns, or a row with an error if it raises or takes longer than ``seconds``.

    Where one of the clip's files cannot be read for the moment, it is tried again. Raises UnreadableError if a network
    fails for longer. A disk that does is the clip's failure: the one place that it cannot read may be in its file.
    """

    def within_limit() -> Row:
        with time_limit(seconds):
            return {"clip_id": clip_id, "error": None} | work()

    try:
        return patiently(clip_id, within_limit)
    except UnreadableError as error:
        if getattr(error.__cause__, "errno", None) != errno.EIO:
            raise
        text = f"the disk fails: {error.reason}"
        note_error(clip_id)
    except PipelineError:
        raise
    except Exception as error:
        text = _reason(error, seconds)
        note_error(clip_id)
    return {"clip_id": clip_id, "error": text}


def _reason(error: Exception, seconds: float) -> str:
    match error:
        case ClipError():
            return str(error) or "failed without a message"
        case TimeoutError():
            return f"took longer than {seconds:g} s"
        case MemoryError():
            return "ran out of memory"
    return f"{type(error).__name__}: {error}"


def aligned_rows(inputs: Mapping[str, pa.Table], count: int) -> Iterator[dict[str, Row]]:
    """For each of ``count`` clips its rows by table name. A row is converted only when it is reached."""
    for i in range(count):
        yield {name: table.slice(i, 1).to_pylist()[0] for name, table in inputs.items()}
