"""Explain: what a trained recognizer attends to in some clips, as pictures and a page."""

from collections import Counter
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
from pydantic import Field

from pipeline.errors import StageError
from pipeline.stage import Row, WholeStage, unkeyed
from pipeline.stage_inputs import StageContext, VariantInputs
from stages.tables import EXPLANATIONS, MODELS, SHARDS


class Explain(WholeStage):
    """Draws where 3D deformable attention samples the frames, and which joints joint stride attention attends to."""

    key_name: ClassVar[str | None] = "stages.explanation.stage:Explain"
    version: ClassVar[int] = 1
    makes = EXPLANATIONS
    takes = (MODELS, SHARDS)

    clips: tuple[str, ...] = ()
    """Ids of the clips. Empty: ``samples`` clips of the split, every class once before any appears twice."""

    split: str | None = "test"
    """The split that clips are chosen from if ``clips`` is empty. Null: any split."""

    samples: int = Field(6, ge=1)
    """How many clips are chosen if ``clips`` is empty."""

    out: Path | None = unkeyed(None)
    """Folder for ``explanation.html`` and the pictures. Null: ``explain`` in the run's folder."""

    def run(self, variants: list[VariantInputs], context: StageContext) -> pa.Table:
        """One row per clip, with its pictures; a clip without a shard has an error instead."""
        from stages.explanation.rows import explained_rows

        (variant,) = variants
        clips = {row["clip_id"]: row for row in variant.clips.select(["clip_id", "label", "split"]).to_pylist()}
        if unknown := [clip_id for clip_id in self.clips if clip_id not in clips]:
            raise StageError(f"the index has no clip {unknown[0]!r}: give clip ids as shown in the report")
        shards = variant.inputs[SHARDS.name]
        chosen = [clips[clip_id] for clip_id in self.clips]
        if not chosen:
            usable = [row for row in shards.read(["clip_id", "error"]).to_pylist() if row["error"] is None]
            chosen = self._some([clips[row["clip_id"]] for row in usable if row["clip_id"] in clips])
        if not chosen:
            raise StageError(f"no clip of the split {self.split} has a shard: give clips or another split")
        model = variant.inputs[MODELS.name].read().to_pylist()[0]
        rows = explained_rows(model, shards, chosen, context.progress)
        return pa.Table.from_pylist(rows, schema=self.makes.schema)

    def _some(self, clips: list[Row]) -> list[Row]:
        """Clips of the split in rounds: the first clip of each class, then the second ones, and so on."""
        seen: Counter[str | None] = Counter()
        turns = []
        for clip in sorted(clips, key=lambda clip: clip["clip_id"]):
            if self.split is not None and clip["split"] != self.split:
                continue
            turns.append((seen[clip["label"]], clip["label"] or "", clip["clip_id"], clip))
            seen[clip["label"]] += 1
        return [clip for *_, clip in sorted(turns, key=lambda turn: turn[:3])][: self.samples]

    def export(self, table: pa.Table, folder: Path, run_folder: Path) -> None:
        """Write the self-contained page, and its pictures as PNG files."""
        from stages.explanation.page import write

        write(table.to_pylist(), self.out or folder / "explain", run_folder.name)
