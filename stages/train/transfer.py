"""Weights of one recognizer for another, which may have other classes, joints, frames or modalities.

A weight is taken where name and shape are the same. What an index stands for may differ all the same: rows of the
classifier belong to classes, those of the joint embedding to joints. There a name is taken for the same name, and the
rest stays as it was drawn. What is learned per frame or place is interpolated, as for clips of another length or size.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from recognizer.position import stretch_time
from recognizer.skeletons import layout
from stages.train.start import differences

PER_FRAME = ("position.frame_T1D", "joint_tokens.identity.frame_T1D", "modal_tokens.token_TKD")
PER_PLACE = "position.place_1DHW"

Meanings = dict[int, Sequence[Any]]
"""What each index of an axis stands for, by axis."""


@torch.no_grad()
def take_weights(model: Recognizer, start: Recognizer) -> dict[str, Any]:
    """Replace the weights of ``model`` by those of ``start`` that fit, and say which.

    Returns ``taken`` weights ``of`` all of the network, names of those that were ``interpolated``, taken ``partly`` or
    are ``new``, names of those of the start that are ``unused``, the ``classes`` that were known, and what ``differs``.

    Raises ValueError if nothing that could be of use fits.
    """
    own, given = _weights(model), _weights(start)
    ours, theirs = meanings(model.config), meanings(start.config)
    whole, interpolated, partly = [], [], []
    for name, weight in own.items():
        if name not in given:
            continue
        other = _interpolated(name, given[name], weight)
        if other is not given[name]:
            interpolated.append(name)
        copied = _copy(weight, other, ours.get(name, {}), theirs.get(name, {}))
        if copied == weight.numel():
            whole.append(name)
        elif copied:
            partly.append(name)
    taken = {*whole, *partly}
    differ = differences(start.config, model.config)
    if not any(own[name].ndim > 1 for name in whole):
        raise ValueError(f"no matrix of its weights fits, as {'; '.join(differ) or 'all classes are others'}")
    return {
        "taken": len(whole),
        "of": len(own),
        "interpolated": [name for name in interpolated if name in taken],
        "partly": partly,
        "new": [name for name in own if name not in taken],
        "unused": [name for name in given if name not in taken],
        "classes": [name for name in model.config.class_names if name in start.config.class_names],
        "differs": differ,
    }


def meanings(config: RecognizerConfig) -> dict[str, Meanings]:
    """What the indices of those weights stand for whose shapes do not tell."""
    parts = config.modal_names or tuple(name for name in ("rgb", "pose") if name in config.modality)
    channels = [(part, config.dim, channel) for part in parts for channel in range(config.dim)]
    return {
        "head.classifier.weight": {0: config.class_names, 1: channels},
        "head.classifier.bias": {0: config.class_names},
        "joint_tokens.identity.joint_RD": {0: layout(config.layout).joints},
        "modal_tokens.token_TKD": {1: config.modal_names},
    }


def _weights(model: Recognizer) -> dict[str, Tensor]:
    """Parameters and running statistics of a network, without counters and the other networks of its ensemble."""
    own = {name: tensor for name, tensor in model.state_dict().items() if tensor.ndim}
    return {name: tensor for name, tensor in own.items() if not name.startswith("others.")}


def _interpolated(name: str, given: Tensor, like: Tensor) -> Tensor:
    """A weight that is learned per frame or place as it would be used for as many of them as ``like`` has."""
    if name in PER_FRAME:
        return stretch_time(given, like.shape[0])
    if name == PER_PLACE and given.shape != like.shape:
        return F.interpolate(given, size=like.shape[2:], mode="bilinear", align_corners=False)
    return given


def _copy(weight: Tensor, given: Tensor, ours: Meanings, theirs: Meanings) -> int:
    """Copy what has the same place, or the same meaning, in both. Returns the number of values; 0 if shapes differ."""
    if weight.ndim != given.ndim or any(weight.shape[i] != given.shape[i] for i in range(weight.ndim) if i not in ours):
        return 0
    if not ours:
        weight.copy_(given)
        return weight.numel()
    to, source = [], []
    for axis, size in enumerate(weight.shape):
        place = {meaning: i for i, meaning in enumerate(theirs.get(axis, range(size)))}
        shared = [(i, place[meaning]) for i, meaning in enumerate(ours.get(axis, range(size))) if meaning in place]
        to.append([i for i, _ in shared])
        source.append([i for _, i in shared])
    weight[np.ix_(*to)] = given[np.ix_(*source)]
    return math.prod(map(len, to))
