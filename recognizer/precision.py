"""Where mixed precision must not go, and which library multiplies float32 on CPUs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")


def differentiable_on_cpus(convolve: Callable[P, R]) -> Callable[P, R]:
    """Let autocast have its way with a function's convolutions on CPUs only where nobody asks for gradients.

    In bfloat16 oneDNN may return wrong or infinite gradients of a 3D convolution, as it does for two frames. What it
    computes forward is right, and takes half of float32's time.
    """

    @wraps(convolve)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with torch.autocast("cpu", enabled=torch.is_autocast_enabled("cpu") and not torch.is_grad_enabled()):
            return convolve(*args, **kwargs)

    return wrapped


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
    """Whether oneDNN multiplies in float32 also where it may round the factors: it has no unit for bfloat16 here."""
    if not torch.backends.mkldnn.is_available():
        return False
    with _factors_may_be_rounded(), torch.inference_mode(), torch.autocast("cpu", enabled=False):
        factor = torch.full((256, 256), 1 + 2**-20)
        return torch.equal(factor @ torch.eye(256), factor)


@contextmanager
def _factors_may_be_rounded() -> Iterator[None]:
    matmul = cast(Any, torch.backends.mkldnn).matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = "bf16"
    try:
        yield
    finally:
        matmul.fp32_precision = before


def conv3d(
    x_BCTHW: Tensor, weight: Tensor, bias_C: Tensor, stride: tuple[int, ...], padding: str | tuple[int, ...]
) -> Tensor:
    """The convolution of ``nn.Conv3d``. A single small clip goes to oneDNN, too, where nobody asks for gradients:
    PyTorch would convolve it by itself, which takes up to twenty times as long."""
    own = len(x_BCTHW) == 1 and x_BCTHW.device.type == "cpu" and x_BCTHW.dtype == weight.dtype == torch.float32
    plain = not (torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"))
    if own and plain and not isinstance(padding, str) and torch.backends.mkldnn.is_available():
        return torch.mkldnn_convolution(x_BCTHW, weight, bias_C, padding, stride, (1, 1, 1), 1)
    return F.conv3d(x_BCTHW, weight, bias_C, stride, padding)
