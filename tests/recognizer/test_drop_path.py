import pytest
import torch
from torchvision.ops import StochasticDepth

from recognizer.drop_path import DropPath


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5])
def test_it_is_the_same_as_that_of_torchvision(p: float, dtype: torch.dtype) -> None:
    results = []
    for module in (DropPath(p), StochasticDepth(p, mode="row")):
        x = torch.randn(64, 3, 5, generator=torch.Generator().manual_seed(0), dtype=dtype).requires_grad_()
        torch.manual_seed(1)
        y = module(x)
        y.sum().backward()
        results.append((y, x.grad, torch.rand(3), module.eval()(x)))
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)
    kept = results[0][0].ne(0).any(-1).any(-1)
    assert kept.all() if p == 0 else 0 < kept.sum() < 64


def test_a_batch_may_be_empty() -> None:
    assert DropPath(0.5)(torch.zeros(0, 3, 5)).shape == (0, 3, 5)
