"""Detours around PyTorch's own kernels where these are slow or wrong, mostly on CPUs.

Each of them changes rounding alone, so that the network's other files read as if it were not there.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor


def dot_product_attention(q_BEND: Tensor, k_BEKD: Tensor, v_BEKD: Tensor, mask: Tensor | None) -> Tensor:
    """``F.scaled_dot_product_attention``. On CPUs float32 also where autocast has made the factors bfloat16, for which
    the kernel takes twice the time."""
    if q_BEND.dtype == torch.bfloat16 and q_BEND.device.type == "cpu":
        with torch.autocast("cpu", enabled=False):
            return F.scaled_dot_product_attention(q_BEND.float(), k_BEKD.float(), v_BEKD.float(), mask)
    return F.scaled_dot_product_attention(q_BEND, k_BEKD, v_BEKD, mask)


def pad_mask(mask: Tensor, before: int, after: int) -> Tensor:
    """A bool mask with ``before`` and ``after`` more True on its last axis. It is padded as numbers: compiled for CPUs,
    PyTorch cannot pad truth values that it has just computed."""
    return F.pad(mask.float(), (before, after), value=1.0) > 0


def exporting() -> bool:
    """Whether the network is not computed, but written down for other software (``recognizer.export``), which has
    kernels of its own."""
    return torch.compiler.is_exporting() or torch.jit.is_tracing()


def channels_last(x_BCTHW: Tensor) -> Tensor:
    """The same features in the memory order that is faster for oneDNN and cuDNN."""
    if x_BCTHW.device.type in ("cpu", "cuda") and not exporting():
        return x_BCTHW.contiguous(memory_format=torch.channels_last_3d)
    return x_BCTHW


def safe_autocast(x_BCTHW: Tensor) -> AbstractContextManager[Any]:
    """A context for 3D convolutions of these clips that leaves bfloat16 where its results are wrong: oneDNN's gradients
    are, even infinite, for clips of two frames."""
    wrong = torch.is_grad_enabled() and x_BCTHW.shape[2] == 2
    return torch.autocast("cpu", enabled=torch.is_autocast_enabled("cpu") and not wrong)


def conv3d(
    x_BCTHW: Tensor, weight: Tensor, bias_C: Tensor, stride: tuple[int, ...], padding: tuple[int, ...]
) -> Tensor:
    """``F.conv3d``. Without gradients a single small clip goes to oneDNN, as larger batches do: PyTorch's own
    convolution, which it would choose, takes up to twenty times as long."""
    single = (
        not exporting()
        and len(x_BCTHW) == 1
        and x_BCTHW.device.type == "cpu"
        and x_BCTHW.dtype == weight.dtype == torch.float32
    )
    plain = not (torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"))
    if single and plain and torch.backends.mkldnn.is_available():
        return torch.mkldnn_convolution(x_BCTHW, weight, bias_C, padding, stride, (1, 1, 1), 1)
    return F.conv3d(x_BCTHW, weight, bias_C, stride, padding)


def conv3d_of_tokens(z_BTHWD: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
    """The unpadded ``F.conv3d`` of tokens, B,T',H',W',D, as a sum of 2D convolutions, one for each frame of the
    kernel: a depthwise one takes a quarter of the time on CPUs in the backward pass, and an eighth of it on GPUs in
    both (an H100, bfloat16, paper's size: 5.7 ms for 47.8)."""
    first, *others = weight.unbind(dim=2)
    frames = z_BTHWD.shape[1] - len(others)
    # With gradients in float32: the backward pass takes longer in bfloat16.
    with torch.autocast("cpu", enabled=torch.is_autocast_enabled("cpu") and not torch.is_grad_enabled()):
        total_BDHW = F.conv2d(z_BTHWD[:, :frames].flatten(0, 1).movedim(-1, 1), first, bias, groups=groups)
        for tap, weight_2d in enumerate(others, start=1):
            z_BDHW = z_BTHWD[:, tap : tap + frames].flatten(0, 1).movedim(-1, 1)
            total_BDHW = total_BDHW + F.conv2d(z_BDHW, weight_2d, groups=groups)
    return total_BDHW.movedim(1, -1).unflatten(0, (-1, frames))


def add_rows(count: int, places: Tensor, rows: Tensor) -> Tensor:
    """``count`` rows: the sums of those of ``rows`` that have the same place, and zeros where none has."""
    sums = rows.new_zeros(count, *rows.shape[1:])
    if not exporting():
        return sums.index_add(0, places, rows)
    # ONNX cannot add rows, only elements.
    return sums.scatter_add(0, places.reshape(-1, *[1] * (rows.ndim - 1)).expand_as(rows), rows)


def fast_products(x: Tensor) -> AbstractContextManager[None]:
    """A context for matrix products of the tokens x, B,…,N,D: by oneDNN if N repays its preparations.

    PyTorch's attention multiplies in blocks of 256 queries from 768 tokens on, and in smaller ones below. Not with
    gradients: these are computed later, outside of the context.
    """
    worthwhile = not exporting() and x.device.type == "cpu" and x.shape[-2] >= 768 and not torch.is_grad_enabled()
    return onednn_products() if worthwhile else nullcontext()


@contextmanager
def onednn_products() -> Iterator[None]:
    """Leave PyTorch's float32 matrix products on the CPU to oneDNN inside the block, where that changes rounding alone.

    Otherwise they come from MKL, which uses half of the vector width of AMD's processors. PyTorch asks oneDNN only
    where it may round the factors to bfloat16, whether or not it then does.
    """
    with _factors_may_be_rounded() if onednn_keeps_float32() else nullcontext():
        yield


@cache
def onednn_keeps_float32() -> bool:
    """Whether oneDNN multiplies in float32 even where it may round the factors. It does round them where that is
    faster, as with AMX."""
    if not torch.backends.mkldnn.is_available():
        return False
    with _factors_may_be_rounded(), torch.inference_mode(), torch.autocast("cpu", enabled=False):
        factor = torch.full((256, 256), 1 + 2**-20)
        return torch.equal(factor @ torch.eye(256), factor)


@contextmanager
def _factors_may_be_rounded() -> Iterator[None]:
    """The setting is global to the process. A block that finds it already changed, by another thread, leaves it alone,
    so that it is restored however the two overlap."""
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
