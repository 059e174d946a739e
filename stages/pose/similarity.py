"""Whether two skeletons are the same person's: object keypoint similarity (https://cocodataset.org/#keypoints-eval)."""

from functools import lru_cache

import numpy as np

from recognizer.skeletons import Layout

SIGMAS = {
    "nose": 0.026,
    "eye": 0.025,
    "ear": 0.035,
    "shoulder": 0.079,
    "elbow": 0.072,
    "wrist": 0.062,
    "hip": 0.107,
    "knee": 0.087,
    "ankle": 0.089,
}
"""How much COCO's annotators disagree on a joint, relative to the square root of a person's area."""
_OTHER_SIGMA = 0.08
"""Of joints that COCO does not have."""
_FILLED = 0.53
"""A person's area relative to that of the box around the joints, as usual where no outline is known."""


@lru_cache(maxsize=64)
def sigmas(layout: Layout) -> np.ndarray:
    """float R, by the names of joints."""
    return np.array([SIGMAS.get(joint.rpartition("_")[2], _OTHER_SIGMA) for joint in layout.joints])


def agreement(offsets: np.ndarray, area: float, sigmas: np.ndarray) -> float:
    """OKS, from 0 to 1, of joints that are ``offsets`` R,2 apart on a person of this area. sigmas: R."""
    exponent = (offsets**2).sum(1) / (2 * sigmas) ** 2 / (area + np.spacing(1)) / 2
    return float(np.exp(-exponent).mean())


def similarity(a: np.ndarray, b: np.ndarray, layout: Layout) -> float:
    """OKS of two skeletons R,3 over the joints that both have; 0 if there are none."""
    both = (a[:, 2] > 0) & (b[:, 2] > 0)
    if not both.any():
        return 0.0
    extents = [np.prod(np.ptp(one[both, :2], axis=0)) for one in (a, b)]
    return agreement(a[both, :2] - b[both, :2], _FILLED * max(extents), sigmas(layout)[both])
