"""Keypoints from the outputs of SimCC models, such as RTMPose: one vector for x and one for y of each joint (Li et al.
2022).

A bin of a vector is a fraction of a pixel of the crop: bin k of a vector that is s times as long as the crop is wide or
high stands for k / s. The joint is where the vectors are highest.
"""

from collections.abc import Sequence

import numpy as np

from stages.pose.estimators import Size


def split_ratio(x_BRW: np.ndarray, y_BRH: np.ndarray, size: Size) -> float | None:
    """How many bins a pixel has, of a crop of this height and width; None if x and y disagree."""
    if x_BRW.ndim != 3 or y_BRH.ndim != 3 or x_BRW.shape[:2] != y_BRH.shape[:2]:
        return None
    ratio = x_BRW.shape[2] / size[1]
    return ratio if ratio == y_BRH.shape[2] / size[0] else None


def decode(x_BRW: np.ndarray, y_BRH: np.ndarray, ratio: float) -> np.ndarray:
    """Keypoints B,R,3: x, y in pixels of the crop, and a score from 0 to 1.

    The score is the lower one of the two peaks, cut off at 0 and 1, as MMPose defines it. The outputs of RTMPose are
    trained to have peaks near 1 where the network is certain. Outputs of a softmax have lower ones, which compare with
    each other only.
    """
    points_BR2 = np.stack([x_BRW.argmax(2), y_BRH.argmax(2)], axis=2) / ratio
    scores_BR = np.minimum(x_BRW.max(2), y_BRH.max(2)).clip(0, 1)
    return np.concatenate([points_BR2, scores_BR[..., None]], axis=2)


def mirrored(x_BRW: np.ndarray, y_BRH: np.ndarray, flip: Sequence[int], ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Turn outputs for mirrored crops into those for the crops themselves.

    flip: the layout's permutation of joints. Pixel i of w becomes pixel w - 1 - i, so bin k becomes bin W - ratio - k:
    the reversed vector is ratio - 1 bins too far to the right.
    """
    back_BRW = x_BRW[:, list(flip), ::-1].copy()
    excess = round(ratio) - 1
    if excess > 0:
        back_BRW[..., :-excess] = back_BRW[..., excess:].copy()
    return back_BRW, y_BRH[:, list(flip)]
