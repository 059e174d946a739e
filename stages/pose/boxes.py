"""Arithmetic of person boxes: float N,4 or N,5 (x1, y1, x2, y2 in pixels, and perhaps a score).

The results are those of ``torchvision.ops``, whose import would take each worker nearly as long as that of PyTorch.
"""

import numpy as np

_SAME_PERSON = 0.6
"""IoU above which two boxes of a frame are taken for the same person."""


def intersections(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """N,M: areas that boxes N,4 and M,4 share."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:4], b[None, :, 2:4])
    return np.prod(np.maximum(high - low, 0), axis=2)


def areas(boxes: np.ndarray) -> np.ndarray:
    return np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1)


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """N,M: intersection over union of boxes N,4 and M,4."""
    shared = intersections(a, b)
    return shared / np.maximum(areas(a)[:, None] + areas(b)[None] - shared, 1e-9)


def generalized_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """N,M: generalized IoU of boxes N,4 and M,4, in (-1, 1] (Rezatofighi et al. 2019).

    That is the IoU minus the share of the smallest enclosing box that neither covers, so that it also tells how far
    apart two boxes are that do not touch.
    """
    shared = intersections(a, b)
    union = areas(a)[:, None] + areas(b)[None] - shared
    low, high = np.minimum(a[:, None, :2], b[None, :, :2]), np.maximum(a[:, None, 2:4], b[None, :, 2:4])
    enclosing = np.maximum(np.prod(high - low, axis=2), 1e-9)
    return shared / np.maximum(union, 1e-9) - (enclosing - union) / enclosing


def non_maximum_suppression(boxes: np.ndarray) -> np.ndarray:
    """Indices, ascending, of the boxes N,5 that stay when of each person's boxes only the one with the highest score is
    kept. Of equal scores the coordinates decide, so that the order of the boxes has no influence."""
    order = np.lexsort((*boxes[:, 3::-1].T, -boxes[:, 4]))
    overlap = iou(boxes, boxes)
    kept: list[int] = []
    for i in order:
        if all(overlap[i, j] <= _SAME_PERSON for j in kept):
            kept.append(int(i))
    return np.array(sorted(kept), dtype=int)
