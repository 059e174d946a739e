"""The parameters of a network, and with what the data decide those of a recognizer: config.json beside its weights."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, field_validator, model_validator

from recognizer.skeletons import layout

MODAL_NAMES = ("cls", "rgb", "pose")
"""The cross-modal tokens, in the order in which they are concatenated."""


class NetworkConfig(BaseModel):
    """Sizes and switches of a network. The defaults are the paper's."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    modality: Literal["rgb+pose", "rgb", "pose"] = "rgb+pose"
    """What the network sees. With one modality alone, the branch and the tokens of the other fall away."""

    # What a clip looks like.
    size: int = Field(224, ge=8)
    """Height and width in pixels it is trained with. Others work, and need not be square."""
    persons: PositiveInt = 2
    """M, how many persons a clip is cut or filled up to."""
    mean: tuple[float, float, float] = (0.43216, 0.394666, 0.37645)
    """Mean of red, green and blue in [0, 1]; the default is that of Kinetics-400."""
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (0.22803, 0.22145, 0.216989)
    """Standard deviation of red, green and blue in [0, 1]."""
    frame_motion: bool = False
    """See each frame less the mean of the clip's frames: what moves, without what stands still. For clips of a camera
    that stands still, and few of them."""

    # Sizes.
    width: int = Field(64, ge=4, multiple_of=4)
    """C, channels of the first backbone layer. Tokens have D = 4C channels."""
    stem_stride: Literal[2, 4] = 2
    """Pixels between the cells of F_a, where joints are looked up. With 4 the backbone's costliest layer works on a
    quarter of the cells: 42 instead of 110 billion multiply-adds a clip. The RGB tokens stay 8 pixels apart."""
    blocks: PositiveInt = 2
    """L, transformer blocks."""
    heads: PositiveInt | None = None
    """Attention heads, a divisor of D; None: one for every 32 channels, which makes 8 at C = 64."""
    expansion: PositiveInt = 4
    """Hidden channels of the feed-forward networks, in units of D."""

    # Joints (eq. 1 and 2).
    sigma: PositiveFloat = 2.0
    """Standard deviation of a joint's heatmap in cells of a grid of 112; scales with the grid."""
    joint_coordinates: bool = False
    """Add a Fourier embedding of x, y and score to the pose tokens, which in the paper know looks but not places."""
    joint_motion: bool = False
    """Add an embedding of the way each joint has come and goes, between one frame and the next."""
    joint_posture: bool = False
    """Add a Fourier embedding of where each joint is in its own body: from the body's middle, in units of its size."""
    joint_identity: bool = False
    """Add a learned embedding of joint and frame to the pose tokens, which in the paper do not tell which joint and
    when they are."""

    # Modal tokens (Table 5).
    modal_tokens: Literal["cross", "shared", "none"] = "cross"
    """``cross``: one token for each modality and CLS; ``shared``: CLS alone, for all; ``none``: the last RGB and pose
    tokens are averaged instead."""

    # Attention modules (Table 4).
    deformable_attention: bool = True
    """3D deformable attention over the RGB tokens."""
    joint_attention: bool = True
    """Local joint stride attention over the pose tokens."""
    temporal_attention: bool = True
    """Temporal stride attention over all tokens."""

    # 3D token search (Algorithm A3).
    search_kernel: int = Field(7, ge=1)
    """Kernel of the unpadded convolution that finds offsets, cut to the grid's size on each axis. It also sets how
    many tokens are looked up: size - kernel + 1 on each axis."""
    dense_offsets: bool = False
    """A dense first convolution instead of a depthwise one: 22 M parameters a block instead of 0.09 M at C = 64."""
    offset_range: PositiveFloat | Literal["volume"] = 1.0
    """Largest offset, in cells of the reference grid; ``volume``: half the clip's extent on each axis."""

    # Windows (Algorithms A1 and A2).
    window_joints: PositiveInt = 4
    """Joints a window of joint stride attention; the stride is half of it."""
    window_frames: PositiveInt = 4
    """Frames a window of temporal stride attention."""
    stride_frames: PositiveInt | None = None
    """Frames between the starts of two windows of temporal stride attention; None: half the window."""
    window_keys: Literal["shifted", "own"] = "shifted"
    """The keys and values of a window: those of the next one (of the first one for the last), or its own."""

    # Training.
    pre_norm: bool = True
    """LayerNorm before each attention; false is the literal eq. 6."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """In the feed-forward networks and before the classifier."""
    drop_path: float = Field(0.0, ge=0, lt=1)
    """Chance that the last block's residual branches are skipped for a clip; grows linearly over the blocks."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.dim % self.head_count:
            raise ValueError(f"heads={self.head_count} must divide the {self.dim} channels of a token (4 x width)")
        if self.stride_frames and self.stride_frames > self.window_frames:
            raise ValueError(
                f"stride_frames={self.stride_frames} leaves frames out of every window; it may be at most "
                f"window_frames={self.window_frames}"
            )
        looked_at = (self.uses_rgb and self.deformable_attention) or (self.uses_pose and self.joint_attention)
        if self.modal_names and not looked_at and not self.temporal_attention:
            raise ValueError(
                f"with these attention modules off, no modal token of a {self.modality} network sees anything; "
                "turn one on, or set modal_tokens to none"
            )
        return self

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

    class_names: tuple[str, ...] = Field(min_length=1)
    """What the logits stand for, in their order."""
    layout: str = "coco17"
    """Name of the joint layout of its skeletons; see ``recognizer.skeletons``."""
    frames: PositiveInt = 12
    """T, the number of frames per clip in training. Other lengths work: what is learned per frame is interpolated."""
    preprocessing: dict[str, Any] = {}
    """How clips were sampled, cropped and given skeletons, for those who use the model elsewhere. Any JSON."""

    @field_validator("layout")
    @classmethod
    def _layout_exists(cls, name: str) -> str:
        return layout(name).name

    @field_validator("class_names")
    @classmethod
    def _classes_differ(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"class_names lists {twice!r} twice")
        return names

    @property
    def joints(self) -> int:
        """R, joints of one person."""
        return layout(self.layout).count
