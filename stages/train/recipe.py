"""How training clips are varied: the parameters under ``augment``."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

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
