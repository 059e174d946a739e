"""Predict: class probabilities of every clip, from its shard and a trained model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.errors import ManifestError, StageError
from pipeline.stage import MapStage, Resources, unkeyed
from stages.tables import MODELS, PREDICTIONS, SHARDS

if TYPE_CHECKING:
    from recognizer.model import Recognizer


class Predict(MapStage):
    """Averages the probabilities of one or more views of each clip."""

    key_name: ClassVar[str | None] = "stages.predict:Predict"
    version: ClassVar[int] = 4
    makes = PREDICTIONS
    takes = (SHARDS, MODELS)

    split: str | None = "test"
    """The split to predict, which some clip must have; null: all clips."""

    views: int = Field(1, ge=1, le=30)
    """Views of a clip that are averaged: the middle one, then others in time where the shards hold more frames than
    the network sees, each also mirrored if the training mirrored clips. No view counts twice, so there may be fewer:
    12 frames of 60 make 5 in time."""

    frames: int | None = Field(None, ge=1)
    """Frames of each view, for a network trained on another number of them; null: as it was trained. The shards must
    hold as many."""

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """``auto``: mixed precision with bfloat16 where the GPU or the CPU has it (AVX-512 BF16, AMX), else float32
    alone."""

    batch: int | None = unkeyed(None, ge=1)
    """Views in the network at once; null: 8, but one where frames go through a CPU, which gains nothing from more."""

    device: Literal["auto", "cpu", "cuda"] = unkeyed("auto")
    """``auto``: a GPU where the cluster has one; each worker then gets its own."""

    def resources(self) -> Resources:
        return Resources(num_gpus=0 if self.device == "cpu" else 1)

    def select(self, clips: pa.Table) -> pa.Table:
        if self.split is None:
            return clips
        chosen = clips.filter(pc.equal(clips["split"], self.split))
        if not chosen.num_rows and clips.num_rows:
            there = ", ".join(sorted(name or "none" for name in clips["split"].unique().to_pylist()))
            raise ManifestError(
                f"split: no clip of the index has the split {self.split} (there are: {there}): set the index's split "
                "parameters, or another split of predict and evaluate; split: null predicts all clips"
            )
        return chosen

    def load(self, inputs: Mapping[str, pa.Table]) -> "Recognizer":
        from recognizer.model import Recognizer
        from stages.devices import chosen_device

        row = inputs["models"].to_pylist()[0]
        try:
            return Recognizer.deserialize(row["config"], row["weights"]).to(chosen_device(self.device))
        except ValueError as error:
            raise StageError(f"the model does not load: {error}") from error

    def process(self, clips: pa.Table, inputs: Mapping[str, pa.Table], loaded: "Recognizer") -> pa.Table:
        from stages.devices import threads
        from stages.predict.views import mean_probabilities

        shards = inputs["shards"]
        rows = (shards.slice(i, 1).to_pylist()[0] for i in range(shards.num_rows))
        with threads(1):
            found = mean_probabilities(loaded, rows, self.views, self.batch, self.frames, self.precision)
        names = list(loaded.config.class_names)
        return pa.Table.from_pylist(
            [
                {"clip_id": clip_id, "error": None, "probabilities": found[clip_id], "class_names": names}
                for clip_id in clips["clip_id"].to_pylist()
            ],
            schema=self.makes.schema,
        )
