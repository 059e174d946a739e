"""Motion capture as DeepMimic (Peng et al., 2018) has it, and with it pybullet (``pybullet_data/data/motions``).

A JSON file with ``Frames``: how many seconds each lasts, where the root is, and the rotations of 13 joints of a body
that faces x, as quaternions (w, x, y, z) or, of knees and elbows, as angles about z.
"""

import json
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from pipeline.errors import ClipError
from stages.synthetic.articulated import Articulated

TREE: dict[str, tuple[str, tuple[float, float, float]]] = {
    "root": ("", (0, 0, 0)),
    "chest": ("root", (0, 0.236, 0)),
    "neck": ("chest", (0, 0.224, 0)),
    "right_hip": ("root", (0, 0, 0.085)),
    "right_knee": ("right_hip", (0, -0.422, 0)),
    "right_ankle": ("right_knee", (0, -0.410, 0)),
    "right_shoulder": ("chest", (-0.024, 0.244, 0.183)),
    "right_elbow": ("right_shoulder", (0, -0.275, 0)),
    "left_hip": ("root", (0, 0, -0.085)),
    "left_knee": ("left_hip", (0, -0.422, 0)),
    "left_ankle": ("left_knee", (0, -0.410, 0)),
    "left_shoulder": ("chest", (-0.024, 0.244, -0.183)),
    "left_elbow": ("left_shoulder", (0, -0.275, 0)),
    "right_wrist": ("right_elbow", (0, -0.259, 0)),
    "left_wrist": ("left_elbow", (0, -0.259, 0)),
}
"""Parent and offset in meters of each joint, in the order of the files; wrists do not turn."""
ANGLES = ("right_knee", "right_elbow", "left_knee", "left_elbow")
FIXED = ("right_wrist", "left_wrist")
WIDTH = 1 + 3 + sum(0 if name in FIXED else 1 if name in ANGLES else 4 for name in TREE)
"""Numbers of a frame."""


def read_deepmimic(path: Path) -> Articulated:
    """A recording. Raises ClipError that says what is wrong with the file."""
    try:
        content = json.loads(path.read_bytes())
        frames = content.get("Frames") if isinstance(content, dict) else None
        if not isinstance(frames, list) or not frames:
            raise ValueError("it has no Frames")
        if found := {len(frame) if isinstance(frame, list) else 0 for frame in frames} - {WIDTH}:
            raise ValueError(f"a frame of a person has {WIDTH} numbers, not {min(found)}")
        return _recording(np.array(frames, float))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ClipError(f"{path} cannot be read as DeepMimic's: {error}") from error


def _recording(frames: np.ndarray) -> Articulated:
    turns = np.broadcast_to(np.eye(3), (len(frames), len(TREE), 3, 3)).copy()
    first = 4
    for j, name in enumerate(TREE):
        if name in ANGLES:
            turns[:, j] = Rotation.from_euler("z", frames[:, first : first + 1]).as_matrix()
            first += 1
        elif name not in FIXED:
            turns[:, j] = Rotation.from_quat(np.roll(frames[:, first : first + 4], -1, axis=1)).as_matrix()
            first += 4
    names = tuple(TREE)
    return Articulated(
        names,
        tuple(names.index(parent) if parent else -1 for parent, _ in TREE.values()),
        np.array([offset for _, offset in TREE.values()], float),
        turns,
        frames[:, 1:4],
        frames[:, 0],
    )
