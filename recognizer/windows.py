"""Attention in overlapping windows along one axis of the tokens: joints (Algorithm A1) or frames (Algorithm A2)."""

import torch
from torch import Tensor, nn

from recognizer.attention import Attention


def window_starts(length: int, window: int, stride: int) -> list[int]:
    """Where the windows of an axis begin. The last one is moved back so that it ends with the axis: nothing is lost.

    An axis no longer than the window has one window, which is all of it.
    """
    last = max(length - window, 0)
    return [*range(0, last, stride), last]


def answering(starts: list[int], shifted: bool) -> list[int]:
    """Where the windows begin that give each window its keys and values.

    Shifted, it is the next window, and the first one for the last: so every step is a key somewhere.
    """
    return [*starts[1:], starts[0]] if shifted else starts


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
        self, x_BAND: Tensor, extra_BED: Tensor, key_mask_BAN: Tensor | None = None, asking: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the attention's output for x, B,A,N,D, and for extra, B,E,D.

        x: A steps of the axis that is cut, N tokens each. extra: tokens that stand in every window, as queries and as
        keys; their output is the mean over the windows with something to see.
        key_mask: which tokens of x may be keys (bool); None: all.
        asking: how many of the N, counted from the last, are queries and get an output; None: all.
        """
        length, per_step = x_BAND.shape[1:3]
        asking = per_step if asking is None else asking
        window = min(self.window, length)
        starts = window_starts(length, window, self.stride)
        key_starts = answering(starts, self.shifted)
        steps_SA = _steps(starts, window, x_BAND.device)
        key_steps_SA = _steps(key_starts, window, x_BAND.device)

        attention = self.attention
        q_BSND = _cut(attention.query(x_BAND[:, :, per_step - asking :]), attention.query(extra_BED), steps_SA)
        k_BSKD = _cut(attention.key(x_BAND), attention.key(extra_BED), key_steps_SA)
        v_BSKD = _cut(attention.value(x_BAND), attention.value(extra_BED), key_steps_SA)
        key_mask_BSK = weight_BS11 = None
        if key_mask_BAN is not None:
            seen_BSN = _windows(key_mask_BAN, key_steps_SA).flatten(2)
            key_mask_BSK = torch.cat([seen_BSN, seen_BSN.new_ones(*seen_BSN.shape[:2], extra_BED.shape[1])], dim=2)
            weight_BS11 = _share(seen_BSN.any(dim=2)).to(x_BAND.dtype)[..., None, None]
        out_BSND = attention.mix(
            q_BSND.flatten(0, 1),
            k_BSKD.flatten(0, 1),
            v_BSKD.flatten(0, 1),
            None if key_mask_BSK is None else key_mask_BSK.flatten(0, 1),
        ).unflatten(0, q_BSND.shape[:2])

        own_BSND, shared_BSED = out_BSND.tensor_split([window * asking], dim=2)
        x_BAND = merge(own_BSND.unflatten(2, (window, asking)), steps_SA, length)
        extra_BED = shared_BSED.mean(dim=1) if weight_BS11 is None else (shared_BSED * weight_BS11).sum(dim=1)
        return attention.out(x_BAND), attention.out(extra_BED)


def _steps(starts: list[int], window: int, device: torch.device) -> Tensor:
    """The steps each window holds, S,A'."""
    return torch.tensor(starts, device=device)[:, None] + torch.arange(window, device=device)


def _windows(x_BAN: Tensor, steps_SA: Tensor) -> Tensor:
    """The windows of an axis, B,S,A',N,…"""
    return x_BAN.index_select(1, steps_SA.flatten()).unflatten(1, steps_SA.shape)


def _cut(x_BAND: Tensor, extra_BED: Tensor, steps_SA: Tensor) -> Tensor:
    """The windows of x, each followed by the extra tokens: B,S,N',D."""
    windows_BSND = _windows(x_BAND, steps_SA).flatten(2, 3)
    if not extra_BED.shape[1]:
        return windows_BSND
    extra_BSED = extra_BED[:, None].expand(-1, windows_BSND.shape[1], -1, -1)
    return torch.cat([windows_BSND, extra_BSED], dim=2)


def merge(windows_BSAND: Tensor, steps_SA: Tensor, length: int) -> Tensor:
    """Put windows back on their axis, B,A,N,D: each token is the mean over the windows that hold it."""
    steps = steps_SA.flatten()
    flat = windows_BSAND.flatten(1, 2)
    total_BAND = flat.new_zeros(flat.shape[0], length, *flat.shape[2:]).index_add(1, steps, flat)
    held_A = flat.new_zeros(length).index_add(0, steps, flat.new_ones(len(steps)))
    return total_BAND / held_A[:, None, None]


def _share(seen_BS: Tensor) -> Tensor:
    """Equal shares for the windows that see something; for all windows where none does."""
    seen_BS = seen_BS | ~seen_BS.any(dim=1, keepdim=True)
    return seen_BS / seen_BS.sum(dim=1, keepdim=True)
