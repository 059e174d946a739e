from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from recognizer.token_search import TokenSearch, reference_points, sample


def sampled_by_loops(z: Tensor, points: Tensor) -> Tensor:
    """Algorithm A3: the sum of g(px, rx) g(py, ry) g(pt, rt) Z[rt, ry, rx] with g(a, b) = max(0, 1 - |a - b|)."""
    out = torch.zeros(*points.shape[:-1], z.shape[-1], dtype=torch.float64)
    size = z.shape[3], z.shape[2], z.shape[1]
    for index in product(*map(range, points.shape[:-1])):
        # From -1 … 1 over the whole extent to indices of tokens, limited to the clip.
        p = [min(max((float(c) + 1) / 2 * n - 0.5, 0), n - 1) for c, n in zip(points[index], size, strict=True)]
        for rt, ry, rx in product(*map(range, z.shape[1:4])):
            weight = 1.0
            for a, b in zip(p, (rx, ry, rt), strict=True):
                weight *= max(0.0, 1 - abs(a - b))
            out[index] += weight * z[index[0], rt, ry, rx]
    return out


def searching(kernel: int, offset_range: float | None = 1.0, dense: bool = False, dim: int = 4) -> TokenSearch:
    """A token search in float64 with nonzero offsets."""
    torch.manual_seed(0)
    search = TokenSearch(dim, kernel, dense, offset_range).double()
    torch.nn.init.normal_(search.offset.weight, std=0.5)
    return search


def test_sampling_is_trilinear() -> None:
    torch.manual_seed(0)
    z = torch.randn(2, 3, 4, 5, 2, dtype=torch.float64)
    points = torch.rand(2, 2, 3, 2, 3, dtype=torch.float64) * 3 - 1.5
    torch.testing.assert_close(sample(z, points), sampled_by_loops(z, points))


def test_grid_points_reproduce_the_tokens() -> None:
    z = torch.randn(2, 3, 4, 5, 2, dtype=torch.float64)
    points = reference_points(3, 4, 5, dtype=torch.float64).expand(2, -1, -1, -1, -1)
    torch.testing.assert_close(sample(z, points), z)
    torch.testing.assert_close(TokenSearch(2, 1, False, 1.0).double()(z), z)


@pytest.mark.parametrize("dense", [False, True])
def test_offsets_by_loops(dense: bool) -> None:
    search = searching(kernel=3, dense=dense)
    z = torch.randn(1, 4, 5, 4, 4, dtype=torch.float64)
    points = search.points(z)
    assert points.shape == (1, 2, 3, 2, 3)
    with torch.no_grad():
        for t, y, x in product(range(2), range(3), range(2)):
            hidden = search.conv.bias.clone()
            for dt, dy, dx in product(range(3), repeat=3):
                token, tap = z[0, t + dt, y + dy, x + dx], search.conv.weight[:, :, dt, dy, dx]
                hidden += tap @ token if dense else tap[:, 0] * token
            offset = torch.tanh(search.offset.weight @ F.gelu(F.layer_norm(hidden, (4,))))
            cell = torch.tensor([2 / 2, 2 / 3, 2 / 2])
            center = torch.tensor([(2 * x + 1) / 2 - 1, (2 * y + 1) / 3 - 1, (2 * t + 1) / 2 - 1])
            torch.testing.assert_close(points[0, t, y, x], center + offset * cell)


@pytest.mark.parametrize(
    "frames,height,width,found", [(12, 28, 28, (6, 22, 22)), (1, 8, 8, (1, 2, 2)), (4, 3, 9, (1, 1, 3))]
)
def test_how_many_tokens_are_found(frames: int, height: int, width: int, found: tuple[int, int, int]) -> None:
    tokens = TokenSearch(4, 7, False, 1.0)(torch.randn(2, frames, height, width, 4))
    assert tokens.shape == (2, *found, 4)


@pytest.mark.parametrize("offset_range,reach", [(1.0, 1.0), (0.25, 0.25), (None, 6 / 2)])
def test_offsets_are_bounded(offset_range: float | None, reach: float) -> None:
    search = searching(3, offset_range)
    torch.nn.init.normal_(search.offset.weight, std=100)
    z = torch.randn(2, 8, 8, 8, 4, dtype=torch.float64)
    cells = (search.points(z) - reference_points(6, 6, 6, dtype=torch.float64)).abs() * 6 / 2
    assert cells.max() <= reach + 1e-9
    assert cells.max() > 0.99 * reach


def test_gradient_reaches_the_offsets() -> None:
    z = torch.randn(1, 5, 5, 5, 2, dtype=torch.float64, requires_grad=True)
    search = searching(3, dim=2)
    assert torch.autograd.gradcheck(search, (z,), eps=1e-7, atol=1e-4)
    search(z).square().sum().backward()
    assert search.conv.weight.grad is not None and search.conv.weight.grad.abs().sum() > 0
