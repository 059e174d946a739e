"""From one joint layout to another."""

import numpy as np
import pytest

from recognizer.skeletons import LAYOUTS, Layout, layout
from stages.skeletons.conversion import convert, convertible, lacking_text


def numbered(source: Layout) -> np.ndarray:
    """1,2,R,3 whose x is the number of the joint."""
    keypoints = np.ones((1, 2, source.count, 3))
    keypoints[..., 0] = np.arange(source.count)
    return keypoints


@pytest.mark.parametrize("source", LAYOUTS)
@pytest.mark.parametrize("target", LAYOUTS)
def test_joints_go_where_their_name_is(source: str, target: str) -> None:
    a, b = layout(source), layout(target)
    shared = [joint for joint in b.joints if joint in a.joints]
    if len(shared) * 2 < b.count:
        with pytest.raises(ValueError, match=f"{source} lacks {b.count - len(shared)} of the {b.count} joints of"):
            convert(numbered(a), a, b)
        return
    found = convert(numbered(a), a, b)
    assert found.shape == (1, 2, b.count, 3)
    for joint, name in enumerate(b.joints):
        wanted = [a.joints.index(name), 1, 1] if name in a.joints else [0, 0, 0]
        assert found[0, 1, joint].tolist() == wanted


def test_which_layouts_share_what() -> None:
    """COCO's joints are all in the layouts that extend it."""
    extending = ("openpose18", "body25", "halpe26", "mediapipe33")
    assert not any(layout(name).lacks(layout("coco17").joints) for name in extending)
    assert layout("coco17").lacks(layout("openpose18").joints) == ["neck"]
    assert layout("ntu25").lacks(layout("kinect20").joints) == []
    assert layout("kinect20").lacks(layout("jhmdb15").joints) == ["belly"]
    assert not convertible(layout("coco17"), layout("ntu25"))
    assert lacking_text(layout("body25"), layout("coco17")) == "body25 lacks none of the 17 joints of coco17"
    assert lacking_text(layout("coco17"), layout("openpose18")) == "coco17 lacks 1 of the 18 joints of openpose18: neck"
