"""A single clip: its inputs as rows, and its result or failure as a row."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from pipeline.errors import ClipError, PipelineError
from pipeline.limits import time_limit

Row = dict[str, Any]


def attempt(clip_id: str, seconds: float, work: Callable[[], Row]) -> Row:
    """The row that ``work`` returns, or a row with an error if it raises or takes longer than ``seconds``."""
    try:
        with time_limit(seconds):
            return {"clip_id": clip_id, "error": None} | work()
    except PipelineError:
        raise
    except ClipError as error:
        text = str(error) or "failed without a message"
    except TimeoutError:
        text = f"took longer than {seconds:g} s"
    except MemoryError:
        text = "ran out of memory"
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
    return {"clip_id": clip_id, "error": text}


def aligned_rows(inputs: Mapping[str, pa.Table], count: int) -> Iterator[dict[str, Row]]:
    """For each of ``count`` clips its rows by table name. A row is converted only when it is reached."""
    for i in range(count):
        yield {name: table.slice(i, 1).to_pylist()[0] for name, table in inputs.items()}
