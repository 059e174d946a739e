import torch
from torch import nn

from recognizer.attention import Attention, FeedForward, Residual
from recognizer.temporal_attention import TemporalAttention
from recognizer.windows import WindowAttention


def test_algorithm_a2() -> None:
    """Windows of 4 of 7 frames (starts 0, 2, 3), each with all tokens of its frames. The keys of a window are those of
    the next one, of the last window those of the first."""
    torch.manual_seed(0)
    attention = Attention(8, 2)
    residual = Residual(nn.Identity(), nn.LayerNorm(8), FeedForward(8, 16, 0.0), nn.Identity())
    module = TemporalAttention(WindowAttention(attention, 4, 2, shifted=True), residual).double()
    n = torch.randn(2, 7, 5, 8).double()

    total, count = torch.zeros_like(n), torch.zeros(7).double()
    for start, key in ((0, 2), (2, 3), (3, 0)):
        own = n[:, start : start + 4].flatten(1, 2)
        total[:, start : start + 4] += (own + attention(own, n[:, key : key + 4].flatten(1, 2))).unflatten(1, (4, 5))
        count[start : start + 4] += 1
    mean = total / count[:, None, None]
    expected = mean + residual.feed_forward(residual.feed_forward_norm(mean))
    torch.testing.assert_close(module(n, None), expected)


def test_masked_tokens_do_not_reach_the_others() -> None:
    torch.manual_seed(0)
    residual = Residual(nn.LayerNorm(8), nn.LayerNorm(8), FeedForward(8, 16, 0.0), nn.Identity())
    module = TemporalAttention(WindowAttention(Attention(8, 2), 2, 1, shifted=True), residual)
    n = torch.randn(2, 4, 5, 8)
    mask = torch.ones(2, 4, 5, dtype=torch.bool)
    mask[:, :, 3] = False
    other = n.clone()
    other[:, :, 3] = 7
    keep = [0, 1, 2, 4]
    torch.testing.assert_close(module(other, mask)[:, :, keep], module(n, mask)[:, :, keep])


def test_a_few_queries_get_the_same_as_among_all() -> None:
    torch.manual_seed(0)
    residual = Residual(nn.LayerNorm(8), nn.LayerNorm(8), FeedForward(8, 16, 0.0), nn.Identity())
    module = TemporalAttention(WindowAttention(Attention(8, 2), 4, 2, shifted=True), residual)
    n, mask = torch.randn(2, 7, 5, 8), torch.rand(2, 7, 5) > 0.3
    torch.testing.assert_close(module(n, mask, num_queries=2), module(n, mask)[:, :, -2:])
