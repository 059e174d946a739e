import torch
from torch import nn

from recognizer.attention import Attention, FeedForward, Residual
from recognizer.deformable_attention import DeformableAttention
from recognizer.token_search import TokenSearch


def deformable(pre_norm: bool) -> DeformableAttention:
    torch.manual_seed(0)
    norm = nn.LayerNorm(8) if pre_norm else nn.Identity()
    residual = Residual(norm, nn.LayerNorm(8), FeedForward(8, 16, 0.0), nn.Identity())
    module = DeformableAttention(TokenSearch(8, 3, False, 1.0), Attention(8, 2), residual).double()
    nn.init.normal_(module.search.offset.weight)
    return module


def test_equations_3_to_7() -> None:
    module = deformable(pre_norm=False)
    z, m = torch.randn(2, 4, 5, 3, 8).double(), torch.randn(2, 4, 2, 8).double()
    found = module.search(z).flatten(1, 3)  # eq. 3
    x = torch.cat([z.flatten(1, 3), m.flatten(1, 2)], dim=1)  # eq. 4
    keys = torch.cat([found, m.flatten(1, 2)], dim=1)  # eq. 5
    x = x + module.attention(x, keys)  # eq. 6
    x = x + module.residual.feed_forward(module.residual.feed_forward_norm(x))  # eq. 7
    z_out, m_out = module(z, m)
    torch.testing.assert_close(z_out.flatten(1, 3), x[:, :60])
    torch.testing.assert_close(m_out.flatten(1, 2), x[:, 60:])


def test_scale_of_the_tokens_does_not_reach_the_attention_after_a_norm() -> None:
    module = deformable(pre_norm=True)
    z, m = torch.randn(1, 4, 5, 3, 8).double(), torch.randn(1, 4, 2, 8).double()
    module.residual.feed_forward = FeedForward(8, 16, 0.0).double()
    nn.init.zeros_(module.residual.feed_forward[3].weight)
    nn.init.zeros_(module.residual.feed_forward[3].bias)
    branch = module(z, m)[0] - z
    torch.testing.assert_close(module(100 * z, 100 * m)[0] - 100 * z, branch, rtol=1e-3, atol=1e-3)


def test_without_modal_tokens() -> None:
    z_out, m_out = deformable(pre_norm=True)(torch.randn(2, 4, 5, 3, 8).double(), torch.empty(2, 4, 0, 8).double())
    assert z_out.shape == (2, 4, 5, 3, 8) and m_out.shape == (2, 4, 0, 8)
