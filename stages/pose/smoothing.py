"""Joints that nobody saw in a frame, from those before and after; and steadier ones. Both only where asked for."""

from itertools import pairwise

import numpy as np


def fill_gaps(keypoints: np.ndarray, most: int) -> np.ndarray:
    """Interpolate the joints of keypoints M,T,R,3 that are missing in at most so many frames in a row, between two in
    which they are seen, and return which ones: bool M,T,R.

    Their score is the lower one of these two.
    """
    made_up = np.zeros(keypoints.shape[:3], bool)
    for m, r in np.ndindex(keypoints.shape[0], keypoints.shape[2]):
        path = keypoints[m, :, r]
        seen = np.flatnonzero(path[:, 2] > 0)
        for a, b in pairwise(seen.tolist()):
            if 1 < b - a <= most + 1:
                between = np.arange(a + 1, b)
                share = ((between - a) / (b - a))[:, None]
                path[between, :2] = path[a, :2] * (1 - share) + path[b, :2] * share
                path[between, 2] = path[[a, b], 2].min()
                made_up[m, between, r] = True
    return made_up


def smooth(keypoints: np.ndarray, deviation: float) -> None:
    """Replace the places of the joints in keypoints M,T,R,3 by Gaussian means over time, weighted by their scores.

    deviation: standard deviation in frames. Scores stay, and so do joints that are missing.
    """
    times = np.arange(keypoints.shape[1])
    kernel_TT = np.exp(-((times[:, None] - times) ** 2) / (2 * deviation**2))
    scores_MTR = keypoints[..., 2]
    weights = np.einsum("ts,msr->mtr", kernel_TT, scores_MTR)
    sums = np.einsum("ts,msr,msrc->mtrc", kernel_TT, scores_MTR, keypoints[..., :2])
    means = sums / np.maximum(weights, 1e-12)[..., None]
    keypoints[..., :2] = np.where(scores_MTR[..., None] > 0, means, keypoints[..., :2])
