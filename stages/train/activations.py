"""Activation checkpointing: what a part of the network computes inside is not kept for the backward pass, but computed
again there. Memory for time; the gradients are the same."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from recognizer.model import Recognizer


def checkpoint_activations(model: Recognizer) -> None:
    """Let the backbone's stem, its layers and the blocks, in place, keep nothing but their inputs in training."""
    for part in (*(model.backbone.children() if model.backbone else ()), *model.blocks):
        part.forward = partial(_checkpointed, part, part.forward)


def _checkpointed(part: nn.Module, forward: Callable[..., Any], *inputs: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*inputs)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _statistics_at_rest(part)

    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts)


@contextmanager
def _statistics_at_rest(part: nn.Module) -> Iterator[None]:
    """Batch normalization has counted the batch in the forward pass: let it count on copies, to be thrown away."""
    kept = {module: dict(module._buffers) for module in part.modules() if isinstance(module, _BatchNorm)}
    for norm, buffers in kept.items():
        norm._buffers.update({name: None if b is None else b.clone() for name, b in buffers.items()})
    try:
        yield
    finally:
        for norm, buffers in kept.items():
            norm._buffers.update(buffers)
