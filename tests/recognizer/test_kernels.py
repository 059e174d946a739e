from typing import Any, cast

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from recognizer.kernels import (
    conv3d,
    conv3d_of_tokens,
    dot_product_attention,
    onednn_keeps_float32,
    onednn_products,
    pad_mask,
)

matmul = cast(Any, torch.backends.mkldnn).matmul


def test_products_by_onednn_are_those_of_float32() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(800, 256), torch.randn(256, 300)
    with onednn_products():
        assert (matmul.fp32_precision == "bf16") == onednn_keeps_float32()
        found = a @ b
    torch.testing.assert_close(found.double(), a.double() @ b.double(), rtol=1e-5, atol=1e-4)


def test_the_setting_is_restored_however_the_blocks_of_two_threads_overlap() -> None:
    before = matmul.fp32_precision
    one, other = onednn_products(), onednn_products()
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    other.__exit__(None, None, None)
    assert matmul.fp32_precision == before


def test_whether_onednn_rounds_does_not_depend_on_autocast() -> None:
    plain = onednn_keeps_float32()
    onednn_keeps_float32.cache_clear()
    with torch.autocast("cpu", torch.bfloat16):
        assert onednn_keeps_float32() == plain


def test_attention_on_cpus_is_in_float32() -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 2, 5, 4).bfloat16().unbind()
    mask = torch.rand(2, 1, 1, 5) > 0.3
    exact = F.scaled_dot_product_attention(q.float(), k.float(), v.float(), mask)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(dot_product_attention(q, k, v, mask), exact, rtol=0, atol=0)


def test_a_padded_mask() -> None:
    mask = torch.tensor([[True, False], [False, False]])
    assert pad_mask(mask, 1, 2).tolist() == [[True, True, False, True, True], [True, False, False, True, True]]
    assert torch.equal(pad_mask(mask, 0, 0), mask)


@pytest.mark.parametrize("clips", [1, 2])
@pytest.mark.parametrize(("channels", "kernel", "stride"), [(3, (3, 7, 7), 2), (16, (3, 3, 3), 1), (16, (1, 3, 3), 2)])
def test_a_single_clip_is_convolved_like_several(
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


@pytest.mark.parametrize("groups", [1, 4])
def test_tokens_are_convolved_frame_by_frame(groups: int) -> None:
    torch.manual_seed(0)
    z, conv = torch.randn(2, 6, 5, 7, 4, dtype=torch.float64), nn.Conv3d(4, 4, (3, 2, 4), groups=groups).double()
    expected = conv(z.movedim(-1, 1)).movedim(1, -1)
    torch.testing.assert_close(conv3d_of_tokens(z, conv.weight, conv.bias, groups), expected)


def test_in_mixed_precision_tokens_are_convolved_in_bfloat16_only_without_gradients() -> None:
    z, weight = torch.randn(1, 4, 5, 5, 3), torch.randn(3, 1, 2, 2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        assert conv3d_of_tokens(z, weight, None, 3).dtype == torch.float32
        with torch.inference_mode():
            assert conv3d_of_tokens(z, weight, None, 3).dtype == torch.bfloat16
    with torch.no_grad():
        assert conv3d_of_tokens(z, weight, None, 3).dtype == torch.float32
