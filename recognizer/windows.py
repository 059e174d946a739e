"""Attention in overlapping windows along one axis of the tokens: joints (Algorithm A1) or frames (Algorithm A2)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from recognizer.attention import Attention
from recognizer.kernels import pad_mask


class Windows(NamedTuple):
    """The S windows of an axis of A steps, A' steps each, for every clip."""

    steps_BSA: Tensor
    """The steps that ask."""
    key_steps_BSA: Tensor
    """The steps that answer."""
    real_BS: Tensor
    """Which windows there are (bool): a clip has fewer where steps are absent."""


def windows_of(there_BA: Tensor, window: int, stride: int, shifted: bool) -> Windows:
    """Cut the steps that are there into windows, as if there were no others.

    The last window is moved back so that it ends with the axis: nothing is lost. An axis no longer than the window has
    one window, which is all of it. Shifted, a window is answered by the next one, the last one by the first: so every
    step is a key somewhere.

    there: which steps of the axis a clip has (bool).
    """
    length = there_BA.shape[1]
    size = min(window, length)
    number_S = torch.arange(-(-(length - size) // stride) + 1, device=there_BA.device)
    last_B1 = (there_BA.sum(dim=1, keepdim=True) - size).clamp(min=0)
    final_B1 = -(-last_B1 // stride)
    # Absent steps come last, and so into a window only where it would not be full.
    order_BA = there_BA.logical_not().int().argsort(dim=1, stable=True)

    def steps(number_BS: Tensor) -> Tensor:
        start_BS = (number_BS * stride).minimum(last_B1)
        place_BSA = start_BS[..., None] + torch.arange(size, device=there_BA.device)
        return order_BA.gather(1, place_BSA.flatten(1)).view_as(place_BSA)

    answer_BS = (number_S + 1) % (final_B1 + 1) if shifted else number_S
    return Windows(steps(number_S), steps(answer_BS), number_S <= final_B1)


class WindowAttention(nn.Module):
    """Cuts an axis into windows, attends in each, and gives each token the mean over the windows that hold it.

    window, stride: in steps of the axis.
    shifted: the keys and values of a window are those of the next one ("window cross attention"), those of the last one
    are the first's; otherwise each window's are its own.
    """

    def __init__(self, attention: Attention, window: int, stride: int, shifted: bool) -> None:
        super().__init__()
        self.attention = attention
        self.window = window
        self.stride = stride
        self.shifted = shifted

    def forward(
        self,
        x_BAND: Tensor,
        extra_BXD: Tensor,
        key_mask_BAN: Tensor | None = None,
        there_BA: Tensor | None = None,
        asking: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the attention's output for x, B,A,N,D, and for extra, B,X,D.

        x: A steps of the axis that is cut, N tokens each. extra: tokens that stand in every window, as queries and as
        keys; their output is the mean over the windows with something to see.
        key_mask: which tokens of x may be keys (bool); None: all.
        there: the steps that are cut into windows (bool); None: all. The output for others is of no use.
        asking: how many of the N, counted from the last, are queries and get an output; None: all.
        """
        asking = x_BAND.shape[2] if asking is None else asking
        windows = self.cut(x_BAND, there_BA)
        attention = self.attention
        asking_BAND = x_BAND[:, :, x_BAND.shape[2] - asking :]
        q_BSND = _tokens(attention.query(asking_BAND), attention.query(extra_BXD), windows.steps_BSA)
        k_BSKD = _tokens(attention.key(x_BAND), attention.key(extra_BXD), windows.key_steps_BSA)
        v_BSKD = _tokens(attention.value(x_BAND), attention.value(extra_BXD), windows.key_steps_BSA)
        sees_BS, key_mask_BSK = windows.real_BS, None
        if key_mask_BAN is not None:
            own_mask_BSK = _taken(key_mask_BAN, windows.key_steps_BSA).flatten(2)
            sees_BS = sees_BS & own_mask_BSK.any(dim=2)
            key_mask_BSK = pad_mask(own_mask_BSK, 0, extra_BXD.shape[1])
        out_BSND = attention.mix(
            q_BSND.flatten(0, 1),
            k_BSKD.flatten(0, 1),
            v_BSKD.flatten(0, 1),
            None if key_mask_BSK is None else key_mask_BSK.flatten(0, 1),
        ).unflatten(0, q_BSND.shape[:2])

        own_BSND, shared_BSXD = out_BSND.tensor_split([q_BSND.shape[2] - extra_BXD.shape[1]], dim=2)
        x_BAND = merge(own_BSND.unflatten(2, (-1, asking)), windows, x_BAND.shape[1])
        share_BS11 = shares(sees_BS, windows.real_BS).to(out_BSND.dtype)[..., None, None]
        return attention.out(x_BAND), attention.out((shared_BSXD * share_BS11).sum(dim=1))

    def cut(self, x_BAND: Tensor, there_BA: Tensor | None) -> Windows:
        """The windows of these tokens."""
        if there_BA is None:
            there_BA = torch.ones(x_BAND.shape[:2], dtype=torch.bool, device=x_BAND.device)
        return windows_of(there_BA, self.window, self.stride, self.shifted)


def _taken(x_BAN: Tensor, steps_BSA: Tensor) -> Tensor:
    """The steps of each window, B,S,A',N,…"""
    return x_BAN.flatten(0, 1).index_select(0, _rows(steps_BSA, x_BAN.shape[1])).unflatten(0, steps_BSA.shape)


def _rows(steps_BSA: Tensor, length: int) -> Tensor:
    """Where the steps stand when all clips' axes are laid end to end."""
    clip_B = torch.arange(len(steps_BSA), device=steps_BSA.device)
    return (steps_BSA + length * clip_B[:, None, None]).flatten()


def _tokens(x_BAND: Tensor, extra_BXD: Tensor, steps_BSA: Tensor) -> Tensor:
    """The tokens of each window, followed by the extra ones: B,S,N',D."""
    windows_BSND = _taken(x_BAND, steps_BSA).flatten(2, 3)
    if not extra_BXD.shape[1]:
        return windows_BSND
    extra_BSXD = extra_BXD[:, None].expand(-1, windows_BSND.shape[1], -1, -1)
    return torch.cat([windows_BSND, extra_BSXD], dim=2)


def merge(windows_BSAND: Tensor, windows: Windows, length: int) -> Tensor:
    """Put windows back on their axis, B,A,N,D: each token is the mean over the windows that hold it."""
    clips = len(windows_BSAND)
    nowhere = clips * length
    rows = _rows(windows.steps_BSA, length)
    rows = torch.where(windows.real_BS[..., None].expand_as(windows.steps_BSA).flatten(), rows, nowhere)
    flat = windows_BSAND.flatten(0, 2)
    total = flat.new_zeros(nowhere + 1, *flat.shape[1:]).index_add(0, rows, flat)[:nowhere]
    held = flat.new_zeros(nowhere + 1).index_add(0, rows, flat.new_ones(len(rows)))[:nowhere]
    return (total / held.clamp(min=1)[:, None, None]).unflatten(0, (clips, length))


def shares(sees_BS: Tensor, real_BS: Tensor) -> Tensor:
    """Equal shares for the windows that see something; for all there are where none does."""
    sees_BS = torch.where(sees_BS.any(dim=1, keepdim=True), sees_BS, real_BS)
    return sees_BS / sees_BS.sum(dim=1, keepdim=True)
