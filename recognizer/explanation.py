"""What a recognizer attends to: its attention weights for given clips, computed a second time (Fig. 5 and 6).

``scaled_dot_product_attention`` returns no weights. So the inputs of the attention modules are recorded while clips
pass through the network, and the softmax is computed again from the modules' own projections.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recognizer.attention import Attention, usable
from recognizer.block import Block
from recognizer.deformable_attention import DeformableAttention
from recognizer.joint_attention import JointAttention
from recognizer.model import Recognizer
from recognizer.windows import WindowAttention, shares

QUERIES = 512
"""Queries whose weights are in memory at once where only their sum over queries is kept."""


class SampledPoints(NamedTuple):
    """The K points at which one block's 3D deformable attention samples each clip, and the attention that each gets."""

    points_BK3: Tensor
    """x and y relative to the frame, which the tokens' cells cover, and t in frames, 0 for the first. Points beyond the
    clip are moved to its edge, which is where they sample."""
    from_modal_BK: Tensor
    """Attention from the modal tokens, which alone carry a block's result to the head: the mean over heads, frames and
    tokens (CLS, RGB). The rest, up to a sum of 1, goes to the modal tokens themselves. The same as ``from_all`` in a
    network without modal tokens."""
    from_all_BK: Tensor
    """The mean over all queries, including RGB tokens."""


class JointWeights(NamedTuple):
    """The attention that each joint of each frame gets in the local joint stride attention of one block."""

    from_modal_BTJ: Tensor
    """From the modal tokens (CLS, pose), as ``SampledPoints.from_modal_BK``, with windows merged as in the network."""
    even_BTJ: Tensor
    """What ``from_modal_BTJ`` would be if each query attended to all keys of its window equally. This differs between
    joints: windows overlap, and joints at the ends of the axis are in fewer of them."""
    from_all_BTJ: Tensor
    """The mean over modal tokens and present joints."""


class BlockExplanation(NamedTuple):
    """One block; None where it lacks the module."""

    sampled: SampledPoints | None
    joints: JointWeights | None


class Explanation(NamedTuple):
    """The network's logits for a batch of clips, and what it attends to, block by block."""

    logits: Tensor
    """B,classes."""
    blocks: tuple[BlockExplanation, ...]


@torch.no_grad()
def explain(recognizer: Recognizer, frames: Tensor | None, keypoints: Tensor | None) -> Explanation:
    """Pass clips through a recognizer in evaluation mode; arguments and errors are those of its ``forward``."""
    blocks = [block for block in recognizer.blocks if isinstance(block, Block)]
    modules: list[nn.Module] = []
    for block in blocks:
        modules += [block.deformable.search, block.deformable.attention] if block.deformable else []
        modules += [block.joint.windows] if block.joint else []
    with _inputs_of(modules) as inputs:
        logits = recognizer(frames, keypoints)
    explained = tuple(
        BlockExplanation(
            _sampled(block.deformable, inputs) if block.deformable else None,
            _joints(block.joint, inputs) if block.joint else None,
        )
        for block in blocks
    )
    return Explanation(logits, explained)


@contextmanager
def _inputs_of(modules: Sequence[nn.Module]) -> Iterator[dict[nn.Module, tuple[Any, ...]]]:
    """A dictionary that records the arguments with which each module is called inside the block."""
    inputs: dict[nn.Module, tuple[Any, ...]] = {}
    handles = [module.register_forward_pre_hook(inputs.__setitem__) for module in modules]
    try:
        yield inputs
    finally:
        for handle in handles:
            handle.remove()


def _sampled(module: DeformableAttention, inputs: dict[nn.Module, tuple[Any, ...]]) -> SampledPoints:
    (z_BTHWD,) = inputs[module.search]
    x_BND, y_BKD = inputs[module.attention]
    points_BK3 = module.search.points(z_BTHWD).flatten(1, 3)
    count = points_BK3.shape[1]
    frames, height, width = z_BTHWD.shape[1:4]
    size_3 = points_BK3.new_tensor([width, height, frames])
    # From -1 and 1 at the edges of the clip to indices of tokens, limited to those that exist.
    token_BK3 = ((points_BK3 + 1) * size_3 / 2 - 0.5).clamp(min=0).minimum(size_3 - 1)
    x_BK, y_BK, t_BK = token_BK3.unbind(dim=-1)
    points_BK3 = torch.stack([(x_BK + 0.5) / width, (y_BK + 0.5) / height, t_BK], dim=-1)

    total_BK = y_BKD.new_zeros(y_BKD.shape[:2])
    for some_BND in x_BND.split(QUERIES, dim=1):
        total_BK += attention_weights(module.attention, some_BND, y_BKD).mean(dim=1).sum(dim=1)
    from_all_BK = total_BK[:, :count] / x_BND.shape[1]
    modal = y_BKD.shape[1] - count
    if modal == 0:
        return SampledPoints(points_BK3, from_all_BK, from_all_BK)
    from_modal_BK = attention_weights(module.attention, x_BND[:, -modal:], y_BKD).mean(dim=(1, 2))[:, :count]
    return SampledPoints(points_BK3, from_modal_BK, from_all_BK)


