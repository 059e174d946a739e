"""Arithmetic of person boxes: float N,4 or N,5, x1, y1, x2, y2 in pixels and perhaps a score."""

import numpy as np

_SAME = 0.6
"""IoU above which two boxes of a frame are one person, found twice."""


def intersections(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Areas [N,M] that boxes [N,4] and [M,4] share."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:4], b[None, :, 2:4])
    return np.prod(np.maximum(high - low, 0), axis=2)


def areas(boxes: np.ndarray) -> np.ndarray:
    return np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1)


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union [N,M] of boxes [N,4] and [M,4]."""
    shared = intersections(a, b)
    return shared / np.maximum(areas(a)[:, None] + areas(b)[None] - shared, 1e-9)


def generalized_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """[N,M] of boxes [N,4] and [M,4]: IoU less the share of their common hull that neither covers; in (-1, 1].

    Tells how far boxes are apart that do not touch (Rezatofighi et al. 2019).
    """
    shared = intersections(a, b)
    union = areas(a)[:, None] + areas(b)[None] - shared
    low, high = np.minimum(a[:, None, :2], b[None, :, :2]), np.maximum(a[:, None, 2:4], b[None, :, 2:4])
    hull = np.maximum(np.prod(high - low, axis=2), 1e-9)
    return shared / np.maximum(union, 1e-9) - (hull - union) / hull


def distinct(boxes: np.ndarray) -> np.ndarray:
    """Positions, in order, of the boxes [N,5] that stay when of two of the same person only the surer one does."""
    order = np.lexsort((*boxes[:, 3::-1].T, -boxes[:, 4]))
    overlap = iou(boxes, boxes)
    kept: list[int] = []
    for i in order:
        if all(overlap[i, j] <= _SAME for j in kept):
            kept.append(int(i))
    return np.array(sorted(kept), dtype=int)
