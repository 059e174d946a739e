"""The parameters of a training, which the stage, the loop and its workers read."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pipeline.stage import unkeyed
from recognizer.config import NetworkConfig, RecognizerConfig

Share = Annotated[float, Field(gt=0, le=1)]


class Augmentation(BaseModel):
    """How training clips are varied. Every draw depends on seed, epoch and clip alone."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    scale: tuple[Share, Share] = (0.75, 1.0)
    """Smallest and largest side of the random square, as a share of the shard's frames. At test the mean of both is
    taken from the middle, so that people are as large as they mostly were. Always 224 of 256 pixels: [0.875, 0.875]."""

    rotation: float = Field(0.0, ge=0, le=180)
    """Largest turn of the clip to either side around its middle, in degrees."""

    flip: bool = True
    """Mirror half of the clips, left and right joints changing places. For classes that do not depend on sides."""

    speed: float = Field(0.2, ge=0, lt=1)
    """Largest share of a clip's duration that is left out, which slows the action down."""

    jitter: bool = True
    """Draw each frame from anywhere in its share of the clip instead of the middle; matters where the network sees
    fewer frames than the shards hold."""

    brightness: float = Field(0.2, ge=0, lt=1)
    """Largest change of brightness, as a share of white."""

    contrast: float = Field(0.2, ge=0, lt=1)
    """Largest relative change of contrast."""

    joint_noise: float = Field(0.003, ge=0, lt=0.2)
    """Standard deviation of the noise on joints, as a share of the frame."""

    joint_drop: float = Field(0.02, ge=0, lt=1)
    """Chance of a joint to be missing in a frame."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale goes from the smallest to the largest side, not {list(self.scale)}")
        return self

    @property
    def test_scale(self) -> float:
        """Side of the square in the middle that is seen at test."""
        return sum(self.scale) / 2


class Recipe(BaseModel):
    """All parameters of a training."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())

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
    def _consistent(self) -> Self:
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
