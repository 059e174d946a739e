"""People who walk, as tools see them: for the tests of skeleton formats."""

import numpy as np


def walker(frames: int, joints: int = 17, start: float = 100.0, step: float = 2.0, size: float = 80.0) -> np.ndarray:
    """Keypoints T,R,3 of a person who begins at x = ``start`` and moves by ``step`` pixels in each frame."""
    body = np.random.default_rng(joints).uniform((0, 40), (size, size + 40), (joints, 2))
    keypoints = np.ones((frames, joints, 3))
    keypoints[..., :2] = body + np.stack([start + step * np.arange(frames), np.zeros(frames)], axis=1)[:, None]
    keypoints[..., 2] = 0.75
    return keypoints.round(3)


def flat(keypoints: np.ndarray) -> list[float]:
    """x, y, score, x, y, score, ... of one person in one frame."""
    return [float(number) for number in keypoints.reshape(-1)]
