"""Activation checkpointing: activations inside a part of the network are recomputed in the backward pass instead of
stored. It takes less memory and more time; the gradients are the same."""

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
    """Change the model in place: in training, the backbone's stem and layers and the blocks store only their inputs."""
    for part in (*(model.backbone.children() if model.backbone else ()), *model.blocks):
        part.forward = partial(_checkpointed, part, part.forward)


def _checkpointed(part: nn.Module, forward: Callable[..., Any], *inputs: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*inputs)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _unchanged_statistics(part)

    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts)


@contextmanager
def _unchanged_statistics(part: nn.Module) -> Iterator[None]:
    """Leave the running statistics alone while activations are recomputed.

    The forward pass has updated them already, so batch normalization now gets copies, which are discarded.
    """
    kept = {module: dict(module._buffers) for module in part.modules() if isinstance(module, _BatchNorm)}
    for norm, buffers in kept.items():
        norm._buffers.update({name: None if b is None else b.clone() for name, b in buffers.items()})
    try:
        yield
    finally:
        for norm, buffers in kept.items():
            norm._buffers.update(buffers)
