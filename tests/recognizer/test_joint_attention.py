import torch
from torch import nn

from recognizer.attention import Attention, FeedForward, Residual
from recognizer.joint_attention import JointAttention
from recognizer.windows import WindowAttention


def test_algorithm_a1() -> None:
    """Windows of 4 of 7 joints (starts 0, 2, 3), each with all frames and modal tokens. The keys of a window are those
    of the next one, of the last window those of the first."""
    torch.manual_seed(0)
    attention = Attention(8, 2)
    residual = Residual(nn.Identity(), nn.LayerNorm(8), FeedForward(8, 16, 0.0), nn.Identity())
    module = JointAttention(WindowAttention(attention, 4, 2, shifted=True), residual).double()
    p, m = torch.randn(2, 3, 7, 8).double(), torch.randn(2, 3, 2, 8).double()
    present = torch.rand(2, 3, 7) > 0.2

    p_sum, count, m_sum = torch.zeros_like(p), torch.zeros(7).double(), torch.zeros_like(m)
    for start, key in ((0, 2), (2, 3), (3, 0)):
        o = torch.cat([p[:, :, start : start + 4].flatten(1, 2), m.flatten(1, 2)], dim=1)
        o_keys = torch.cat([p[:, :, key : key + 4].flatten(1, 2), m.flatten(1, 2)], dim=1)
        mask = torch.cat([present[:, :, key : key + 4].flatten(1), torch.ones(2, 6, dtype=torch.bool)], dim=1)
        out = o + attention.out(attention.mix(attention.query(o), attention.key(o_keys), attention.value(o_keys), mask))
        p_sum[:, :, start : start + 4] += out[:, :12].unflatten(1, (3, 4))
        count[start : start + 4] += 1
        m_sum += out[:, 12:].unflatten(1, (3, 2))
    p_mean, m_mean = p_sum / count[:, None], m_sum / 3

    p_out, m_out = module(p, m, present[:, :, None])
    feed = residual.feed_forward
    torch.testing.assert_close(p_out, p_mean + feed(residual.feed_forward_norm(p_mean)))
    torch.testing.assert_close(m_out, m_mean + feed(residual.feed_forward_norm(m_mean)))


def test_absent_persons_are_left_out_of_windows() -> None:
    """Which of three persons are present decides the windows, and which keys the last window has."""
    torch.manual_seed(0)
    residual = Residual(nn.Identity(), nn.LayerNorm(8), FeedForward(8, 16, 0.0), nn.Identity())
    module = JointAttention(WindowAttention(Attention(8, 2), 4, 2, shifted=True), residual).double()
    p, m = torch.randn(2, 3, 3, 5, 8).double(), torch.randn(2, 3, 2, 8).double()
    present = torch.rand(2, 3, 3, 5) > 0.2
    present[0, :, 1] = present[1, :, 0] = present[1, :, 2] = False
    p_out, m_out = module(p.flatten(2, 3), m, present)
    for b, persons in enumerate(([0, 2], [1])):
        p_alone, m_alone = module(p[b : b + 1, :, persons].flatten(2, 3), m[b : b + 1], present[b : b + 1, :, persons])
        torch.testing.assert_close(p_out[b : b + 1].unflatten(2, (3, 5))[:, :, persons].flatten(2, 3), p_alone)
        torch.testing.assert_close(m_out[b : b + 1], m_alone)
