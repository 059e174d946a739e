"""Attention in overlapping windows along one axis of the tokens: joints (Algorithm A1) or frames (Algorithm A2)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from recognizer.attention import Attention
from recognizer.kernels import add_rows, pad_mask


class Windows(NamedTuple):
    """The S windows of each clip's axis of A steps (joints or frames), A' steps per window."""

    steps_BSA: Tensor
    """int64: the steps whose tokens are queries."""
    key_steps_BSA: Tensor
    """int64: the steps whose tokens are keys and values."""
    valid_BS: Tensor
    """Bool: which windows count. Clips with fewer valid steps have fewer windows."""


def windows_of(valid_BA: Tensor, window: int, stride: int, shifted: bool) -> Windows:
    """Cut the valid steps into windows, as if there were no others.

    The last window is moved back to end with the axis, so that no step is left out. An axis no longer than the window
    is one window.

    valid: bool, the steps that a clip has.
    shifted: a window's keys are the steps of the next window, the last window's those of the first, so that every step
    is a key somewhere; otherwise they are its own steps.
    """
    length = valid_BA.shape[1]
    size = window if window <= length else length  # a comparison, unlike min, leaves an exporter a plain number
    number_S = torch.arange((length - size + stride - 1) // stride + 1, device=valid_BA.device)
    last_start_B1 = (valid_BA.sum(dim=1, keepdim=True) - size).clamp(min=0)
    last_number_B1 = -(-last_start_B1 // stride)
    # Invalid steps come last, so that they only fill a window for which there are too few valid ones.
    first_A, last_A = torch.arange(2 * length, device=valid_BA.device).unflatten(0, (2, length))
    order_BA = torch.where(valid_BA, first_A, last_A).argsort(dim=1)

    def steps(number_BS: Tensor) -> Tensor:
        start_BS = (number_BS * stride).minimum(last_start_B1)
        position_BSA = start_BS[..., None] + torch.arange(size, device=valid_BA.device)
        return order_BA[:, None].expand(-1, position_BSA.shape[1], -1).gather(2, position_BSA)

    key_number_BS = (number_S + 1) % (last_number_B1 + 1) if shifted else number_S
    return Windows(steps(number_S), steps(key_number_BS), number_S <= last_number_B1)


class WindowAttention(nn.Module):
    """Cuts an axis into windows, attends in each, and gives each token the mean over the windows that contain it.

    window, stride: in steps of the axis.
    shifted: the keys and values of a window are the tokens of the next one, those of the last window the tokens of the
    first ("window cross attention"); otherwise each window's own tokens.
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
        valid_BA: Tensor | None = None,
        num_queries: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the attention's output for x, B,A,N,D, and for extra, B,X,D.

        x: N tokens for each of the A steps of the axis that is cut.
        extra: tokens that are in every window, as queries and as keys. Their output is the mean over the windows in
        which any token of x may be a key.
        key_mask: bool, the tokens of x that may be keys; None: all.
        valid: bool, the steps that are cut into windows; None: all. The output for other steps has no meaning.
        num_queries: how many of the N, counted from the last, are queries and get an output; None: all.
        """
        num_queries = x_BAND.shape[2] if num_queries is None else num_queries
        windows = self.cut(x_BAND, valid_BA)
        attention = self.attention
        queries_BAND = x_BAND[:, :, x_BAND.shape[2] - num_queries :]
        q_BSND = _tokens(attention.query(queries_BAND), attention.query(extra_BXD), windows.steps_BSA)
        k_BSKD = _tokens(attention.key(x_BAND), attention.key(extra_BXD), windows.key_steps_BSA)
        v_BSKD = _tokens(attention.value(x_BAND), attention.value(extra_BXD), windows.key_steps_BSA)
        has_keys_BS, key_mask_BSK = windows.valid_BS, None
        if key_mask_BAN is not None:
            own_mask_BSK = _select(key_mask_BAN, windows.key_steps_BSA).flatten(2)
            has_keys_BS = has_keys_BS & own_mask_BSK.any(dim=2)
            key_mask_BSK = pad_mask(own_mask_BSK, 0, extra_BXD.shape[1])
        out_BSND = attention.mix(
            q_BSND.flatten(0, 1),
            k_BSKD.flatten(0, 1),
            v_BSKD.flatten(0, 1),
            None if key_mask_BSK is None else key_mask_BSK.flatten(0, 1),
        ).unflatten(0, q_BSND.shape[:2])

        own = q_BSND.shape[2] - extra_BXD.shape[1]
        own_BSND, shared_BSXD = out_BSND[:, :, :own], out_BSND[:, :, own:]
        x_BAND = merge(own_BSND.unflatten(2, (-1, num_queries)), windows, x_BAND.shape[1])
        share_BS11 = shares(has_keys_BS, windows.valid_BS).to(out_BSND.dtype)[..., None, None]
        return attention.out(x_BAND), attention.out((shared_BSXD * share_BS11).sum(dim=1))

    def cut(self, x_BAND: Tensor, valid_BA: Tensor | None) -> Windows:
        """The windows of these tokens."""
        if valid_BA is None:
            valid_BA = torch.ones(x_BAND.shape[:2], dtype=torch.bool, device=x_BAND.device)
        return windows_of(valid_BA, self.window, self.stride, self.shifted)


def _select(x_BAN: Tensor, steps_BSA: Tensor) -> Tensor:
    """The tokens of each window's steps, B,S,A',N,…"""
    chosen = x_BAN.flatten(0, 1).index_select(0, _rows(steps_BSA, x_BAN.shape[1]))
    # In two steps, whose remainders an exporter can prove to be 0 for any number of frames.
    return chosen.unflatten(0, (-1, steps_BSA.shape[2])).unflatten(0, steps_BSA.shape[:2])


def _rows(steps_BSA: Tensor, length: int) -> Tensor:
    """The steps' indices when the axes of all clips are laid end to end."""
    clips = steps_BSA.shape[0]
    row_BA = torch.arange(clips * length, device=steps_BSA.device).unflatten(0, (clips, length))
    return (steps_BSA + row_BA[:, None, :1]).flatten()


