import pytest
import torch
from torch.nn import functional as F

from recognizer.backbone import MC3
from recognizer.precision import conv3d, differentiable_on_cpus, onednn_keeps_float32, onednn_products

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


def test_products_of_onednn_are_those_of_float32_and_its_setting_does_not_last() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(800, 256), torch.randn(256, 300)
    before = torch.backends.mkldnn.matmul.fp32_precision  # type: ignore[attr-defined]
    with onednn_products():
        found = a @ b
    torch.testing.assert_close(found.double(), a.double() @ b.double(), rtol=1e-5, atol=1e-4)
    assert torch.backends.mkldnn.matmul.fp32_precision == before  # type: ignore[attr-defined]


def test_whether_onednn_rounds_does_not_depend_on_autocast() -> None:
    plain = onednn_keeps_float32()
    onednn_keeps_float32.cache_clear()
    with torch.autocast("cpu", torch.bfloat16):
        assert onednn_keeps_float32() == plain


@pytest.mark.parametrize("clips", [1, 2])
@pytest.mark.parametrize(("channels", "kernel", "stride"), [(3, (3, 7, 7), 2), (16, (3, 3, 3), 1), (16, (1, 3, 3), 2)])
def test_a_single_clip_is_convolved_as_several_are(
    clips: int, channels: int, kernel: tuple[int, int, int], stride: int
) -> None:
    torch.manual_seed(0)
    x = torch.randn(clips, channels, 4, 12, 20).contiguous(memory_format=torch.channels_last_3d)
    weight, bias = torch.randn(8, channels, *kernel), torch.randn(8)
    padding = tuple(taps // 2 for taps in kernel)
    with torch.inference_mode():
        found = conv3d(x, weight, bias, (1, stride, stride), padding)
    exact = F.conv3d(x.double(), weight.double(), bias.double(), (1, stride, stride), padding)
    torch.testing.assert_close(found.double(), exact, rtol=1e-4, atol=1e-3)
    assert found.is_contiguous(memory_format=torch.channels_last_3d)
