"""The parameters of a network and of a recognizer, which is a network for certain data: its config.json."""

import json
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)

from recognizer.skeletons import layout, layout_text

Modality = Literal["rgb+pose", "rgb", "pose"]

MODAL_NAMES = ("cls", "rgb", "pose")
"""The cross-modal tokens, in the order in which they are concatenated."""


def is_part(modality: Modality, whole: Modality) -> bool:
    """Whether a network for ``whole`` sees all that one for ``modality`` does."""
    return set(modality.split("+")) <= set(whole.split("+"))


class NetworkConfig(BaseModel):
    """Sizes and switches of a network. The defaults are the paper's."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    modality: Modality = "rgb+pose"
    """What the network sees. With one modality, the branch and the tokens of the other are left out."""

    # Clips.
    size: int = Field(224, ge=8)
    """Height and width of a clip in pixels, in training. Other sizes work, and need not be square."""
    persons: PositiveInt = 2
    """M, the number of persons per clip: more are cut off, fewer are padded."""
    mean: tuple[float, float, float] = (0.43216, 0.394666, 0.37645)
    """Mean of red, green and blue in [0, 1]; the default is that of Kinetics-400."""
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (0.22803, 0.22145, 0.216989)
    """Standard deviation of red, green and blue in [0, 1]."""
    frame_motion: bool = False
    """Subtract the mean of a clip's frames from each of them, so that only what moves remains. For few clips, from a
    fixed camera."""

    # Sizes.
    width: int = Field(64, ge=4, multiple_of=4)
    """C, channels of the first backbone layer. Tokens have D = 4C channels."""
    stem_stride: Literal[2, 4] = 2
    """Pixels between the cells of F_a, from which pose tokens are gathered. With 4, the backbone's most expensive layer
    has a quarter of the cells: 42 instead of 110 billion multiply-adds per clip. RGB tokens stay 8 pixels apart."""
    blocks: PositiveInt = 2
    """L, transformer blocks."""
    heads: PositiveInt | None = None
    """Attention heads, a divisor of D; null: one for every 32 channels, which makes 8 at C = 64."""
    expansion: PositiveInt = 4
    """Hidden channels of the feed-forward networks, in units of D."""

    # Joints (eq. 1 and 2).
    sigma: PositiveFloat = 2.0
    """Standard deviation of a joint's heatmap in cells of a grid of 112; scales with the grid."""
    joint_coordinates: bool = False
    """Add a Fourier embedding of x, y and score to the pose tokens, which in the paper have appearance but no
    position."""
    joint_motion: bool = False
    """Add an embedding of each joint's displacement from the previous frame and to the next one."""
    joint_posture: bool = False
    """Add a Fourier embedding of each joint's position within its body: relative to the body's center, in units of its
    size."""
    joint_identity: bool = False
    """Add a learned embedding of joint and frame to the pose tokens, which in the paper do not tell which joint and
    frame they belong to."""

    # Modal tokens (Table 5).
    modal_tokens: Literal["cross", "shared", "none"] = "cross"
    """``cross``: CLS and one token for each modality; ``shared``: CLS alone; ``none``: the last RGB and pose tokens are
    averaged instead."""

    # Attention modules (Table 4).
    deformable_attention: bool = True
    """3D deformable attention over the RGB tokens."""
    joint_attention: bool = True
    """Local joint stride attention over the pose tokens."""
    temporal_attention: bool = True
    """Temporal stride attention over all tokens."""

    # 3D token search (Algorithm A3).
    search_kernel: int = Field(7, ge=1)
    """Kernel size of the unpadded convolution that predicts offsets; at most the grid's size on each axis. It also
    decides how many tokens are sampled: size - kernel + 1 on each axis."""
    dense_offsets: bool = False
    """A dense first convolution instead of a depthwise one: 22 M parameters per block instead of 0.09 M at C = 64."""
    offset_range: PositiveFloat | Literal["volume"] = 1.0
    """Largest offset, in cells of the reference grid; ``volume``: half of the clip's extent on each axis."""

    # Windows (Algorithms A1 and A2).
    window_joints: PositiveInt = 4
    """Joints per window of joint stride attention; the stride is half of it."""
    window_frames: PositiveInt = 4
    """Frames per window of temporal stride attention."""
    stride_frames: PositiveInt | None = None
    """Frames between the starts of neighboring windows of temporal stride attention; null: half of the window."""
    window_keys: Literal["shifted", "own"] = "shifted"
    """``shifted``: a window's queries attend to the keys and values of the next window, the last window's to those of
    the first; ``own``: to those of their own window."""

    # Training.
    pre_norm: bool = True
    """LayerNorm before each attention; false: the literal eq. 6."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout rate in the feed-forward networks and before the classifier."""
    drop_path: float = Field(0.0, ge=0, lt=1)
    """Probability that a residual branch of the last block is skipped for a clip in training; it grows linearly from 0
    at the first block."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.dim % self.head_count:
            raise ValueError(f"heads={self.head_count} must divide the {self.dim} channels of a token (4 x width)")
        if self.stride_frames and self.stride_frames > self.window_frames:
            raise ValueError(
                f"stride_frames={self.stride_frames} leaves frames out of every window; it must be at most "
                f"window_frames={self.window_frames}"
            )
        attended = (self.uses_rgb and self.deformable_attention) or (self.uses_pose and self.joint_attention)
        if self.modal_names and not attended and not self.temporal_attention:
            raise ValueError(
                f"with these attention modules off, no modal token of a {self.modality} network attends to anything; "
                "turn one on, or set modal_tokens to none"
            )
        return self

    def for_modality(self, modality: Modality) -> Self:
        """The config of the same network for another modality. Raises ValueError if there is none."""
        return type(self).model_validate(self.model_dump() | {"modality": modality})

    @property
    def dim(self) -> int:
        """D, channels of a token."""
        return 4 * self.width

    @property
    def head_count(self) -> int:
        """E, attention heads."""
        return self.heads or max(self.dim // 32, 1)

    @property
    def uses_rgb(self) -> bool:
        """Whether the network needs frames."""
        return "rgb" in self.modality

    @property
    def uses_pose(self) -> bool:
        """Whether the network needs keypoints."""
        return "pose" in self.modality

    @property
    def modal_names(self) -> tuple[str, ...]:
        """The modal tokens of this network, in order."""
        if self.modal_tokens == "none":
            return ()
        if self.modal_tokens == "shared":
            return ("cls",)
        return tuple(name for name in MODAL_NAMES if name == "cls" or name in self.modality)


class RecognizerConfig(NetworkConfig):
    """Everything that defines one recognizer: its network, and what the data decide."""

    ensemble: tuple[Modality, ...] = ()
    """The modalities of further networks with the same parameters otherwise, each a part of ``modality`` or the same.
    The recognizer's probabilities are then the mean over all of its networks."""

    class_names: tuple[str, ...] = Field(min_length=1)
    """The classes, in the order of the logits."""
    layout: str = "coco17"
    """The joint layout of its skeletons: the name of a built-in one, or the definition of any other. In config.json, a
    definition is an object. See ``recognizer.skeletons``."""
    frames: PositiveInt = 12
    """T, the number of frames per clip in training. Other lengths work: what is learned per frame is interpolated."""
    preprocessing: dict[str, Any] = {}
    """How large and how long clips were, and of which data, for those who use the model elsewhere. Any JSON."""
    temperature: PositiveFloat = 1.0
    """What logits are divided by before they become probabilities, so that a class with probability 0.8 is right about
    8 times in 10. Chosen on validation clips."""
    min_scores: dict[float, float] = {}
    """The lowest probability of the most probable class from which on at least this share of the validation clips was
    right, by share (0.8, 0.9, 0.95, 0.99). Shares that no probability reaches are absent. Chosen after the temperature,
    on one view of each clip. See ``recognizer.calibration``."""
    validation_clips: int = Field(0, ge=0)
    """How many clips ``temperature`` and ``min_scores`` were chosen on; 0: they were not chosen, for want of clips."""

    @field_validator("layout", mode="before")
    @classmethod
    def _layout_exists(cls, given: Any) -> Any:
        text = json.dumps(given) if isinstance(given, dict) else given
        return layout_text(layout(text)) if isinstance(text, str) else text

    @field_serializer("layout", when_used="json")
    def _layout_in_json(self, text: str) -> str | dict[str, Any]:
        own = layout(text)
        return text if text == own.name else own.definition()

    @model_serializer(mode="wrap")
    def _without_what_it_lacks(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The config of an uncalibrated model, or of a single network, is what it was before there were others."""
        found: dict[str, Any] = handler(self)
        chosen = {} if self.validation_clips else {"temperature": 1.0, "min_scores": {}, "validation_clips": 0}
        unused = chosen if self.ensemble else chosen | {"ensemble": found.get("ensemble")}
        return {name: value for name, value in found.items() if name not in unused or value != unused[name]}

    @field_validator("class_names")
    @classmethod
    def _classes_differ(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"class_names lists {twice!r} twice")
        return names

    @model_validator(mode="after")
    def _sees_what_its_networks_see(self) -> Self:
        if unseen := [one for one in self.ensemble if not is_part(one, self.modality)]:
            raise ValueError(
                f"ensemble has a network for {unseen[0]}, which a recognizer for {self.modality} does not see"
            )
        for modality in self.ensemble:
            NetworkConfig(**{name: getattr(self, name) for name in NetworkConfig.model_fields}).for_modality(modality)
        return self

    @property
    def networks(self) -> "tuple[RecognizerConfig, ...]":
        """A config for each network of an ensemble, itself without the others first."""
        single = self.model_copy(update={"ensemble": ()})
        return single, *(single.for_modality(modality) for modality in self.ensemble)

    @property
    def joints(self) -> int:
        """R, joints of one person."""
        return layout(self.layout).count
