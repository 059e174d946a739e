import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recognizer.skeletons import LAYOUTS, layout


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout_is_consistent(name: str) -> None:
    own = layout(name)
    count = int(name[-2:])
    assert own.count == len(set(own.joints)) == count
    # Whoever has a left side has a right one.
    assert len(own.pairs) * 2 == sum(joint.startswith(("left", "right")) for joint in own.joints)
    assert [own.flip[i] for i in own.flip] == list(range(count))
    assert all(own.joints[a].replace("left", "right") == own.joints[b] and a != b for a, b in own.pairs)
    # The limbs link all joints to one body.
    reached = {0}
    for _ in own.joints:
        reached |= {joint for edge in own.edges if reached & set(edge) for joint in edge}
    assert reached == set(range(count))
    mirrored = {frozenset((own.flip[a], own.flip[b])) for a, b in own.edges}
    assert mirrored == {frozenset(edge) for edge in own.edges}


def test_unknown_layout_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'coco17'"):
        layout("coco_17")


# What the authors of these sets call the joints that have another name here.
OWN_NAMES = {
    "hip center": "spine_base",
    "spine": "spine_middle",
    "shoulder center": "neck",
    "face": "head",
}


@pytest.mark.parametrize(
    "name,file",
    [
        ("kinect20", "msr_action3d"),
        ("kinect20", "utkinect"),
        ("jhmdb15", "jhmdb14_skeletons"),
        ("openpose18", "uav_gesture_openpose"),
    ],
)
def test_order_is_that_of_published_skeletons(name: str, file: str, shared_data: Path) -> None:
    with np.load(shared_data / "skeleton_sets" / f"{file}.npz", allow_pickle=False) as arrays:
        published = [re.sub(r"(?<=[a-z])(?=[A-Z])", " ", joint).lower() for joint in arrays["joint_names"]]
    names = [OWN_NAMES.get(joint, joint) for joint in published]
    # "HipLeft" is "left_hip".
    sides = [re.sub(r"^(\w+) (left|right)$", r"\2 \1", joint).replace(" ", "_") for joint in names]
    assert tuple(sides) == layout(name).joints


def test_layouts_load_no_torch() -> None:
    program = "import sys, recognizer.skeletons; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
