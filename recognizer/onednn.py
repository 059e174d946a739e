"""oneDNN for float32 on CPUs, where PyTorch would take something slower and nobody asks for gradients."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor


@contextmanager
def onednn_products() -> Iterator[None]:
    """Leave PyTorch's float32 matrix products on the CPU to oneDNN inside the block, where that changes rounding alone.

    They come from MKL otherwise, which uses half of the vector width of AMD's processors. PyTorch asks oneDNN only
    where it may round the factors to bfloat16, whether or not it does.
    """
    with _factors_may_be_rounded() if onednn_keeps_float32() else nullcontext():
        yield


@cache
def onednn_keeps_float32() -> bool:
    """Whether oneDNN multiplies in float32 also where it may round the factors: it rounds them where that
    is faster, as with AMX."""
    if not torch.backends.mkldnn.is_available():
        return False
    with _factors_may_be_rounded(), torch.inference_mode(), torch.autocast("cpu", enabled=False):
        factor = torch.full((256, 256), 1 + 2**-20)
        return torch.equal(factor @ torch.eye(256), factor)


@contextmanager
def _factors_may_be_rounded() -> Iterator[None]:
    """The setting is the whole process's. A block in another thread that finds it made leaves it alone, so that it is
    taken back however the two overlap."""
    matmul = cast(Any, torch.backends.mkldnn).matmul
    before = matmul.fp32_precision
    if before == "bf16":
        yield
        return
    matmul.fp32_precision = "bf16"
    try:
        yield
    finally:
        matmul.fp32_precision = before


def conv3d(
    x_BCTHW: Tensor, weight: Tensor, bias_C: Tensor, stride: tuple[int, ...], padding: tuple[int, ...]
) -> Tensor:
    """The convolution of ``nn.Conv3d``. A single small clip goes to oneDNN, too, where nobody asks for gradients:
    PyTorch would convolve it by itself, which takes up to twenty times as long."""
    single = len(x_BCTHW) == 1 and x_BCTHW.device.type == "cpu" and x_BCTHW.dtype == weight.dtype == torch.float32
    plain = not (torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"))
    if single and plain and torch.backends.mkldnn.is_available():
        return torch.mkldnn_convolution(x_BCTHW, weight, bias_C, padding, stride, (1, 1, 1), 1)
    return F.conv3d(x_BCTHW, weight, bias_C, stride, padding)
