"""From the heatmaps of an estimator to keypoints."""

from collections.abc import Sequence

import numpy as np


def decode(heatmaps_BRHW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places [B,R,2] (x, y in heatmap pixels) and scores [B,R] in [0, 1] of the joints that the heatmaps show.

    A joint is where its heatmap is highest, moved a quarter of a pixel towards the higher neighbor on each axis
    (Newell et al. 2016, section 3.4).
    """
    B, R, H, W = heatmaps_BRHW.shape
    best_BR = heatmaps_BRHW.reshape(B, R, H * W).argmax(2)
    y_BR, x_BR = np.divmod(best_BR, W)
    b, r = np.ogrid[:B, :R]
    scores_BR = heatmaps_BRHW[b, r, y_BR, x_BR]
    right = heatmaps_BRHW[b, r, y_BR, np.minimum(x_BR + 1, W - 1)]
    left = heatmaps_BRHW[b, r, y_BR, np.maximum(x_BR - 1, 0)]
    below = heatmaps_BRHW[b, r, np.minimum(y_BR + 1, H - 1), x_BR]
    above = heatmaps_BRHW[b, r, np.maximum(y_BR - 1, 0), x_BR]
    shift = 0.25 * np.sign(np.stack([right - left, below - above], axis=2))
    return np.stack([x_BR, y_BR], axis=2) + shift, np.clip(scores_BR, 0, 1)


def mirrored(heatmaps_BRHW: np.ndarray, flip: Sequence[int]) -> np.ndarray:
    """Heatmaps of mirrored crops, as those of the crops themselves: joints and columns change places.

    ``flip`` is the layout's permutation. Columns also move one to the right, because heatmap and crop meet in their
    left edges (see ``crops``), which mirroring makes right edges.
    """
    back = heatmaps_BRHW[:, list(flip), :, ::-1].copy()
    back[..., 1:] = back[..., :-1].copy()
    return back
