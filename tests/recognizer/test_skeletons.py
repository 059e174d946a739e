import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recognizer.skeletons import LAYOUTS, find_layout, installed_layouts, layout, layout_text


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


OWN = """
joints: [head, left_wing, right_wing, left_foot, right_foot, tail]
edges:
  - [head, tail]
  - [left_wing, head]
about: for birds
"""


def test_a_layout_of_ones_own_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "bird6.yaml").write_text(OWN)
    bird = find_layout("bird6.yaml", tmp_path)
    assert (bird.name, bird.count, bird.about) == ("bird6", 6, "for birds")
    assert (bird.edges, bird.pairs) == (((0, 5), (1, 0)), ((1, 2), (3, 4)))
    assert bird.flip == (0, 2, 1, 4, 3, 5)
    (tmp_path / "bird6.yaml").write_text(OWN + "name: parrot\npairs: [[left_foot, right_foot]]\n")
    parrot = find_layout(str(tmp_path / "bird6.yaml"))
    assert (parrot.name, parrot.pairs) == ("parrot", ((3, 4),))


def test_the_text_of_a_layout_of_ones_own_means_the_same_without_the_file(tmp_path: Path) -> None:
    (tmp_path / "bird6.yaml").write_text(OWN)
    bird = find_layout("bird6.yaml", tmp_path)
    text = layout_text(bird)
    program = "import sys; from recognizer.skeletons import layout; print(layout(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", program, text], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(replace(bird, about=""))
    assert layout(text) == bird == find_layout(OWN + "name: bird6")
    assert [layout_text(layout(name)) for name in LAYOUTS] == list(LAYOUTS)
    again = replace(layout("coco17"), about="whatever it is from")
    assert layout_text(again) == "coco17"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("joints: [a, b, a]", "joints: a occurs twice"),
        (
            "joints: [head, tail]\nedges: [[head, tial]]",
            r"edges: \[head, tial\]: no joint is called tial; did you mean tail",
        ),
        ("joints: [head]\nedges: [[head, head]]", "two different joints are needed"),
        ("joints: [head]\nedges: [[head]]", "edges.0: List should have at least 2 items"),
        ("joints: [left_wing, head]", r"pairs: \[left_wing, right_wing\]: no joint is called right_wing"),
        ("joints: [a, b, c]\npairs: [[a, b], [b, c]]", "pairs: b is in more than one pair"),
        ("joints: []", "joints: List should have at least 1 item"),
        ("joints: [1, 2]", "joints.0: Input should be a valid string"),
        ("joint: [a]", "joints: Field required"),
        ("joints: [a]\ncolor: red", "color: Extra inputs are not permitted"),
        ("[a, b]", "is a mapping of name, joints, edges and pairs"),
        ("joints: [a", "not YAML, line 1"),
        (
            "joints: !!python/object/apply:os.system ['touch evil']",
            "not YAML, line 1: could not determine a constructor",
        ),
        ("name: coco17\njoints: [a]", "coco17 is the name of a built-in layout with other joints or limbs"),
        ("joints: [a] #" + "x" * 70_000, "at most 64,000 characters"),
        ("[" * 30_000, "neither JSON nor YAML: RecursionError"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\njoints: [*c, *c]", "joints.0: Input should be a valid string"),
    ],
)
def test_what_is_wrong_with_a_definition_is_said(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        find_layout("own.yaml", tmp_path)
    assert str(error.value).startswith((f"layout file {tmp_path / 'own.yaml'}: ", "coco17 is the name"))
    assert not Path("evil").exists()


def test_files_and_names_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match=r"layout file none\.yaml cannot be read"):
        find_layout("none.yaml")
    with pytest.raises(ValueError, match="or a YAML file of your own"):
        find_layout("stickman")
    with pytest.raises(ValueError, match="no joint layout is called"):
        layout("somewhere.yaml")  # a table never makes anybody read a file


def test_layouts_of_installed_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "birds-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: birds\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[action_pipeline.layouts]\nbird2 = birds_of:BIRD\nbad2 = birds_of:NUMBER\nnone2 = birds_of:NOTHING\n"
    )
    (tmp_path / "birds_of.py").write_text(
        "from recognizer.skeletons import Layout\n"
        "BIRD, NUMBER = Layout.from_names('bird2', ['head', 'tail'], [('head', 'tail')]), 2\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert {"bird2", "bad2", "none2"} <= set(installed_layouts())
    bird = find_layout("bird2")
    assert bird.joints == ("head", "tail") and layout(layout_text(bird)) == bird
    with pytest.raises(ValueError, match=r"birds_of:NUMBER is not a recognizer\.skeletons\.Layout"):
        find_layout("bad2")
    with pytest.raises(ValueError, match="layout none2 of birds_of:NOTHING cannot be imported"):
        find_layout("none2")


def test_layouts_load_no_torch() -> None:
    program = "import sys, recognizer.skeletons; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
