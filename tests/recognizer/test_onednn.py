from typing import Any, cast

import pytest
import torch
from torch.nn import functional as F

from recognizer.onednn import conv3d, onednn_keeps_float32, onednn_products

matmul = cast(Any, torch.backends.mkldnn).matmul


def test_products_of_onednn_are_those_of_float32() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(800, 256), torch.randn(256, 300)
    with onednn_products():
        assert (matmul.fp32_precision == "bf16") == onednn_keeps_float32()
        found = a @ b
    torch.testing.assert_close(found.double(), a.double() @ b.double(), rtol=1e-5, atol=1e-4)


def test_the_setting_is_taken_back_however_blocks_of_two_threads_overlap() -> None:
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
