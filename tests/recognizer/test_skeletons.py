import subprocess
import sys

import pytest

from recognizer.skeletons import LAYOUTS, layout


@pytest.mark.parametrize("name,count", [("coco17", 17), ("pennaction13", 13), ("ntu25", 25)])
def test_layout_is_consistent(name: str, count: int) -> None:
    own = layout(name)
    assert own.count == len(set(own.joints)) == count
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
    assert set(LAYOUTS) == {"coco17", "pennaction13", "ntu25"}


def test_layouts_load_no_torch() -> None:
    program = "import sys, recognizer.skeletons; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
