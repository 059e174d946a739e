"""Motion capture in Biovision's format BVH, which most such software writes: a tree of joints, then Euler angles.

Lengths may have any unit; y points up. Joints below the root that also have a position are taken to stay where their
offset says.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from pipeline.errors import ClipError
from stages.synthetic.articulated import Articulated

ROTATIONS = {"Xrotation": "X", "Yrotation": "Y", "Zrotation": "Z"}
POSITIONS = ("Xposition", "Yposition", "Zposition")


def read_bvh(path: Path) -> Articulated:
    """A recording. Raises ClipError that says what is wrong with the file."""
    try:
        hierarchy, found, motion = path.read_text(encoding="utf-8", errors="replace").partition("MOTION")
        if not found:
            raise ValueError("it has no line MOTION")
        return _recording(_Hierarchy(iter(hierarchy.split())), motion.split())
    except (OSError, ValueError) as error:
        raise ClipError(f"{path} cannot be read as BVH: {error}") from error
    except StopIteration:
        raise ClipError(f"{path} cannot be read as BVH: it ends within its joints") from None


class _Hierarchy:
    """The joints of a file, and the channels of each."""

    def __init__(self, words: Iterator[str]) -> None:
        self.names: list[str] = []
        self.parents: list[int] = []
        self.offsets: list[list[float]] = []
        self.channels: list[list[str]] = []
        above: list[int] = []
        current = -1
        for word in words:
            match word:
                case "ROOT" | "JOINT":
                    current = len(self.names)
                    self.names.append(next(words))
                    self.parents.append(above[-1] if above else -1)
                    self.offsets.append([0.0, 0.0, 0.0])
                    self.channels.append([])
                case "End":
                    current = -1
                    next(words)  # Site
                case "{":
                    above.append(current)
                case "}" if above:
                    above.pop()
                case "OFFSET":
                    offset = [float(next(words)) for _ in range(3)]
                    if current >= 0:
                        self.offsets[current] = offset
                case "CHANNELS" if current >= 0:
                    self.channels[current] = [next(words) for _ in range(int(next(words)))]
                case "}" | "CHANNELS":
                    raise ValueError(f"{word} belongs to no joint")
        if self.parents.count(-1) != 1:
            raise ValueError(f"it has {self.parents.count(-1)} roots, not one")


def _recording(joints: _Hierarchy, motion: list[str]) -> Articulated:
    if len(motion) < 5 or [motion[0], *motion[2:4]] != ["Frames:", "Frame", "Time:"]:
        raise ValueError("after MOTION must come Frames: and Frame Time:")
    frames, seconds = int(motion[1]), float(motion[4])
    width = sum(map(len, joints.channels))
    if len(motion) - 5 != frames * width:
        raise ValueError(f"{len(motion) - 5} numbers are not {frames} frames of {width} channels")
    values = np.array(motion[5:], float).reshape(frames, width)
    turns = np.broadcast_to(np.eye(3), (frames, len(joints.names), 3, 3)).copy()
    root = np.zeros((frames, 3))
    first = 0
    for j, channels in enumerate(joints.channels):
        mine = values[:, first : first + len(channels)]
        first += len(channels)
        if unknown := set(channels) - ROTATIONS.keys() - set(POSITIONS):
            raise ValueError(f"{joints.names[j]} has a channel {sorted(unknown)[0]}")
        angles = [i for i, name in enumerate(channels) if name in ROTATIONS]
        if angles and frames:
            axes = "".join(ROTATIONS[channels[i]] for i in angles)
            turns[:, j] = Rotation.from_euler(axes, mine[:, angles], degrees=True).as_matrix()
        if joints.parents[j] < 0:
            for axis, name in enumerate(POSITIONS):
                if name in channels:
                    root[:, axis] = mine[:, channels.index(name)]
    return Articulated(
        tuple(joints.names),
        tuple(joints.parents),
        np.array(joints.offsets),
        turns,
        root,
        np.full(frames, seconds),
    )
