"""Skeletons of one joint layout as those of another, joint by joint, by their names."""

import numpy as np

from recognizer.skeletons import Layout

ENOUGH = 0.5
"""Share of a layout's joints that must be known."""


def convert(keypoints: np.ndarray, source: Layout, target: Layout) -> np.ndarray:
    """Keypoints ...,R,C of ``source`` as those of ``target``, whose further joints are zeros: missing.

    Raises ValueError if they have fewer than half of the target's joints in common.
    """
    if not convertible(source, target):
        raise ValueError(f"{lacking_text(source, target)}, more than half")
    converted = np.zeros((*keypoints.shape[:-2], target.count, keypoints.shape[-1]), keypoints.dtype)
    for joint, name in enumerate(target.joints):
        if name in source.joints:
            converted[..., joint, :] = keypoints[..., source.joints.index(name), :]
    return converted


def convertible(source: Layout, target: Layout) -> bool:
    """Whether ``source`` has half of the target's joints, or more."""
    return len(source.lacks(target.joints)) <= (1 - ENOUGH) * target.count


def lacking_text(source: Layout, target: Layout) -> str:
    """Which joints are missing, for people: ``ntu25 lacks 5 of its 17 joints: nose, left_eye, ...``."""
    lacking = source.lacks(target.joints)
    which = f": {', '.join(lacking)}" if lacking else ""
    return f"{source.name} lacks {len(lacking) or 'none'} of the {target.count} joints of {target.name}{which}"
