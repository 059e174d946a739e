"""Predict: class probabilities of each clip, from its shard and a trained model."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.errors import ManifestError, StageError
from pipeline.stage import MapStage, Problem, Resources, Stage, unkeyed
from stages.pose.given import Skeletons
from stages.pose.stage import Pose
from stages.skeletons.conversion import convertible, lacking_text
from stages.tables import MODELS, PREDICTIONS, SHARDS, SKELETONS
from stages.train.pretrained import Pretrained

if TYPE_CHECKING:
    from recognizer.model import Recognizer


class Predict(MapStage):
    """Predicts the class probabilities of each clip, averaged over one or more views of it."""

    key_name: ClassVar[str | None] = "stages.predict:Predict"
    version: ClassVar[int] = 4
    makes = PREDICTIONS
    takes = (SHARDS, MODELS)

    split: str | None = "test"
    """The split whose clips are predicted; at least one clip must have it. null: all clips."""

    views: int = Field(1, ge=1, le=30)
    """Largest number of views per clip that are averaged. The first shows the frames in the middle of each segment;
    others show earlier and later frames, if the shards hold more frames than the network sees. If the training mirrored
    clips, each view is also mirrored. Equal views count once: 12 of 60 frames make 5 views, and 5 mirrored ones."""

    frames: int | None = Field(None, ge=1)
    """Frames per view, if they should differ from those that the network was trained on; null: the same number. The
    shards must hold at least as many."""

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """``bf16``: mixed precision with bfloat16. ``fp32``: float32 only. ``auto``: bf16 if the GPU or the CPU (AVX-512
    BF16, AMX) supports it, else fp32."""

    batch: int | None = unkeyed(None, ge=1)
    """Views per batch; null: 8, but 1 for networks that see frames on a CPU, where larger batches are not faster."""

    device: Literal["auto", "cpu", "cuda"] = unkeyed("auto")
    """``auto``: GPUs if there are any, else the CPU."""

    workers_per_gpu: int = unkeyed(2, ge=1)
    """Processes that share a GPU: while one reads clips, another computes. 1 where the GPU's memory does not hold the
    network and its batch that often."""

    def check(self, clips: pa.Table, upstream: Mapping[str, Stage]) -> Iterator[Problem]:
        """Joints that a saved model knows and the skeletons lack."""
        model, skeletons = upstream.get(MODELS.name), upstream.get(SKELETONS.name)
        if not isinstance(model, Pretrained) or not isinstance(skeletons, Pose | Skeletons):
            return  # a model that is trained by the same manifest knows the same joints
        wanted, given = model.layout(), skeletons.layout_of(clips)
        if wanted and given and wanted != given:
            fatal = not convertible(given, wanted)
            remedy = "use the pose estimator it was trained with" if fatal else "they are treated as not visible"
            lacks = lacking_text(given, wanted)
            yield Problem(f"the model was trained on {wanted.name} skeletons; {lacks}: {remedy}", fatal)

    def resources(self) -> Resources:
        return Resources(num_gpus=0 if self.device == "cpu" else 1 / self.workers_per_gpu)

    def select(self, clips: pa.Table) -> pa.Table:
        if self.split is None:
            return clips
        chosen = clips.filter(pc.equal(clips["split"], self.split))
        if not chosen.num_rows and clips.num_rows:
            names = ", ".join(sorted(name or "none" for name in clips["split"].unique().to_pylist()))
            raise ManifestError(
                f"split: no clip of the index has the split {self.split} (there are: {names}): set the index's split "
                "parameters, or another split for predict and evaluate; split: null predicts all clips"
            )
        return chosen

    def load(self, inputs: Mapping[str, pa.Table]) -> "Recognizer":
        from recognizer.model import Recognizer
        from stages.devices import chosen_device
        from stages.gpu_memory import enough_gpu_memory

        row = inputs["models"].to_pylist()[0]
        try:
            with enough_gpu_memory():
                return Recognizer.deserialize(row["config"], row["weights"]).to(chosen_device(self.device))
        except ValueError as error:
            raise StageError(f"the model does not load: {error}") from error

    def process(self, clips: pa.Table, inputs: Mapping[str, pa.Table], loaded: "Recognizer") -> pa.Table:
        from stages.devices import threads
        from stages.gpu_memory import enough_gpu_memory
        from stages.predict.views import NO_NUMBERS, are_numbers, mean_probabilities

        shards = inputs["shards"]
        samples = (shards.slice(i, 1).to_pylist()[0] for i in range(shards.num_rows))
        with threads(1), enough_gpu_memory():
            found = mean_probabilities(loaded, samples, self.views, self.batch, self.frames, self.precision)
        names = list(loaded.config.class_names)
        rows = []
        for clip_id in clips["clip_id"].to_pylist():
            answer = {"error": None, "probabilities": found[clip_id], "class_names": names}
            rows.append({"clip_id": clip_id} | (answer if are_numbers(found[clip_id]) else {"error": NO_NUMBERS}))
        return pa.Table.from_pylist(rows, schema=self.makes.schema)
