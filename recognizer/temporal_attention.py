"""Temporal stride attention (Algorithm A2): windows of frames, each with all tokens of its frames."""

from torch import Tensor, nn

from recognizer.attention import Residual
from recognizer.windows import WindowAttention


class TemporalAttention(nn.Module):
    """Attention among all tokens of a few neighboring frames."""

    def __init__(self, windows: WindowAttention, residual: Residual) -> None:
        super().__init__()
        self.windows = windows
        self.residual = residual

    def forward(self, n_BTND: Tensor, key_mask_BTN: Tensor | None, num_queries: int | None = None) -> Tensor:
        """Return the tokens N = [Z‖P‖modal tokens], B,T,N,D.

        key_mask: bool, the tokens that may be keys; None: all.
        num_queries: how many of the N, counted from the last, are queries and returned; None: all.
        """
        no_extra_BXD = n_BTND.new_empty(n_BTND.shape[0], 0, n_BTND.shape[-1])

        def attend(x_BTND: Tensor) -> Tensor:
            return self.windows(x_BTND, no_extra_BXD, key_mask_BTN, num_queries=num_queries)[0]

        return self.residual(n_BTND, attend)
