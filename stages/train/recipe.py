"""The parameters of a training, which the stage, the loop and its workers read."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pipeline.stage import added, unkeyed
from recognizer.config import Modality, NetworkConfig, RecognizerConfig, is_part

Share = Annotated[float, Field(gt=0, le=1)]


class Augmentation(BaseModel):
    """How training clips are varied at random. Each draw depends only on seed, epoch and clip."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    scale: tuple[Share, Share] = (0.75, 1.0)
    """Smallest and largest side of the random square crop, as fractions of the shard's frames. At test, the crop is in
    the center and its side is the mean of the two, so that people appear about as large as in training. [0.875, 0.875]
    always crops 224 of 256 pixels."""

    rotation: float = Field(0.0, ge=0, le=180)
    """Largest rotation of a clip about its center, in degrees, in either direction."""

    turn: float = added(0.0, ge=0, le=180)
    """Largest turn of people about the vertical axis, in degrees, in either direction. For skeletons in space that are
    seen from the front and from the side (``skeletons.second_plane``)."""

    flip: bool = True
    """Mirror half of the clips and swap their left and right joints. Not for classes that differ only in the side."""

    speed: float = Field(0.2, ge=0, lt=1)
    """Largest fraction of a clip's duration that is cut off. The rest fills all frames, which slows the action down."""

    jitter: bool = True
    """Draw each frame from a random position within its segment of the clip, not from the middle. Has an effect only if
    the network sees fewer frames than the shards hold, or if ``speed`` cuts some off."""

    brightness: float = Field(0.2, ge=0, lt=1)
    """Largest change of brightness, as a fraction of white."""

    contrast: float = Field(0.2, ge=0, lt=1)
    """Largest relative change of contrast."""

    joint_noise: float = Field(0.003, ge=0, lt=0.2)
    """Standard deviation of the noise added to joint coordinates, as a fraction of the frame's side."""

    joint_drop: float = Field(0.02, ge=0, lt=1)
    """Probability that a joint is dropped in a frame."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale is [smallest side, largest side], not {list(self.scale)}")
        return self

    @property
    def test_scale(self) -> float:
        """Side of the center crop at test, as a fraction of the frame."""
        return sum(self.scale) / 2


class Recipe(BaseModel):
    """All parameters of a training."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())

    model: NetworkConfig = NetworkConfig()
    """Parameters of the network. Class names, joint layout and frames come from the data."""

    ensemble: tuple[Modality, ...] = added(())
    """The modalities of further networks, which are trained after the first one and whose probabilities are averaged
    with its. Those that see anything that ``model.modality`` does not are left out. [pose, pose] adds about a third to
    the time of a training with both modalities."""

    backbone: Literal["scratch", "kinetics400"] = "scratch"
    """Initial weights of the backbone: random, or torchvision's ``mc3_18`` trained on Kinetics-400, which needs
    ``model.width: 64``."""

    backbone_file: Path | None = unkeyed(None)
    """File or URL with torchvision's weights for ``backbone: kinetics400``; null: download them."""

    start_from: str | None = unkeyed(None, min_length=1)
    """A trained model to start from: ``drawn``, which comes with the package and has learned skeletons of drawn people,
    for networks of ``width`` 16; or the folder or URL of a run, of a variant or of a model; or ``owner/name`` on the
    Hugging Face hub, after ``hf download owner/name config.json model.safetensors``. Every weight that fits is taken,
    also in place of those of ``backbone``, and classes of the same name keep their rows of the classifier;
    ``history.json`` says which. Results depend on the model's files, not on where they are."""

    frames: int | None = Field(None, ge=1)
    """Frames per clip that the network sees; null: as many as the shards hold."""

    augment: Augmentation = Augmentation()
    """How training clips are varied at random."""

    epochs: int = Field(90, ge=1)
    """Passes over all training clips."""

    least_steps: int = added(0, ge=0)
    """Steps that a training takes at least: with so few clips that ``epochs`` passes have fewer, there are more."""

    warmup_epochs: float = Field(5, ge=0)
    """Epochs in which the learning rate rises linearly from 0 to ``lr``; at most a third of all epochs."""

    batch: int = Field(16, ge=1)
    """Clips per batch, in all processes together."""

    accumulate: int = Field(1, ge=1)
    """Batches per step, whose gradients are accumulated."""

    lr: float = Field(5e-4, gt=0)
    """Peak learning rate, reached after the warm-up. It then falls to 0 along a cosine."""

    layer_decay: float = Field(1.0, gt=0, le=1)
    """Factor by which the learning rate falls from each part of the network to the one before it: the head learns at
    ``lr``, then come the blocks, the tokens, the backbone's layers and its stem. 1: the same rate everywhere. For
    pretrained backbones."""

    weight_decay: float = Field(0.05, ge=0)
    """AdamW's weight decay. It applies to weight matrices, not to norms, biases and learned tokens."""

    label_smoothing: float = Field(0.1, ge=0, lt=1)
    """Fraction of the target probability that is spread evenly over all classes."""

    clip_gradient: float = Field(1.0, gt=0)
    """Norm to which larger gradients are clipped in each step."""

    mixup: float = Field(0.0, ge=0)
    """Alpha of mixup, which blends two clips and their labels; 0: off. Only for ``model.modality: rgb``."""

    ema: float = Field(0.0, ge=0, lt=1)
    """Decay per step of an exponential moving average of the weights, which becomes the result; 0: off."""

    val_share: float = Field(0.1, ge=0, lt=1)
    """Fraction of the training clips held out for validation if the data has no ``val`` split. Every class keeps a
    recording for training."""

    keep: Literal["last", "best"] = "last"
    """Which epoch's model becomes the result: the last, or the one with the highest validation accuracy."""

    seed: int = Field(0, ge=0)
    """Seed of initial weights, order of clips and all random variation."""

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """``bf16``: mixed precision with bfloat16. ``fp32``: float32 only, though GPUs compute convolutions in TF32.
    ``auto``: bf16 if the GPU or the CPU (AVX-512 BF16, AMX) supports it, else fp32. ``history.json`` records which."""

    device: Literal["auto", "cpu", "cuda"] = unkeyed("auto")
    """``auto``: a GPU if there is one, else the CPU."""

    data_parallel: int = unkeyed(1, ge=1)
    """Number of processes that share each batch, started by Ray Train. Each has its own GPU, or computes on CPUs if
    there is no GPU or ``device: cpu`` is set. They take the same steps as a single process, up to rounding."""

    checkpoint_activations: bool = unkeyed(False)
    """Recompute the activations of backbone and blocks in the backward pass instead of storing them: less memory, more
    time, the same gradients."""

    compile: bool = unkeyed(False)
    """Compile the network with ``torch.compile``. This takes minutes at the first step, and again at the first batch of
    another size. Needs a C++ compiler; excludes ``checkpoint_activations``."""

    threads: int | None = unkeyed(None, ge=1)
    """Threads that compute the network on CPUs; null: one per core. Trainings of a matrix run side by side: one per
    GPU, or as many as have cores for that many threads each, such as two on two cores with ``threads: 1``."""

    workers: int | None = unkeyed(None, ge=1)
    """Threads that read and augment clips; null: 2, and for a GPU one per core that the process may use, at most 8."""

    checkpoint_minutes: float = unkeyed(10.0, ge=0)
    """Minutes between checkpoints within an epoch. One is also written after each epoch."""

    @property
    def others(self) -> tuple[Modality, ...]:
        """The networks of ``ensemble`` that see no more than the first one."""
        return tuple(one for one in self.ensemble if is_part(one, self.model.modality))

    @field_validator("model", mode="before")
    @classmethod
    def _leaves_the_data_out(cls, model: Any) -> Any:
        for name in model if isinstance(model, dict) else ():
            if name in RecognizerConfig.model_fields and name not in NetworkConfig.model_fields:
                instead = f", or set {name} of train itself" if name in ("frames", "ensemble") else ""
                raise ValueError(f"{name} comes from the data: leave it out{instead}")
        return model

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.backbone != "scratch" and not (self.model.uses_rgb and self.model.width == 64):
            raise ValueError("backbone: kinetics400 needs a network that sees frames, and model.width: 64")
        if self.mixup and self.model.uses_pose:
            raise ValueError(
                "mixup blends pixels, and skeletons cannot be blended: leave it out, or set model.modality: rgb"
            )
        for modality in self.others:
            self.model.for_modality(modality)
        if self.compile and self.checkpoint_activations:
            raise ValueError("compile and checkpoint_activations exclude each other: set one of them to false")
        if self.batch < self.data_parallel:
            raise ValueError(f"data_parallel: {self.data_parallel} processes cannot share a batch of {self.batch}")
        return self