def _joints(module: JointAttention, inputs: dict[nn.Module, tuple[Any, ...]]) -> JointWeights:
    p_BJTD, m_BND, present_BJT, valid_BJ = inputs[module.windows]
    count, grid = present_BJT[0].numel(), present_BJT.shape[1:]
    modal_BN = present_BJT.new_zeros(len(p_BJTD), count + m_BND.shape[1])
    modal_BN[:, count:] = True
    all_BN = modal_BN.clone()
    all_BN[:, :count] = present_BJT.flatten(1)
    queries_BN = modal_BN if m_BND.shape[1] else all_BN

    def received(weights_BENK: Tensor, queries_BN: Tensor) -> Tensor:
        """The mean over heads and the given queries (bool), for each joint of each frame: B,T,J."""
        share_BN = queries_BN / queries_BN.sum(dim=1, keepdim=True).clamp(min=1)
        received_BK = torch.einsum("bnk,bn->bk", weights_BENK.mean(dim=1), share_BN.to(weights_BENK.dtype))
        return received_BK[:, :count].unflatten(1, grid).mT

    weights_BENK = window_weights(module.windows, p_BJTD, m_BND, present_BJT, valid_BJ)
    even_BENK = window_weights(module.windows, p_BJTD, m_BND, present_BJT, valid_BJ, even_weights)
    return JointWeights(
        received(weights_BENK, queries_BN), received(even_BENK, queries_BN), received(weights_BENK, all_BN)
    )


def attention_weights(attention: Attention, x_BND: Tensor, y_BKD: Tensor, key_mask_BK: Tensor | None = None) -> Tensor:
    """softmax(QKᵀ/√d) of eq. 6, B,E,N,K: the attention from each token x to each token y.

    key_mask: as in ``Attention.mix``.
    """
    q_BEND, k_BEKD = (
        tokens.unflatten(-1, (attention.heads, -1)).transpose(1, 2)
        for tokens in (attention.query(x_BND), attention.key(y_BKD))
    )
    scores_BENK = q_BEND @ k_BEKD.mT / math.sqrt(q_BEND.shape[-1])
    if key_mask_BK is not None:
        scores_BENK = scores_BENK.masked_fill(~usable(key_mask_BK)[:, None, None], -torch.inf)
    return scores_BENK.softmax(dim=-1)


def even_weights(attention: Attention, x_BND: Tensor, y_BKD: Tensor, key_mask_BK: Tensor) -> Tensor:
    """What ``attention_weights`` would be if all scores were equal."""
    allowed_BK = usable(key_mask_BK).to(x_BND.dtype)
    share_BK = allowed_BK / allowed_BK.sum(dim=-1, keepdim=True)
    return share_BK[:, None, None].expand(-1, attention.heads, x_BND.shape[1], -1)


def window_weights(
    windows: WindowAttention,
    x_BAND: Tensor,
    extra_BXD: Tensor,
    key_mask_BAN: Tensor | None = None,
    valid_BA: Tensor | None = None,
    weigh: Callable[[Attention, Tensor, Tensor, Tensor], Tensor] = attention_weights,
) -> Tensor:
    """Attention in windows as one attention over all tokens, the A·N of the axis and then the X extra ones.

    Return B,E,N',N' with N' = A·N + X. Each row is the mean over the windows in which the token is a query, as
    ``WindowAttention`` merges them. Keys that a window does not contain have weight 0 in it.

    weigh: computes the weights within a window, such as ``attention_weights``.
    """
    clips, length, per_step = x_BAND.shape[:3]
    cut = windows.cut(x_BAND, valid_BA)
    tokens_BND = torch.cat([x_BAND.flatten(1, 2), extra_BXD], dim=1)
    extra_BX = torch.arange(length * per_step, tokens_BND.shape[1], device=x_BAND.device).expand(clips, -1)
    if key_mask_BAN is None:
        key_mask_BAN = x_BAND.new_ones(clips, length, per_step, dtype=torch.bool)
    key_mask_BN = F.pad(key_mask_BAN.flatten(1), (0, extra_BX.shape[1]), value=True)
    clip_B1 = torch.arange(clips, device=x_BAND.device)[:, None]

    def indices(steps_BA: Tensor) -> Tensor:
        """The indices of the steps' tokens and of the extra ones."""
        own_BAN = steps_BA[..., None] * per_step + torch.arange(per_step, device=x_BAND.device)
        return torch.cat([own_BAN.flatten(1), extra_BX], dim=1)

    queries = [indices(steps_BA) for steps_BA in cut.steps_BSA.unbind(dim=1)]
    keys = [indices(steps_BA) for steps_BA in cut.key_steps_BSA.unbind(dim=1)]
    own = length * per_step
    has_keys_BS = cut.valid_BS & torch.stack(
        [(key_mask_BN.gather(1, keys_BK) & (keys_BK < own)).any(dim=1) for keys_BK in keys], dim=1
    )
    part_BSN = x_BAND.new_zeros(clips, len(queries), tokens_BND.shape[1])
    for window, queries_BQ in enumerate(queries):
        part_BSN[:, window].scatter_(
            1, queries_BQ, cut.valid_BS[:, window, None].expand_as(queries_BQ).to(x_BAND.dtype)
        )
    part_BSN /= part_BSN.sum(dim=1, keepdim=True).clamp(min=1)
    part_BSN[..., own:] = shares(has_keys_BS, cut.valid_BS)[..., None]

    weights_BNKE = x_BAND.new_zeros(clips, tokens_BND.shape[1], tokens_BND.shape[1], windows.attention.heads)
    for window, (queries_BQ, keys_BK) in enumerate(zip(queries, keys, strict=True)):
        mask_BK = key_mask_BN.gather(1, keys_BK)
        found_BEQK = weigh(windows.attention, tokens_BND[clip_B1, queries_BQ], tokens_BND[clip_B1, keys_BK], mask_BK)
        found_BEQK = found_BEQK * part_BSN[:, window].gather(1, queries_BQ)[:, None, :, None]
        weights_BNKE[clip_B1[..., None], queries_BQ[:, :, None], keys_BK[:, None]] += found_BEQK.movedim(1, -1)
    return weights_BNKE.movedim(-1, 1)
