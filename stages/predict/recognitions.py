"""Recognitions: predictions as a table to open, with one line per clip or window of a video."""

import os
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from pipeline.errors import StageError
from pipeline.stage import Row, WholeStage, unkeyed
from pipeline.stage_inputs import StageContext, VariantInputs
from stages.tables import PREDICTIONS, RECOGNITIONS

TOP = 5
"""Number of most probable classes that are listed for each clip."""


class Recognitions(WholeStage):
    """Lists the predicted classes of each file and span, in the order of the index.

    Clips without a prediction have no line.
    """

    key_name: ClassVar[str | None] = "stages.recognitions:Recognitions"
    version: ClassVar[int] = 1
    makes = RECOGNITIONS
    takes = (PREDICTIONS,)

    out: Path | None = unkeyed(None)
    """Folder for ``recognitions.parquet`` and ``recognitions.csv``; null: the run's folder."""

    def run(self, variants: list[VariantInputs], context: StageContext) -> pa.Table:
        (variant,) = variants
        found = {
            row["clip_id"]: most_probable(row)
            for partition in variant.inputs["predictions"]  # only one in memory at a time
            for row in partition.to_pylist()
            if row["error"] is None
        }
        clips = variant.clips.select(["clip_id", "path", "start", "end"]).to_pylist()
        if not clips:
            raise StageError("the index lists no videos")
        root = os.path.commonpath([Path(clip["path"]).parent for clip in clips])
        rows = []
        for clip in clips:
            if (ranked := found.get(clip["clip_id"])) is None:
                continue
            rows.append(
                {
                    "clip_id": clip["clip_id"],
                    "file": Path(clip["path"]).relative_to(root).as_posix(),
                    "start": clip["start"] or 0.0,
                    "end": clip["end"],
                    "label": ranked[0][1],
                    "score": ranked[0][0],
                    "top_labels": [label for _, label in ranked],
                    "top_scores": [score for score, _ in ranked],
                }
            )
        return pa.Table.from_pylist(rows, schema=self.makes.schema)

    def export(self, table: pa.Table, folder: Path, run_folder: Path) -> str:
        """Write the same lines as Parquet and as CSV, with the classes in columns ``top1`` to ``top5``."""
        import pyarrow.csv
        import pyarrow.parquet

        from pipeline.files import replace_file

        readable = _columns_to_read(table)
        for name, write in (
            ("recognitions.parquet", pyarrow.parquet.write_table),
            ("recognitions.csv", pyarrow.csv.write_csv),
        ):
            sink = pa.BufferOutputStream()
            write(readable, sink)
            replace_file((self.out or folder) / name, sink.getvalue().to_pybytes())
        return f"{table.num_rows:,} recognitions: {(self.out or folder) / 'recognitions.csv'}"


def _columns_to_read(table: pa.Table) -> pa.Table:
    rows = table.to_pylist()
    columns = {name: [row[name] for row in rows] for name in ("file", "start", "end", "label")}
    columns["score"] = [round(row["score"], 4) for row in rows]
    for rank in range(TOP):
        columns[f"top{rank + 1}"] = [
            f"{row['top_labels'][rank]} ({row['top_scores'][rank]:.4f})" if rank < len(row["top_labels"]) else None
            for row in rows
        ]
    kinds = {"start": pa.float64(), "end": pa.float64(), "score": pa.float64()}
    return pa.table({name: pa.array(column, kinds.get(name, pa.string())) for name, column in columns.items()})


def most_probable(prediction: Row) -> list[tuple[float, str]]:
    """The most probable classes of a prediction, each with its probability, in descending order."""
    pairs = zip(prediction["probabilities"], prediction["class_names"], strict=True)
    return sorted(pairs, key=lambda pair: -pair[0])[:TOP]
