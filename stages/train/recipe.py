"""What a training is told besides its numbers: how clips are varied, and which network is trained."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from recognizer.config import RecognizerConfig

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
    def _ordered(self) -> "Augmentation":
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale goes from the smallest to the largest side, not {list(self.scale)}")
        return self

    @property
    def test_scale(self) -> float:
        """Side of the square in the middle that is seen at test."""
        return sum(self.scale) / 2


class Network(RecognizerConfig):
    """The recognizer's parameters, but for those that the data decide."""

    class_names: tuple[str, ...] = Field(("from the labels",), exclude=True)
    layout: str = Field("coco17", exclude=True)
    frames: int = Field(12, exclude=True)
    preprocessing: dict[str, Any] = Field({}, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _leaves_the_data_out(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        for name in ("class_names", "layout", "preprocessing"):
            if name in values:
                raise ValueError(f"{name} comes from the data: leave it out")
        if "frames" in values:
            raise ValueError("frames comes from the shards: leave it out, or set frames of train itself")
        return values

    def for_data(
        self, class_names: tuple[str, ...], layout: str | None, frames: int, preprocessing: dict[str, Any]
    ) -> RecognizerConfig:
        """The whole configuration. ``layout`` is None where the network sees no skeletons."""
        data: dict[str, Any] = {"class_names": class_names, "frames": frames, "preprocessing": preprocessing}
        return RecognizerConfig(**self.model_dump(), **data, **({"layout": layout} if layout else {}))
