"""What a whole stage is given: the tables of each variant, a folder of its own, and a way to report progress."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.parquet import read_parquet


class TableFiles:
    """A table as a list of Parquet files, for stages that need all of it, but not all in memory at once.

    clip_ids: the clips whose rows belong to the table, where the files have rows of others too; None: all rows do.
    """

    def __init__(
        self,
        paths: list[str],
        open_file: Callable[[str], Any],
        schema: pa.Schema = pa.schema([]),  # noqa: B008
        clip_ids: frozenset[str] | None = None,
    ) -> None:
        self.paths = paths
        self.open = open_file
        self.schema = schema
        self.clip_ids = clip_ids

    def __iter__(self) -> Iterator[pa.Table]:
        """The partitions, one at a time."""
        return (self.read_one(path) for path in self.paths)

    def holds(self, clip_id: str) -> bool:
        """Whether the row of a clip, if a file has it, belongs to the table."""
        return self.clip_ids is None or clip_id in self.clip_ids

    def read_one(self, path: str, columns: list[str] | None = None) -> pa.Table:
        """The table's rows in one of its files."""
        with self.open(path) as file:
            if self.clip_ids is None:
                return read_parquet(file, path, columns)
            table = read_parquet(file, path, columns and list(dict.fromkeys(["clip_id", *columns])))
        ours = [self.holds(clip_id) for clip_id in table["clip_id"].to_pylist()]
        kept = table.filter(pa.array(ours, pa.bool_()))
        return kept.select(columns) if columns else kept

    def read(self, columns: list[str] | None = None) -> pa.Table:
        """The whole table in memory, optionally only some of its columns."""
        if not self.paths:
            return self.schema.empty_table().select(columns or self.schema.names)
        return pa.concat_tables([self.read_one(path, columns) for path in self.paths])


class VariantInputs(NamedTuple):
    """The clips and tables of one variant, for a whole stage. A stage that gathers is given one for each variant."""

    name: str
    """Empty where the manifest has no matrix, else like ``modality=rgb``."""
    clips: pa.Table
    inputs: dict[str, TableFiles]
    labels: Mapping[str, Any] = MappingProxyType({})
    """The variant's label on each axis, by the name of the axis; empty unless the stage gathers."""
    about: str = ""
    """What the source says about its data (see ``Source.about``)."""


class StageContext(NamedTuple):
    """What the engine lends a whole stage while it runs."""

    folder: Path
    """A folder of the run for this stage and key only. It survives when the process is killed: for checkpoints. When
    the result is there, files in it are removed, and folders are not."""
    progress: Callable[..., None]
    """``progress(done, total, **figures)``: shown to the user and written to the run's events."""
    keep: Callable[[Path], None] = lambda file: None
    """Called with a file of the folder that has just been written as a whole, without which the work could not go on:
    where the store is at a URL, it is copied there, for another machine."""
    restore: Callable[[Path], bool] = lambda folder: False
    """Makes the files in a folder those that were kept, for processes of the stage on other machines. False: the store
    is a folder, and nothing is copied."""
    place: Callable[[Path], str] = str
    """Tells people what to remove for the work to begin without a file of the folder: its copy, if one is kept."""
