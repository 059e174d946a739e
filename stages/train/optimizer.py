"""Settings of the optimizer: the learning rate over time and for each part of the network, and weight decay."""

import math
from typing import Any

from torch import nn

from recognizer.model import Recognizer

TOKENS = ("position", "joint_tokens", "modal_tokens")


def learning_rate(step: int, steps: int, warmup: float, peak: float) -> float:
    """Linear warm-up over the first ``warmup`` steps, then half a cosine that reaches 0 after the last of ``steps``."""
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def parameter_groups(model: Recognizer, weight_decay: float, layer_decay: float = 1.0) -> list[dict[str, Any]]:
    """The model's parameters in groups for AdamW. ``lr_share`` of a group is its fraction of the full learning rate.

    Matrices and kernels have weight decay; norms, biases, learned tokens and positions have none. The head learns at
    the full rate, and each other part of the network at ``layer_decay`` times the rate of the part after it (Clark et
    al. 2020).
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
    """The parts of a network from first to last, each as the prefixes of its parameters' names.

    They are the backbone's stem, each of its three layers, everything that makes tokens, each block, and the head.
    """
    backbone = [f"backbone.{name}." for name, _ in model.backbone.named_children()] if model.backbone else []
    blocks = [f"blocks.{i}." for i in range(len(model.blocks))]
    return [*((name,) for name in backbone), TOKENS, *((name,) for name in blocks), ("head.",)]
