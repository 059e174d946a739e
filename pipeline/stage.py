"""What a stage is: its parameters as fields, the tables it takes and makes, and one method that does the work.

There are three kinds. A ``Source`` lists clips. A ``MapStage`` works partition by partition, in any order and on any
machine. A ``WholeStage``, such as training, needs all its input at once. The engine derives what a stage depends on
from its fields and tables, so a stage never mentions files of the store, keys or resuming.

A file that defines a stage imports nothing heavy (no torch, cv2, av) at its top: planning imports it.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from pipeline.rows import Row, aligned_rows, attempt
from pipeline.stage_inputs import StageContext, VariantInputs


class Table(NamedTuple):
    """A kind of table that stages pass to each other, written as one Parquet file per partition."""

    name: str
    schema: pa.Schema
    row_group: int = 1024
    """Rows per Parquet row group: 1 where single clips are read in random order, as in training."""
    compression: str | None = "zstd"
    """None where the columns contain bytes that are already compressed (JPEG)."""


class Resources(NamedTuple):
    """What one worker occupies, in Ray's units."""

    num_cpus: float = 1
    num_gpus: float = 0


class KnownFile(NamedTuple):
    """A file whose content is known although it may not be here yet, such as published weights."""

    name: str
    sha256: str

    @classmethod
    def of(cls, file: "Path | KnownFile") -> "KnownFile":
        """The name and hash of a file, for which one that is here is read. Raises OSError if it cannot be."""
        if isinstance(file, KnownFile):
            return file
        with file.open("rb") as content:
            return cls(file.name, hashlib.file_digest(content, "sha256").hexdigest())


def unkeyed(default: Any, **constraints: Any) -> Any:
    """A parameter that affects how fast or where the work is done, but not its result: it is not part of the keys."""
    return Field(default, json_schema_extra={"keyed": False}, **constraints)


def added(default: Any, **constraints: Any) -> Any:
    """A parameter that results are older than: part of the keys only where it is not the default."""
    return Field(default, json_schema_extra={"added": True}, **constraints)


class StageUse(NamedTuple):
    """How a manifest uses a stage, for those who have a result, but not its run."""

    name: str
    """In the manifest."""
    uses: str
    """``module:Class``"""
    needs: tuple[str, ...]
    parameters: dict[str, Any]
    """Those that are set, as JSON values."""
    makes: str
    """The name of its table."""


class Problem(NamedTuple):
    """Something that a stage reports before anything runs: what is wrong, and what to do about it."""

    text: str
    fatal: bool = True
    """False: good to know, but the run continues."""


class Stage(BaseModel):
    """Base of all stages. Fields are the parameters that a manifest sets under ``with``."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())

    key_name: ClassVar[str | None] = None
    """The stage's name in keys. It never changes, so that results are found again after the class has moved or been
    renamed. None: ``module:Class``. Subclasses do not inherit it, because they may compute something else."""
    version: ClassVar[int] = 1
    """Increased by hand when the code computes something else; part of every key of the stage."""
    makes: ClassVar[Table]
    takes: ClassVar[tuple[Table, ...]] = ()
    may_take: ClassVar[tuple[Table, ...]] = ()

    def files(self) -> tuple[Path | KnownFile, ...]:
        """Files (weights, label tables) whose content affects the result, and thus the keys.

        In keys it makes no difference whether a file is given by its path or by its hash.
        """
        return ()

    def parts(self) -> dict[str, int]:
        """Versions, by name, of parts that parameters choose: in the keys of what is made with them. So a part that has
        changed has no other part's results made again."""
        return {}

    def check(self, clips: pa.Table, upstream: Mapping[str, "Stage"]) -> Iterable[Problem]:
        """Report what is wrong or unusual, as far as it can be known before anything runs. Changes nothing.

        clips: all clips of the index, with labels and splits. upstream: the stages that this one depends on, directly
        or indirectly, by the name of the table that they make.
        """
        return ()

    def prepare(self, clips: pa.Table, fetch: bool) -> Iterable[Problem]:
        """Download what the work needs, such as weights, before anything runs. Report what is not available, and what
        is unusual about files that a plan has no time to open.

        fetch: False, for ``pipeline doctor``, only checks whether it is available.
        """
        return ()


class Source(Stage):
    """Lists the clips of a manifest."""

    def clips(self) -> pa.Table:
        """Return a table of schema ``makes``: one row per clip, each with a unique ``clip_id``.

        Raises ManifestError if the data set as a whole is missing or malformed. A single bad file is still listed; it
        fails later, as a row with an error.
        """
        raise NotImplementedError

    def create(self) -> None:
        """Make the files that ``clips`` lists, for a source of synthetic data. Called by a run, never by a plan."""

    def about(self) -> str:
        """One line about the data, for users of a model that was trained on it. May be empty."""
        return ""

    def published(self) -> Mapping[str, int]:
        """How many clips each split has by the data set's authors. Empty where nobody has published it."""
        return {}

    def skipped(self) -> Sequence[tuple[str, str]]:
        """(path, reason) of each file that was found but is not listed, for people."""
        return ()


