"""Mixup (Zhang et al. 2018): training on blends of two clips and of their labels.

Each clip is blended with the one before it in the batch. In all functions ``extra`` is the number of clips at the start
of a process's batch that do not belong to its share of the whole batch: they are there to be blended with alone.
"""

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from stages.train.batches import Batch


def mixup_share(alpha: float, seed: int) -> float:
    """How much of each clip remains in its blend, drawn from Beta(alpha, alpha); 1 without mixup."""
    return float(np.random.default_rng(seed).beta(alpha, alpha)) if alpha else 1.0


def mixup(batch: Batch, share: float, extra: int) -> tuple[Tensor | None, Tensor | None]:
    """The network's input without the extra clips: frames, each clip blended with the one before it, and keypoints."""
    keypoints = None if batch.keypoints is None else batch.keypoints[extra:]
    if batch.frames is None or share == 1:
        return None if batch.frames is None else batch.frames[extra:], keypoints
    return share * batch.frames[extra:] + (1 - share) * batch.frames[:-1], keypoints


def mixup_loss(logits: Tensor, target: Tensor, share: float, extra: int, smoothing: float) -> Tensor:
    """Sum over the clips of the cross entropy with their own classes and, where blended, with those before them.

    target: the classes of the whole batch, extra clips included.
    """
    loss = share * F.cross_entropy(logits, target[extra:], reduction="sum", label_smoothing=smoothing)
    if share < 1:
        before = F.cross_entropy(logits, target[:-1], reduction="sum", label_smoothing=smoothing)
        loss = loss + (1 - share) * before
    return loss
