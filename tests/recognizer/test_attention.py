import math

import torch
from torch import Tensor, nn

from recognizer.attention import Attention, FeedForward, Residual


def attention_by_loops(attention: Attention, x: Tensor, y: Tensor, keys: Tensor | None = None) -> Tensor:
    """Multi-head softmax(QKᵀ/√d)V, query by query. ``keys``: bool B,K, which tokens of y may be attended to."""
    q, k, v = attention.query(x), attention.key(y), attention.value(y)
    size = q.shape[-1] // attention.heads
    out = torch.zeros_like(q)
    for b in range(x.shape[0]):
        for e in range(attention.heads):
            part = slice(e * size, (e + 1) * size)
            for n in range(x.shape[1]):
                scores = [float(q[b, n, part] @ k[b, i, part]) / math.sqrt(size) for i in range(y.shape[1])]
                weights = [math.exp(s) if keys is None or bool(keys[b, i]) else 0.0 for i, s in enumerate(scores)]
                for i, weight in enumerate(weights):
                    out[b, n, part] += weight / sum(weights) * v[b, i, part]
    return attention.out(out)


def test_equation_6() -> None:
    torch.manual_seed(0)
    attention = Attention(8, 2).double()
    x, y = torch.randn(2, 5, 8).double(), torch.randn(2, 4, 8).double()
    with torch.no_grad():
        torch.testing.assert_close(attention(x, y), attention_by_loops(attention, x, y))


def test_masked_keys() -> None:
    torch.manual_seed(0)
    attention = Attention(8, 2).double()
    x, y = torch.randn(2, 5, 8).double(), torch.randn(2, 4, 8).double()
    keys = torch.tensor([[True, False, True, True], [False, False, True, False]])
    with torch.no_grad():
        mixed = attention.mix(attention.query(x), attention.key(y), attention.value(y), keys)
        torch.testing.assert_close(attention.out(mixed), attention_by_loops(attention, x, y, keys))


def test_no_key_at_all_stays_finite() -> None:
    attention = Attention(8, 2)
    x = torch.randn(1, 3, 8, requires_grad=True)
    out = attention.mix(x, x, x, torch.zeros(1, 3, dtype=torch.bool))
    out.sum().backward()
    assert out.isfinite().all() and x.grad is not None and x.grad.isfinite().all()


def test_equations_6_and_7_with_and_without_norm() -> None:
    torch.manual_seed(0)
    feed_forward = FeedForward(8, 16, dropout=0.0)
    x, norm = torch.randn(2, 5, 8), nn.LayerNorm(8)
    literal = Residual(nn.Identity(), norm, feed_forward, nn.Identity())
    after = x + 3 * x
    torch.testing.assert_close(literal(x, lambda t: 3 * t), after + feed_forward(norm(after)))
    before = Residual(norm, norm, feed_forward, nn.Identity())
    after = x + 3 * norm(x)
    torch.testing.assert_close(before(x, lambda t: 3 * t), after + feed_forward(norm(after)))


def test_many_tokens_give_the_same_with_and_without_gradients() -> None:
    torch.manual_seed(0)
    attention, feed_forward = Attention(32, 2), FeedForward(32, 64, dropout=0.0)
    residual = Residual(nn.LayerNorm(32), nn.LayerNorm(32), feed_forward, nn.Identity())
    x = torch.randn(2, 900, 32)
    expected = residual(x, lambda t: attention(t, t))
    with torch.inference_mode():
        torch.testing.assert_close(residual(x, lambda t: attention(t, t)), expected, rtol=1e-4, atol=1e-5)
