"""NTU RGB+D's text files (Shahroudy et al. 2016): the bodies that Kinect v2 saw, those that move most first."""

from pathlib import Path

import numpy as np

from pipeline.errors import ClipError
from recognizer.skeletons import NTU25
from stages.skeletons.skeleton_file import SkeletonFile

_SIZE = (1920, 1080)
"""Of the color video, which the pixels refer to."""


def read_ntu(path: Path, entry: str | None = None) -> SkeletonFile:
    """The lines are: the number of frames; for each frame, the number of bodies; for each body, its state (which starts
    with its id), the number of joints, and for each joint 12 numbers, of which the 6th and 7th are the joint's pixel in
    the color video."""
    lines = path.read_text(errors="replace").splitlines()
    number = 0

    def take(count: int, what: str) -> list[str]:
        nonlocal number
        fields = lines[number].split() if number < len(lines) else []
        number += 1
        if len(fields) < count:
            raise ClipError(f"skeleton file {path}, line {number}: expected {what}")
        return fields

    bodies: dict[str, np.ndarray] = {}
    try:
        length = int(take(1, "the number of frames")[0])
        for frame in range(length):
            for _ in range(int(take(1, "the number of bodies")[0])):
                body = take(1, "a body's state")[0]
                if int(take(1, "the number of joints")[0]) != NTU25.count:
                    raise ClipError(f"skeleton file {path}, line {number}: expected {NTU25.count} joints")
                keypoints = bodies.setdefault(body, np.zeros((length, NTU25.count, 3)))
                for joint in range(NTU25.count):
                    values = take(12, "the 12 numbers of a joint")
                    keypoints[frame, joint] = float(values[5]), float(values[6]), 1
    except ValueError as error:
        raise ClipError(f"skeleton file {path}, line {number}: {error}") from error
    if not bodies:
        raise ClipError(f"skeleton file {path} has no body in any of {length} frames")
    ranked = sorted(bodies, key=lambda body: _motion(bodies[body]), reverse=True)
    return SkeletonFile(path, np.stack([bodies[body] for body in ranked]), NTU25, _SIZE)


def _motion(keypoints: np.ndarray) -> float:
    """How much a body T,R,3 moves: the variance of its joints in pixels², times the number of frames that show it.

    The sensor sometimes takes furniture for a body, which hardly moves or soon disappears.
    """
    valid = keypoints[:, 0, 2] > 0
    return float(np.nan_to_num(keypoints[valid, :, :2]).var(axis=0).sum() * valid.sum())
