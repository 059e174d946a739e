"""Mixup (Zhang et al. 2018): training on blends of two clips and of their labels.

A clip is blended with the one before it in the batch. ``lent`` is how many clips at the batch's start are there for
that alone: what comes before a process's share of the batch.
"""

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from stages.train.batches import Batch


def mixed_share(alpha: float, seed: int) -> float:
    """How much of each clip remains, from Beta(alpha, alpha); 1 without mixup."""
    return float(np.random.default_rng(seed).beta(alpha, alpha)) if alpha else 1.0


def mixed(batch: Batch, share: float, lent: int) -> tuple[Tensor | None, Tensor | None]:
    """Frames, each clip's blended with those of the one before it, and keypoints, without the first ``lent`` clips."""
    keypoints = None if batch.keypoints is None else batch.keypoints[lent:]
    if batch.frames is None or share == 1:
        return None if batch.frames is None else batch.frames[lent:], keypoints
    return share * batch.frames[lent:] + (1 - share) * batch.frames[:-1], keypoints


def mixed_loss(logits: Tensor, target: Tensor, share: float, lent: int, smoothing: float) -> Tensor:
    """Sum over the clips of the cross entropy with their own classes and, where blended, with the ones before them."""
    loss = share * F.cross_entropy(logits, target[lent:], reduction="sum", label_smoothing=smoothing)
    if share < 1:
        before = F.cross_entropy(logits, target[:-1], reduction="sum", label_smoothing=smoothing)
        loss = loss + (1 - share) * before
    return loss
