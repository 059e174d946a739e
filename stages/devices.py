"""Devices, precision, compilation and threads of torch."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast

import torch
from torch import nn

from pipeline.errors import StageError


def chosen_device(name: str) -> torch.device:
    """``auto``: a GPU if there is one. Raises StageError if a GPU is requested but missing."""
    if name == "cuda" and not torch.cuda.is_available():
        raise StageError("device: cuda is set, but torch finds no GPU: set device: auto, or give the stage a GPU")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def usable_gpus() -> int:
    """How many GPUs torch can use here."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def chosen_precision(name: Literal["auto", "fp32", "bf16"], device: torch.device) -> Literal["fp32", "bf16"]:
    """``auto``: bfloat16 on devices that support it natively rather than emulating it, otherwise float32."""
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    can = torch.cpu.get_capabilities()
    return "bf16" if can.get("avx512_bf16") or can.get("amx_bf16") else "fp32"


def compiled(model: nn.Module, device: torch.device) -> Callable[..., torch.Tensor]:
    """The compiled forward pass of the model, with the same random numbers as without compilation.

    Raises StageError if the machine has no compiler for it.
    """
    needed = ("gcc", "clang") if device.type == "cuda" else ("g++", "clang++")
    names = (os.environ.get("CC" if device.type == "cuda" else "CXX"), *needed)
    if not any(name and shutil.which(name) for name in names):
        raise StageError(f"compile: true needs {' or '.join(needed)}: install one of them, or set compile: false")
    return torch.compile(model, options={"fallback_random": True})


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Compute with this many threads inside the block; None leaves the number unchanged."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def deterministic() -> Iterator[None]:
    """Equal results from equal inputs inside the block: always on CPUs, and on GPUs as far as operations allow it."""
    # cuBLAS is deterministic with a workspace of fixed size; it reads this variable only once.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    memory = cast(Any, torch.utils.deterministic)
    fills = memory.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Otherwise every new tensor is filled with NaN first, hundreds of times per step.
    memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        memory.fill_uninitialized_memory = fills
