"""Joint layouts from the names that a file gives its joints."""

import re
from collections.abc import Iterator, Sequence

from recognizer.skeletons import LAYOUTS, Layout

_SAME = {
    "hip_center": "spine_base",
    "mid_hip": "spine_base",
    "pelvis": "spine_base",
    "spine": "spine_middle",
    "shoulder_center": "neck",
    "thorax": "neck",
    "face": "head",
}
"""What some authors call the joints that have another name here."""
_SIDES = {"l": "left", "lt": "left", "r": "right", "rt": "right"}
_BOTH = ("left", "right")


def layout_of_names(names: Sequence[str], own_name: str) -> Layout:
    """The built-in layout with these joints in this order; otherwise a new one called ``own_name``, without limbs.

    Names may be written in any usual way: ``left_hip``, ``left hip``, ``HipLeft``, ``LHip``, ``lhip``. Raises
    ValueError if a name occurs twice.
    """
    joints = [_SAME.get(name, name) for name in _with_sides([plain_name(name) for name in names])]
    known = next((layout for layout in LAYOUTS.values() if layout.joints == tuple(joints)), None)
    return known or Layout.from_names(own_name, joints, pairs=_sides(joints))


def plain_name(name: str) -> str:
    """``HipLeft``, ``LHip`` and ``left hip`` as ``left_hip``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name).lower()
    parts = [_SIDES.get(part, part) for part in re.split(r"[\W_]+", words) if part]
    side = next((part for part in parts if part in _SIDES.values()), None)
    return "_".join(([side] if side else []) + [part for part in parts if part != side])


def _with_sides(joints: Sequence[str]) -> Iterator[str]:
    """``lhip`` and ``rhip`` as ``left_hip`` and ``right_hip``: letters are sides where both are there."""
    for joint in joints:
        rest = joint[1:]
        there = {side for side in _BOTH if f"{side[0]}{rest}" in joints or f"{side}_{rest}" in joints}
        side = next((side for side in _BOTH if joint == f"{side[0]}{rest}" and len(there) == 2), None)
        yield f"{side}_{rest}" if side else joint


def _sides(joints: Sequence[str]) -> list[tuple[str, str]]:
    """Each left joint with the right one of the same name, where there is one."""
    both = [(joint, f"right_{joint.removeprefix('left_')}") for joint in joints if joint.startswith("left_")]
    return [(left, right) for left, right in both if right in joints]
