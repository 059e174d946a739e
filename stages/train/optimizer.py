"""What the optimizer is told: which parameters decay, how fast each part of the network learns, and when."""

import math
from typing import Any

from torch import nn

from recognizer.model import Recognizer

TOKENS = ("position", "joint_tokens", "modal_tokens")


def learning_rate(step: int, steps: int, warmup: float, peak: float) -> float:
    """Linear rise over the first ``warmup`` steps, then half a cosine to 0 after the last of all ``steps``."""
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def parameter_groups(model: Recognizer, weight_decay: float, layer_decay: float = 1.0) -> list[dict[str, Any]]:
    """The model's parameters for AdamW, those of a learning rate together: ``lr_share`` is their share of the full one.

    Matrices and kernels decay; norms, biases, and learned tokens and positions do not. The head learns at the full
    rate, and each part before it at ``layer_decay`` times the rate of the part behind it (Clark et al. 2020).
    """
    parts = depths(model)
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for decays in (True, False):
        for name, parameter in model.named_parameters():
            if (parameter.ndim > 1 and name.endswith("weight")) == decays:
                depth = next(depth for depth, prefix in enumerate(parts) if name.startswith(prefix))
                groups.setdefault((layer_decay ** (len(parts) - 1 - depth), decays), []).append(parameter)
    return [
        {"params": parameters, "weight_decay": weight_decay * decays, "lr_share": share}
        for (share, decays), parameters in groups.items()
    ]


def depths(model: Recognizer) -> list[tuple[str, ...]]:
    """The parts of a network from its first to its last, each as prefixes of its parameters' names.

    Backbone stem, its three layers, all that makes tokens, the blocks one by one, the head.
    """
    backbone = [f"backbone.{name}." for name, _ in model.backbone.named_children()] if model.backbone else []
    blocks = [f"blocks.{i}." for i in range(len(model.blocks))]
    return [*((name,) for name in backbone), TOKENS, *((name,) for name in blocks), ("head.",)]
