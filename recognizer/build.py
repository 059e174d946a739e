"""Builds the parts of a recognizer, with fresh weights: the one place that turns a configuration into sizes."""

from torch import nn

from recognizer.attention import Attention, FeedForward, Residual
from recognizer.backbone import MC3
from recognizer.block import Block
from recognizer.config import RecognizerConfig
from recognizer.deformable_attention import DeformableAttention
from recognizer.drop_path import DropPath
from recognizer.head import Head
from recognizer.joint_attention import JointAttention
from recognizer.joint_embeddings import FourierCoordinates, JointIdentity, JointMotion, JointPosture
from recognizer.joint_tokens import JointTokens
from recognizer.modal_tokens import ModalTokens
from recognizer.position import GridPosition
from recognizer.temporal_attention import TemporalAttention
from recognizer.token_search import TokenSearch
from recognizer.windows import WindowAttention


def build_backbone(config: RecognizerConfig) -> MC3 | None:
    """The backbone; None in a network for pose alone."""
    return MC3(config.width, config.stem_stride) if config.uses_rgb else None


def build_position(config: RecognizerConfig) -> GridPosition | None:
    """The position embedding of the RGB tokens; None in a network for pose alone."""
    return GridPosition(config.frames, -(-config.size // 8), config.dim) if config.uses_rgb else None


def build_joint_tokens(config: RecognizerConfig) -> JointTokens | None:
    """The module that makes pose tokens; None in a network for RGB alone."""
    if not config.uses_pose:
        return None
    return JointTokens(
        config.width,
        config.dim,
        config.sigma,
        FourierCoordinates(config.dim) if config.joint_coordinates else None,
        JointMotion(config.dim) if config.joint_motion else None,
        JointPosture(config.dim) if config.joint_posture else None,
        JointIdentity(config.frames, config.joints, config.dim) if config.joint_identity else None,
    )


def build_modal_tokens(config: RecognizerConfig) -> ModalTokens | None:
    """The modal tokens; None in a network without any (Table 5)."""
    return ModalTokens(config.modal_names, config.frames, config.dim) if config.modal_names else None


def build_blocks(config: RecognizerConfig) -> nn.ModuleList:
    """All transformer blocks, first to last."""
    return nn.ModuleList(_block(config, depth) for depth in range(config.blocks))


def build_head(config: RecognizerConfig) -> Head:
    """The classifier."""
    parts = len(config.modal_names) or config.uses_rgb + config.uses_pose
    head = Head(nn.LayerNorm(config.dim), config.dropout, nn.Linear(parts * config.dim, len(config.class_names)))
    # Small logits at first, so that the loss starts at that of a uniform guess.
    nn.init.trunc_normal_(head.classifier.weight, std=0.02)
    nn.init.zeros_(head.classifier.bias)
    return head


def _block(config: RecognizerConfig, depth: int) -> Block:
    """The block at ``depth``, counted from 0."""
    drop_path = config.drop_path * (depth / (config.blocks - 1) if config.blocks > 1 else 1)
    offset_range = None if config.offset_range == "volume" else config.offset_range
    shifted = config.window_keys == "shifted"
    deformable = joint = fusion = temporal = None
    if config.uses_rgb and config.deformable_attention:
        search = TokenSearch(config.dim, config.search_kernel, config.dense_offsets, offset_range)
        deformable = DeformableAttention(search, _attention(config), _residual(config, drop_path))
    if config.uses_pose and config.joint_attention:
        stride = max(config.window_joints // 2, 1)
        windows = WindowAttention(_attention(config), config.window_joints, stride, shifted)
        joint = JointAttention(windows, _residual(config, drop_path))
    if deformable and joint and config.modal_names:
        fusion = nn.Linear(2 * config.dim, config.dim)
        # Initially the mean of both, so that CLS passes the block like every other token.
        nn.init.zeros_(fusion.bias)
        eye = nn.init.eye_(nn.Parameter(fusion.weight.new_empty(config.dim, config.dim), requires_grad=False))
        fusion.weight.data.copy_(eye.repeat(1, 2) / 2)
    if config.temporal_attention:
        stride = config.stride_frames or max(config.window_frames // 2, 1)
        windows = WindowAttention(_attention(config), config.window_frames, stride, shifted)
        temporal = TemporalAttention(windows, _residual(config, drop_path))
    return Block(deformable, joint, fusion, temporal, last=depth == config.blocks - 1)


def _attention(config: RecognizerConfig) -> Attention:
    attention = Attention(config.dim, config.head_count)
    _xavier(attention)
    return attention


def _residual(config: RecognizerConfig, drop_path: float) -> Residual:
    feed_forward = FeedForward(config.dim, config.expansion * config.dim, config.dropout)
    _xavier(feed_forward)
    norm = nn.LayerNorm(config.dim) if config.pre_norm else nn.Identity()
    return Residual(norm, nn.LayerNorm(config.dim), feed_forward, DropPath(drop_path))


def _xavier(module: nn.Module) -> None:
    """Initialize linear layers so that they keep the variance of their inputs at any width."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
