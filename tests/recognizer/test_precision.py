import pytest
import torch
from torch.nn import functional as F

from recognizer.backbone import MC3
from recognizer.precision import differentiable_on_cpus

convolve = differentiable_on_cpus(F.conv2d)


def test_convolutions_are_in_bfloat16_where_nobody_asks_for_gradients() -> None:
    x, weight = torch.randn(1, 2, 4, 4), torch.randn(3, 2, 3, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert convolve(x, weight).dtype == torch.float32
        with torch.no_grad():
            assert convolve(x, weight).dtype == torch.bfloat16
        with torch.inference_mode():
            assert convolve(x, weight).dtype == torch.bfloat16
    with torch.no_grad():
        assert convolve(x, weight).dtype == torch.float32


@pytest.mark.parametrize("frames", [1, 2, 3, 12])
@pytest.mark.parametrize("stem_stride", [2, 4])
def test_a_backbone_in_bfloat16_finds_nearly_the_same(frames: int, stem_stride: int) -> None:
    torch.manual_seed(0)
    backbone = MC3(16, stem_stride).eval()
    clips = torch.randn(2, 3, frames, 40, 56)
    with torch.inference_mode():
        exact = backbone(clips)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = backbone(clips)
    for features, nearly in zip(exact, mixed, strict=True):
        assert nearly.dtype == torch.bfloat16
        assert (nearly - features).norm() < 0.02 * features.norm()