class MapStage(Stage):
    """Works on the clips of one partition at a time.

    Implement ``clip`` (one clip at a time) or override ``process`` (all clips of a partition, where batching across
    clips pays). Output rows have the columns ``clip_id`` and ``error``; in a row with an error, all others are null.
    """

    def resources(self) -> Resources:
        """What a worker occupies."""
        return Resources()

    def seconds_per_clip(self) -> float:
        """Time limit of one clip; a clip that takes longer becomes a row with an error."""
        return 120.0

    def select(self, clips: pa.Table) -> pa.Table:
        """The clips this stage works on, given all columns of the index (labels and splits too).

        Called before anything runs. Raises ManifestError if the parameters match no clip.
        """
        return clips

    def load(self, inputs: Mapping[str, pa.Table]) -> Any:
        """What is expensive to create and used for all partitions, such as a model. The worker process keeps it.

        inputs: the tables made by whole stages (a trained model), by table name.
        """
        return None

    def process(self, clips: pa.Table, inputs: Mapping[str, pa.Table], loaded: Any) -> pa.Table:
        """Return one row of schema ``makes`` for each clip, in order.

        clips: the partition's rows without labels and splits, so that those cannot influence the result.
        inputs: the tables made by map stages, by table name; row i belongs to clip i. Clips that failed earlier
        have been removed from both.
        """
        rows = []
        for clip, own in zip(clips.to_pylist(), aligned_rows(inputs, clips.num_rows), strict=True):
            rows.append(attempt(clip["clip_id"], self.seconds_per_clip(), partial(self.clip, clip, own, loaded)))
        return pa.Table.from_pylist(rows, schema=self.makes.schema)

    def clip(self, clip: Row, inputs: Mapping[str, Row], loaded: Any) -> Row:
        """Return the row of one clip (without ``clip_id`` and ``error``). Raises ClipError with a text for people."""
        raise NotImplementedError


class WholeStage(Stage):
    """Needs all of its input at once. ``run`` makes the table; ``export`` writes the files that people open."""

    gathers: ClassVar[bool] = False
    """True for a stage that takes all variants of a matrix together, like the report."""

    def check_axes(self, axes: Collection[str]) -> None:
        """Raise ManifestError if a parameter names an axis that is not among ``axes``: those of all matrices upstream.
        Called before anything runs, for a stage that gathers."""

    def resources(self) -> Resources | None:
        """What it occupies when the variants of a matrix run side by side, each in its own process. None: it always
        runs in the main process, while nothing else runs."""
        return None

    def spreads(self) -> Resources | None:
        """What each process occupies of those that it starts itself, on any machine of the cluster. None: it starts
        none."""
        return None

    def select(self, clips: pa.Table) -> pa.Table:
        """The clips this stage looks at, given all columns of the index (labels and splits too).

        It is given these clips alone, and of the tables of map stages only their rows. So others may come and go, or
        change, and its result stays valid. Called before anything runs.
        """
        return clips

    def version_for(self, clips: pa.Table) -> int:
        """The version in the key of what is made from these clips: those that it selects.

        A stage whose newest version computes something else for some data only may return an older version for all
        other data, so that older results stay valid there. Not asked of a stage that gathers.
        """
        return self.version

    def run(self, variants: list[VariantInputs], context: StageContext) -> pa.Table:
        """Return a table of schema ``makes``, a function of parameters and inputs alone (no times, no paths).

        variants: a single one, unless ``gathers``. ``clips`` has every column of the index.
        """
        raise NotImplementedError

    def export(self, table: pa.Table, folder: Path, run_folder: Path) -> str | None:
        """Write the files that people open to ``folder`` (the run's own, or one below it for a variant).

        Called after the run, also if ``table`` came from the store. ``run_folder`` contains the events so far. Returns
        the main result in one line, which the run prints at its end unless another stage uses this one's table.
        """

    def exported(self, folder: Path) -> tuple[Path, ...]:
        """The files that ``export`` writes to ``folder`` and that a stage may read, such as those of a model."""
        return ()

    def export_uses(self, uses: Sequence[StageUse], folder: Path, name: str, partition: int) -> None:
        """Write how the table is made and used. Called after ``export``, with the same folder.

        uses: this stage, called ``name``, all stages that it needs, and all map stages that need no others, in the
        order in which they run. partition: mean number of clips per partition.
        """
