"""Names of joints as people write them."""

import pytest

from recognizer.skeletons import LAYOUTS
from stages.skeletons.joint_names import layout_of_names, plain_name


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("left_hip", "left_hip"),
        ("HipLeft", "left_hip"),
        ("left hip", "left_hip"),
        ("LHip", "left_hip"),
        ("Hip-L", "left_hip"),
        ("RBigToe", "right_big_toe"),
        ("Nose", "nose"),
        ("HandTipRight", "right_hand_tip"),
        ("thorax", "thorax"),
        ("RIGHT_ANKLE", "right_ankle"),
    ],
)
def test_one_spelling(written: str, plain: str) -> None:
    assert plain_name(written) == plain


@pytest.mark.parametrize("name", LAYOUTS)
def test_built_in_layouts_are_recognized(name: str) -> None:
    assert layout_of_names(LAYOUTS[name].joints, "own") is LAYOUTS[name]


def test_another_order_is_another_layout() -> None:
    own = layout_of_names(LAYOUTS["coco17"].joints[::-1], "own")
    assert own.name == "own" and len(own.pairs) == 8
    with pytest.raises(ValueError, match="left_hip occurs twice"):
        layout_of_names(["left hip", "LHip"], "own")


def test_letters_are_sides_where_both_are_there() -> None:
    own = layout_of_names(["root", "lfemur", "rfemur", "LHip", "rhip", "lowerback", "lt knee", "Rt knee"], "own")
    assert own.joints == (
        *("root", "left_femur", "right_femur", "left_hip", "right_hip", "lowerback"),
        *("left_knee", "right_knee"),
    )
    assert len(own.pairs) == 3
    glued = [name.replace("left_", "l").replace("right_", "r") for name in LAYOUTS["coco17"].joints]
    assert layout_of_names(glued, "own") is LAYOUTS["coco17"]
