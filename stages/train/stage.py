"""Train: a recognizer from the training clips' shards. The loop is in ``stages.train.loop``."""

import json
import os
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from pipeline.errors import StageError
from pipeline.stage import Resources, WholeStage, unkeyed
from pipeline.stage_inputs import StageContext, VariantInputs
from recognizer.config import NetworkConfig, RecognizerConfig
from stages.tables import MODELS, SHARDS
from stages.train.recipe import Augmentation


class Train(WholeStage):
    """Trains with AdamW, a warm-up and a cosine, and resumes after an interruption to the same result.

    The model is that of the last epoch, or its moving average if ``ema`` is set; ``keep: best`` takes it from the
    epoch with the highest validation accuracy instead.
    """

    key_name: ClassVar[str | None] = "stages.train:Train"
    version: ClassVar[int] = 4
    makes = MODELS
    takes = (SHARDS,)

    model: NetworkConfig = NetworkConfig()
    """Parameters of the network. Class names, joint layout and frames come from the data."""

    backbone: Literal["scratch", "kinetics400"] = "scratch"
    """Weights that the backbone starts from: random ones, or torchvision's of ``mc3_18``, for ``model.width: 64``."""

    backbone_file: Path | None = unkeyed(None)
    """Torchvision's file of these weights; null: it is downloaded."""

    frames: int | None = Field(None, ge=1)
    """Frames of each clip that the network sees; null: as many as the shards hold."""

    augment: Augmentation = Augmentation()
    """How training clips are varied."""

    epochs: int = Field(90, ge=1)
    """Times every training clip is seen."""

    warmup_epochs: float = Field(5, ge=0)
    """Epochs in which the learning rate rises linearly from 0; at most a third of all."""

    batch: int = Field(16, ge=1)
    """Clips in the network at once, in all processes together."""

    accumulate: int = Field(1, ge=1)
    """Batches whose gradients are added up before a step."""

    lr: float = Field(5e-4, gt=0)
    """Highest learning rate."""

    layer_decay: float = Field(1.0, gt=0, le=1)
    """Learning rate of each part of the network relative to the part behind it, from the head, which has ``lr``, over
    the blocks, the tokens and the backbone's layers to its stem; 1: the same for all. For pre-trained backbones."""

    weight_decay: float = Field(0.05, ge=0)
    """AdamW's decay of weight matrices; norms, biases and tokens are left alone."""

    label_smoothing: float = Field(0.1, ge=0, lt=1)
    """Share of the target that is spread over all classes."""

    clip_gradient: float = Field(1.0, gt=0)
    """Largest norm of a step's gradient."""

    mixup: float = Field(0.0, ge=0)
    """Alpha of mixup, which blends two clips and their labels; 0: off. For ``model.modality: rgb``."""

    ema: float = Field(0.0, ge=0, lt=1)
    """Decay of a moving average of the weights, per step; 0: off."""

    val_share: float = Field(0.1, ge=0, lt=1)
    """Share of the training clips held out for validation where the data have no ``val`` split."""

    keep: Literal["last", "best"] = "last"
    """Which epoch's model is the result."""

    seed: int = Field(0, ge=0)
    """Decides initial weights, order of clips and all random variation."""

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Mixed precision. ``auto``: with bfloat16 where the GPU or the CPU has it (AVX-512 BF16, AMX), else float32
    alone (whose convolutions GPUs round to TF32). The history says what each epoch was trained in."""

    device: Literal["auto", "cpu", "cuda"] = unkeyed("auto")
    """``auto``: a GPU if there is one."""

    data_parallel: int = unkeyed(1, ge=1)
    """Processes that share each batch, started by Ray Train: each has a GPU of its own, or computes on CPUs where there
    is no GPU or ``device: cpu`` is set. They take the steps of a single one, up to rounding."""

    checkpoint_activations: bool = unkeyed(False)
    """Compute what backbone and blocks keep for the backward pass again instead: less memory, more time, the same
    gradients."""

    compile: bool = unkeyed(False)
    """Compile the network (``torch.compile``), which takes minutes at the first step and again at the first smaller
    batch. Needs a C++ compiler. Not together with ``checkpoint_activations``."""

    threads: int | None = unkeyed(None, ge=1)
    """Threads of the network on CPUs; null: one a core. The trainings of a matrix run side by side, as many as there
    are GPUs, or as there are cores for these threads: with ``threads: 1``, two at a time on two cores."""

    workers: int = unkeyed(2, ge=1)
    """Threads that read and vary clips."""

    checkpoint_minutes: float = unkeyed(10.0, ge=0)
    """A checkpoint is written after each epoch, and within it whenever this much time has passed."""

    @field_validator("model", mode="before")
    @classmethod
    def _leaves_the_data_out(cls, model: Any) -> Any:
        for name in model if isinstance(model, dict) else ():
            if name in RecognizerConfig.model_fields and name not in NetworkConfig.model_fields:
                instead = ", or set frames of train itself" if name == "frames" else ""
                raise ValueError(f"{name} comes from the data: leave it out{instead}")
        return model

    @model_validator(mode="after")
    def _consistent(self) -> "Train":
        if self.backbone != "scratch" and not (self.model.uses_rgb and self.model.width == 64):
            raise ValueError("backbone: kinetics400 needs frames and model.width: 64")
        if self.mixup and self.model.uses_pose:
            raise ValueError(
                "mixup blends pixels, but skeletons cannot be blended: leave it out or set model.modality: rgb"
            )
        if self.compile and self.checkpoint_activations:
            raise ValueError("compile and checkpoint_activations exclude each other: set one of them to false")
        if self.batch < self.data_parallel:
            raise ValueError(f"data_parallel: {self.data_parallel} processes cannot share a batch of {self.batch}")
        return self

    def resources(self) -> Resources | None:
        """All cores where ``threads`` says nothing: side by side, trainings need cores or GPUs of their own."""
        if self.data_parallel > 1:
            return None  # it starts processes of its own
        return Resources(self.threads or os.cpu_count() or 1, 0 if self.device == "cpu" else 1)

    def files(self) -> tuple[Path, ...]:
        return (self.backbone_file,) if self.backbone_file and self.backbone == "kinetics400" else ()

    def run(self, variants: list[VariantInputs], context: StageContext) -> pa.Table:
        from stages.cache.shards import Shards
        from stages.train.labels import training_clips
        from stages.train.loop import fit

        (variant,) = variants
        shards = Shards(variant.inputs["shards"], self.model.modality, self.model.persons)
        clips = training_clips(variant.clips, shards.places, self.val_share)
        if self.keep == "best" and not clips.val:
            raise StageError("keep: best needs validation clips: set val_share, or give clips the split val")
        frames = self.frames or shards.read(clips.train[0]).frame_count
        preprocessing = {"scale": self.augment.test_scale, "flip": self.augment.flip}
        if (seconds := shards.median_seconds()) is not None:
            preprocessing["seconds"] = round(seconds, 3)
        data: dict[str, Any] = {"class_names": clips.class_names, "frames": frames, "preprocessing": preprocessing}
        if shards.layout:  # None where the network sees no skeletons
            data["layout"] = shards.layout
        config = RecognizerConfig(**self.model.model_dump(), **data)
        recipe = self
        if self.data_parallel > 1:
            from pipeline.ray_session import ray_session

            with ray_session():
                from stages.train.ray_workers import fit_in_workers

                fit_in_workers(self, config, variant.inputs["shards"], clips, context)
            # For what is left to do: read the last checkpoint.
            recipe = self.model_copy(update={"device": "cpu", "compile": False})
        recognizer, history = fit(recipe, config, shards, clips, context)
        config_json, weights = recognizer.serialize()
        return pa.Table.from_pylist(
            [{"config": config_json, "weights": weights, "history": json.dumps(history)}], schema=self.makes.schema
        )

    def export(self, table: pa.Table, folder: Path, run_folder: Path) -> None:
        """``model/`` holds what ``Recognizer.from_pretrained`` reads, ``history.json`` the figures of each epoch."""
        from pipeline.files import replace_file

        row = table.to_pylist()[0]
        replace_file(folder / "model" / "config.json", row["config"].encode())
        replace_file(folder / "model" / "model.safetensors", row["weights"])
        replace_file(folder / "history.json", json.dumps(json.loads(row["history"]), indent=1).encode())
