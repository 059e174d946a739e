"""Multi-head attention and the feed-forward network, as all three attention modules use them."""

from collections.abc import Callable

from torch import Tensor, nn

from recognizer.kernels import dot_product_attention, fast_products


class Attention(nn.Module):
    """MSA(XWq, X~Wk, X~Wv) of eq. 6.

    The projections are separate from ``mix``: tokens are projected once, and overlapping windows are cut from the
    result.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x_BND: Tensor, y_BKD: Tensor) -> Tensor:
        """Attend from every token x to all tokens y. Return B,N,D."""
        return self.out(self.mix(self.query(x_BND), self.key(y_BKD), self.value(y_BKD)))

    def mix(self, q_BND: Tensor, k_BKD: Tensor, v_BKD: Tensor, key_mask_BK: Tensor | None = None) -> Tensor:
        """Scaled dot-product attention of projected tokens, B,N,D, before the output projection.

        key_mask: bool, the keys that may be attended to; see ``usable``.
        """
        mask = None if key_mask_BK is None else usable(key_mask_BK)[:, None, None, :]
        out_BEND = dot_product_attention(self._split(q_BND), self._split(k_BKD), self._split(v_BKD), mask)
        return out_BEND.transpose(1, 2).flatten(2)

    def _split(self, x_BND: Tensor) -> Tensor:
        """Separate the heads: B,E,N,D/E."""
        return x_BND.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def usable(key_mask_BK: Tensor) -> Tensor:
    """The keys that may be attended to; all of them where there would be none, so that the result stays finite. This
    leaks nothing: the token of a missing joint does not depend on its coordinates."""
    return key_mask_BK | ~key_mask_BK.any(dim=-1, keepdim=True)


class FeedForward(nn.Sequential):
    """FFN of eq. 7: two linear layers around a GELU."""

    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__(nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, dim))


class Residual(nn.Module):
    """The residual branches of all three attention modules: X + attend(norm(X)), then X + FFN(LN(X)) (eq. 6 and 7).

    norm: LayerNorm, or Identity for the literal eq. 6.
    drop_path: skips a branch for some clips in training.
    """

    def __init__(
        self, norm: nn.Module, feed_forward_norm: nn.Module, feed_forward: FeedForward, drop_path: nn.Module
    ) -> None:
        super().__init__()
        self.norm = norm
        self.feed_forward_norm = feed_forward_norm
        self.feed_forward = feed_forward
        self.drop_path = drop_path

    def forward(self, x: Tensor, attend: Callable[[Tensor], Tensor]) -> Tensor:
        """Return tokens like x, B,…,N,D; only the last of the N if ``attend`` returns only those."""
        with fast_products(x):
            attended = self.drop_path(attend(self.norm(x)))
            x = x[..., x.shape[-2] - attended.shape[-2] :, :] + attended
            return x + self.drop_path(self.feed_forward(self.feed_forward_norm(x)))
