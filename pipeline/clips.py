"""The clips of an index: sorted, cut into partitions, and selected by the stages that do not look at all of them."""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import ManifestError
from pipeline.keys import columns_of, digest_of, framed, partition_bounds, row_texts
from pipeline.stage import MapStage, Source, WholeStage

NO_CLIPS = pa.table({"clip_id": pa.array([], pa.string())})
"""The clips of a stage without a source, such as one that loads a trained model."""

BLOCK = 2**16
"""Rows whose texts are made at a time: those of ten million clips would fill the memory."""


Rows = range | np.ndarray
"""Numbers of rows of an index, in ascending order."""


class Clips:
    """The clips of one Source, sorted and cut into partitions."""

    def __init__(self, table: pa.Table, partition: int) -> None:
        ids = table["clip_id"]
        is_sorted = pc.all(pc.less_equal(ids.slice(0, len(ids) - 1), ids.slice(1))).as_py() if len(ids) else True
        self.table = (table if is_sorted else table.sort_by("clip_id")).combine_chunks()  # sorting copies all of it
        ids = self.table["clip_id"]
        if (twice := pc.index(pc.equal(ids.slice(0, max(0, len(ids) - 1)), ids.slice(1)), True).as_py()) >= 0:
            raise ManifestError(f"two clips have the id {ids[twice].as_py()!r}; every clip needs its own")
        self.bounds = partition_bounds(self.ids(), partition)
        self._block = -1, memoryview(b""), np.zeros(1, np.int32)
        """The first row of the block that was last asked for, its contents, and where each of them begins."""

    def __len__(self) -> int:
        return self.table.num_rows

    def ids(self) -> Iterator[str]:
        """The clips' ids in order, never all at once: as Python objects they would be most of a plan's memory."""
        for start in range(0, len(self), BLOCK):
            yield from self.table["clip_id"].slice(start, BLOCK).to_pylist()

    def content(self, rows: Rows) -> Iterator[memoryview]:
        """All that counts of some clips, ``framed``. Rows are asked for in order, so one block is kept of them all."""
        parts = [(rows.start, rows.stop)] if isinstance(rows, range) else [(row, row + 1) for row in rows.tolist()]
        for start, stop in parts:
            for first in range(start - start % BLOCK, stop, BLOCK):
                content, begins = self._framed(first)
                yield content[begins[max(start - first, 0)] : begins[min(stop - first, BLOCK)]]

    def _framed(self, first: int) -> tuple[memoryview, np.ndarray]:
        if first != self._block[0]:
            block = self.table.slice(first, BLOCK)
            self._block = first, *framed(row_texts(block, columns_of(block, "content")))
        return self._block[1:]

    @cached_property
    def digest(self) -> str:
        """Digest of everything in the index except places: what whole stages depend on."""
        return _digest_of(self.table)

    @cached_property
    def unannotated(self) -> pa.Table:
        """The clips as map stages see them, without labels and splits."""
        return self.table.drop_columns(columns_of(self.table, "annotation"))


class Selection:
    """The clips that a whole stage selects of a source's, where these are not all of them."""

    def __init__(self, clips: Clips, rows: Sequence[Rows]) -> None:
        self.table = clips.table.take(pa.array(np.concatenate([np.asarray(some, np.int64) for some in rows])))
        self.partitions = [i for i, some in enumerate(rows) if len(some)]
        """The partitions that hold any of them."""
        self.digest = _digest_of(self.table)

    @property
    def ids(self) -> list[str]:
        return self.table["clip_id"].to_pylist()


def _digest_of(clips: pa.Table) -> str:
    columns = columns_of(clips, "content", "annotation")
    blocks = (clips.slice(start, BLOCK) for start in range(0, clips.num_rows, BLOCK))
    return digest_of(framed(row_texts(block, columns))[0] for block in blocks)


def listed_clips(source: Source) -> pa.Table:
    """The clips of a source as its table is declared: columns that it leaves out are null, and all have their roles.

    Raises ManifestError if ids are missing or a column has values of another kind.
    """
    table, declared = source.clips(), source.makes.schema
    if "clip_id" not in table.column_names or table["clip_id"].null_count:
        raise ManifestError(f"{type(source).__name__} lists clips without clip_id: every clip needs one")
    for column in declared:
        if column.name not in table.column_names:
            table = table.append_column(column, pa.nulls(table.num_rows, column.type))
    columns = [declared.field(column.name) if column.name in declared.names else column for column in table.schema]
    try:
        return table.cast(pa.schema(columns))
    except (pa.ArrowInvalid, ValueError) as error:
        raise ManifestError(f"{type(source).__name__} does not list clips as declared: {error}") from error


def selected_rows(stage: MapStage | WholeStage, clips: Clips) -> list[Rows]:
    """The rows of the index that a stage selects, by partition."""
    if type(stage).select in (MapStage.select, WholeStage.select):
        return [range(start, stop) for start, stop in clips.bounds]
    ids = stage.select(clips.table)["clip_id"]
    selected = np.sort(pc.index_in(ids, value_set=clips.table["clip_id"]).to_numpy())
    ends = np.searchsorted(selected, [stop for _, stop in clips.bounds])
    return [selected[start:end] for start, end in zip([0, *ends], ends, strict=False)]
