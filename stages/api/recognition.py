"""Recognition of videos from Python: the run that ``pipeline recognize`` starts, and its tables as data frames."""

import tempfile
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.console import say
from pipeline.errors import ManifestError
from pipeline.runs import ExecutorChoice, Options, Result
from pipeline.urls import is_url
from stages.api.running import finish
from stages.commands.live import LiveTables
from stages.commands.recognition import Windows, alone_in, recognition_manifest
from stages.places import address_of
from stages.tables import RECOGNITIONS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

COLUMNS = ["file", "class_names", "windows", "segments"]
"""Columns of RECOGNITIONS that the tables are made of."""


def recognize(
    videos: str | Path,
    model: str | Path,
    out: str | Path | None = None,
    *,
    table: Literal["segments", "windows", "summary"] = "segments",
    window: float | None = None,
    stride: float | None = None,
    min_score: float = 0.0,
    min_seconds: float | None = None,
    smoothing: float = 0.0,
    per_person: bool = False,
    settings: Sequence[str] = (),
    progress: bool = False,
    retry_failed: bool = False,
    executor: ExecutorChoice = "auto",
) -> "pd.DataFrame":
    """What happens when in a video, or in all videos below a folder.

    Results are kept in the store, so asking again, or for another table, computes nothing twice. The tables in ``out``
    hold a video's rows as soon as it is done.

    model: a run or its folder, a variant's folder, a model's folder, or a model of the Hugging Face hub. Videos and
    model may be at URLs.
    out: folder for recognitions.html and the other files of ``pipeline recognize``; None: they are not kept.
    table: ``segments`` has the columns file, start, end, label, score, person (from 1; missing where everybody was
    seen at once) and nearest (the likeliest class where the label is ``none``); ``windows`` what they are made of, with
    a column for the probability of each class; ``summary`` how often and how long each label occurs in each file. Times
    are in seconds, scores between 0 and 1.
    window, stride: length of the windows that videos are split into, and the time from the start of one to that of the
    next, in seconds. By default as long as training clips, and half a window; window 0: none are split.
    min_score: where no class is as likely, the label is ``none``. min_seconds: shorter segments become a part of a
    neighbor; None: those shorter than half a window. smoothing: seconds over which probabilities are averaged (standard
    deviation).
    per_person: whether each person is recognized in a crop of their own.
    settings: like ``pose.batch=4``. progress: whether it is shown.

    Videos that fail are named in a warning, and in ``attrs["failures"]`` of the table: (clip, stage, error).
    Raises ManifestError if the request is wrong, and StageError if nothing could be recognized.
    """
    if not (is_url(address_of(Path(videos))) or Path(videos).exists()):
        raise ManifestError(f"{videos}: no such file or folder")
    make = _maker(table)
    given = {"min_score": min_score, "min_seconds": min_seconds, "smoothing": smoothing}
    folder: AbstractContextManager[Any] = nullcontext(out)
    if out is None:
        folder = tempfile.TemporaryDirectory(prefix="recognized-")
    with folder as files:
        windows = Windows(window, stride)
        manifest = recognition_manifest(Path(videos), str(model), Path(files), windows, given, settings, per_person)
        options = Options(retry_failed=retry_failed, executor=executor)
        with alone_in(Path(files)):
            result = finish(manifest, options, progress, lambda plan: LiveTables(plan, say if progress else _nothing))
    found = as_frame(make(_rows(result)))
    found.attrs["failures"] = [tuple(failure) for failure in result.failures]
    if result.failures:
        first = result.failures[0]
        failed = f"{result.failed_clips:,} of {result.clips:,} videos or windows failed"
        warnings.warn(f"{failed}, such as {first.clip_id}: {first.error}", stacklevel=2)
    return found


def as_frame(table: "pa.Table") -> "pd.DataFrame":
    """A data frame in which whole numbers may be missing."""
    import pandas as pd
    import pyarrow as pa

    return table.to_pandas(types_mapper={pa.int32(): pd.Int32Dtype()}.get)


def _nothing(text: str) -> None:
    """Say nothing."""


def _maker(table: str) -> Any:
    from stages.recognitions.tables import segments_table, sums_table, windows_table

    makers = {"segments": segments_table, "windows": windows_table, "summary": sums_table}
    if table not in makers:
        raise ManifestError(f"there is no table '{table}'; there are: {', '.join(makers)}")
    return makers[table]


def _rows(result: Result) -> list[dict[str, Any]]:
    """The rows of RECOGNITIONS that a run has made."""
    (node,) = [own for own in result.plan.nodes.values() if own.node.stage.makes.name == RECOGNITIONS.name]
    rows: list[dict[str, Any]] = result.plan.store.read(node.path(result.plan.store), COLUMNS).to_pylist()
    return rows
