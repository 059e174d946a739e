"""What a stage is: its parameters as fields, the tables it takes and makes, and one method that does the work.

There are three kinds. A ``Source`` lists clips. A ``MapStage`` works partition by partition, in any order and on any
machine. A ``WholeStage`` needs all its input at once, like training. The engine finds out what a stage depends on from
its fields and tables alone, so a stage never mentions files of the store, keys or resuming.

A file that defines a stage imports nothing heavy (no torch, cv2, av) at its top: planning imports it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from pipeline.rows import Row, aligned_rows, attempt
from pipeline.stage_inputs import StageContext, VariantInputs


class Table(NamedTuple):
    """A kind of table that crosses between stages, written as one Parquet file a partition."""

    name: str
    schema: pa.Schema
    row_group: int = 1024
    """Rows a Parquet row group: 1 where single clips are read at random, as in training."""
    compression: str | None = "zstd"
    """None where the columns hold bytes that are compressed already (JPEG)."""


class Resources(NamedTuple):
    """What one worker occupies, in Ray's units."""

    num_cpus: float = 1
    num_gpus: float = 0


def unkeyed(default: Any, **constraints: Any) -> Any:
    """A parameter that changes how fast or where the work is done but never its result: it stays out of the keys."""
    return Field(default, json_schema_extra={"keyed": False}, **constraints)


class Problem(NamedTuple):
    """Something that a stage has to say about its work before anything runs: what is wrong, and what to do."""

    text: str
    fatal: bool = True
    """False: worth knowing, but the run goes on."""


class Stage(BaseModel):
    """Base of all stages. Fields are the parameters a manifest gives under ``with``."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())

    key_name: ClassVar[str | None] = None
    """What the stage is called in keys, for good: with it, results are found again after the class has moved or been
    renamed. None: its ``module:Class``. A subclass does not inherit it, since it may compute something else."""
    version: ClassVar[int] = 1
    """Bumped by hand when the code's results change; part of every key of the stage."""
    makes: ClassVar[Table]
    takes: ClassVar[tuple[Table, ...]] = ()
    may_take: ClassVar[tuple[Table, ...]] = ()

    def files(self) -> tuple[Path, ...]:
        """Files named by parameters (weights, label tables) whose content decides the result: hashed into the keys."""
        return ()

    def check(self, clips: pa.Table, upstream: Mapping[str, "Stage"]) -> Iterable[Problem]:
        """What is wrong or unusual, as far as it can be seen before anything runs. Looks, and changes nothing.

        clips: all clips of the index, with labels and splits. upstream: the stages it is made from, directly or not,
        by the table they make.
        """
        return ()

    def prepare(self, clips: pa.Table, fetch: bool) -> Iterable[Problem]:
        """Get what the work needs from elsewhere, such as weights, before anything runs; say what cannot be had.

        fetch: False to only look whether it could be had.
        """
        return ()


class Source(Stage):
    """Lists the clips a manifest is about."""

    def clips(self) -> pa.Table:
        """Return a table of schema ``makes``, one row a clip, with a unique ``clip_id`` in each row.

        Raises ManifestError where the data set as a whole is missing or malformed; a single bad file is still listed,
        and fails later as a row of its own.
        """
        raise NotImplementedError

    def create(self) -> None:
        """Make the files that ``clips`` lists, for a source of made-up data. Called by a run, never by a plan."""

    def about(self) -> str:
        """A line on the data for whoever uses a model that was trained on it; empty where there is nothing to say."""
        return ""

    def skipped(self) -> Sequence[tuple[str, str]]:
        """What was found beside the clips and is not listed, each with the reason, for people."""
        return ()


class MapStage(Stage):
    """Works on the clips of one partition at a time.

    Implement ``clip`` (one clip at a time) or override ``process`` (all clips of a partition, where batching across
    clips pays). Output rows carry ``clip_id`` and ``error``; whatever else is null in a row with an error.
    """

    def resources(self) -> Resources:
        """What a worker occupies."""
        return Resources()

    def seconds_per_clip(self) -> float:
        """Time limit of one clip; a clip that takes longer becomes a row with an error."""
        return 120.0

    def select(self, clips: pa.Table) -> pa.Table:
        """The clips this stage works on, given all columns of the index (labels and splits too).

        Called before anything runs. Raises ManifestError where there is nothing that the manifest could mean.
        """
        return clips

    def load(self, inputs: Mapping[str, pa.Table]) -> Any:
        """Whatever is costly and shared by all partitions, such as a model; kept by the worker process.

        ``inputs`` holds the tables made by whole stages (a trained model), by table name.
        """
        return None

    def process(self, clips: pa.Table, inputs: Mapping[str, pa.Table], loaded: Any) -> pa.Table:
        """Return one row of schema ``makes`` for each clip, in order.

        clips: the partition's rows without labels and splits, so that these cannot influence the result.
        inputs: the tables made by map stages, by table name; row i belongs to clip i. Clips that failed earlier are
        already gone from both.
        """
        rows = []
        for clip, own in zip(clips.to_pylist(), aligned_rows(inputs, clips.num_rows), strict=True):
            rows.append(attempt(clip["clip_id"], self.seconds_per_clip(), partial(self.clip, clip, own, loaded)))
        return pa.Table.from_pylist(rows, schema=self.makes.schema)

    def clip(self, clip: Row, inputs: Mapping[str, Row], loaded: Any) -> Row:
        """Return the row of one clip (without ``clip_id`` and ``error``). Raises ClipError with a text for people."""
        raise NotImplementedError


class WholeStage(Stage):
    """Needs all of its input at once. ``run`` makes the table; ``export`` lays out what a person opens."""

    gathers: ClassVar[bool] = False
    """True for a stage that takes all variants of a matrix together, like the report."""

    def check_axes(self, axes: Collection[str]) -> None:
        """Raise ManifestError where a parameter names an axis that is not among ``axes``, those of all matrices
        upstream of a stage that gathers. Called before anything runs."""

    def resources(self) -> Resources | None:
        """What it occupies when the variants of a matrix run side by side, each in its own process. None: it always
        runs in the main process, while nothing else runs."""
        return None

    def run(self, variants: list[VariantInputs], context: StageContext) -> pa.Table:
        """Return a table of schema ``makes``, a function of parameters and inputs alone (no times, no paths).

        variants: a single one, unless ``gathers``. ``clips`` has every column of the index.
        """
        raise NotImplementedError

    def export(self, table: pa.Table, folder: Path, run_folder: Path) -> str | None:
        """Write the files people open into ``folder`` (the run's own, or one below it for a variant).

        Called after the run, also when ``table`` came from the store. ``run_folder`` holds the events so far.
        Returns what people wait for, in one line: the run ends with it where nothing else is made from this stage.
        """
