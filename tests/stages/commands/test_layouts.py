"""``pipeline layouts``."""

from pathlib import Path

import cv2
import pytest
from command_line import command

from recognizer.skeletons import LAYOUTS, Layout, layout
from stages.commands.layout_drawing import draw_layout, positions
from stages.commands.layouts import conversions, joints_of


def pipeline(*arguments: str, code: int = 0) -> str:
    done = command("layouts", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_all_are_listed() -> None:
    lines = pipeline().splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [[one.name, str(one.count)] for one in LAYOUTS.values()]
    assert all(one.about for one in LAYOUTS.values())


def test_one_is_shown_joint_by_joint() -> None:
    assert joints_of(layout("coco17"))[9] == ("9", "left_wrist", "left_elbow", "right_wrist")
    assert joints_of(layout("coco17"))[0][3] == ""
    assert conversions(layout("openpose18"))[0] == "coco17 (17 of 17)"
    assert "25 joints, 24 limbs" in pipeline("body25")


def test_ones_own_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("joints: [head, left_wing, right_wing]\nedges: [[head, left_wing]]")
    out = tmp_path / "own.png"
    assert pipeline(str(tmp_path / "own.yaml"), "--draw", str(out)).endswith(f"{out}\n")
    picture = cv2.imread(str(out))
    assert picture is not None and picture.std() > 5


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_joint_has_a_place_of_its_own(name: str, tmp_path: Path) -> None:
    places = positions(layout(name))
    assert len(set(places.values())) == layout(name).count
    assert all(abs(x) < 0.4 for x, _ in places.values())
    assert all(places[layout(name).joints[left]][0] > 0 for left, _ in layout(name).pairs)


def test_joints_of_unknown_names_stand_beside() -> None:
    found = positions(Layout.from_names("own", ["head", "tail", "wing"]))
    assert found["tail"][0] == found["wing"][0] > 0.4 and found["tail"] != found["wing"]


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    assert "did you mean 'kinect20'" in pipeline("kinekt", code=2)
    assert "cannot be read" in pipeline("none.yaml", code=2)
    assert "name the layout" in pipeline("--draw", "a.png", code=2)
    with pytest.raises(ValueError, match="not supported"):
        draw_layout(layout("coco17"), tmp_path / "a.txt")