def _tokens(x_BAND: Tensor, extra_BXD: Tensor, steps_BSA: Tensor) -> Tensor:
    """The tokens of each window, followed by the extra ones: B,S,N',D."""
    windows_BSND = _select(x_BAND, steps_BSA).flatten(2, 3)
    if not extra_BXD.shape[1]:
        return windows_BSND
    extra_BSXD = extra_BXD[:, None].expand(-1, windows_BSND.shape[1], -1, -1)
    return torch.cat([windows_BSND, extra_BSXD], dim=2)


def merge(windows_BSAND: Tensor, windows: Windows, length: int) -> Tensor:
    """Put windows back on their axis, B,A,N,D: each token is the mean over the windows that contain it."""
    clips = windows_BSAND.shape[0]
    nowhere = clips * length  # a row for the tokens of invalid windows
    rows = _rows(windows.steps_BSA, length)
    rows = torch.where(windows.valid_BS[..., None].expand_as(windows.steps_BSA).flatten(), rows, nowhere)
    flat = windows_BSAND.flatten(0, 2)
    total = add_rows(nowhere + 1, rows, flat)[:nowhere]
    count = add_rows(nowhere + 1, rows, flat.new_ones(rows.shape[0]))[:nowhere]
    return (total / count.clamp(min=1)[:, None, None]).unflatten(0, (clips, length))


def shares(has_keys_BS: Tensor, valid_BS: Tensor) -> Tensor:
    """Equal shares for the windows with keys; for all valid windows where none has any."""
    counted_BS = has_keys_BS | (valid_BS & ~has_keys_BS.any(dim=1, keepdim=True))
    return counted_BS / counted_BS.sum(dim=1, keepdim=True)
