"""The drawn clips themselves: determinism, pairs of classes, keypoints and boxes."""

import numpy as np
import pytest

from recognizer.skeletons import COCO17
from stages.synthetic.actions import ACTIONS
from stages.synthetic.clip import Clip, draw

SIZE = 64


def clip(action: str, number: int = 0, seed: int = 5) -> Clip:
    return Clip(seed, "train", action, number, SIZE)


def test_equal_specifications_give_equal_clips() -> None:
    one, two = draw(clip("push")), draw(clip("push"))
    assert all((a == b).all() for a, b in zip(one.frames, two.frames, strict=True))
    assert (one.keypoints == two.keypoints).all()


@pytest.mark.parametrize("change", [{"seed": 6}, {"number": 1}, {"split": "test"}])
def test_every_part_of_the_specification_counts(change: dict[str, object]) -> None:
    one, other = draw(clip("squat")), draw(clip("squat")._replace(**change))
    assert one.keypoints.shape != other.keypoints.shape or not np.allclose(one.keypoints, other.keypoints)


@pytest.mark.parametrize(("bare", "holding"), [("lift", "lift_box"), ("throw", "throw_ball")])
@pytest.mark.parametrize("number", range(3))
def test_pairs_move_alike_and_look_different(bare: str, holding: str, number: int) -> None:
    one, other = draw(clip(bare, number)), draw(clip(holding, number))
    assert one.fps == other.fps
    assert (one.keypoints == other.keypoints).all()
    assert not np.allclose(one.frames[0], other.frames[0], atol=20)


@pytest.mark.parametrize(("motion", "joint"), [("wave", "wrist"), ("kick", "ankle")])
def test_left_and_right_classes_move_the_limb_they_name(motion: str, joint: str) -> None:
    for side, other in (("left", "right"), ("right", "left")):
        for number in range(3):
            keypoints = draw(clip(f"{motion}_{side}", number)).keypoints[0]
            spread = {
                name: keypoints[:, COCO17.joints.index(f"{name}_{joint}"), :2].std(0).sum() for name in (side, other)
            }
            assert spread[side] > 1.2 * spread[other]


@pytest.mark.parametrize("action", ACTIONS)
def test_people_stand_in_the_frame(action: str) -> None:
    for number in range(2):
        drawn = draw(clip(action, number))
        people = 2 if action in ("push", "handshake") else 1
        frames = len(drawn.frames)
        height, width = drawn.frames[0].shape[:2]
        assert drawn.keypoints.shape == (people, frames, COCO17.count, 3)
        assert drawn.boxes.shape == (people, frames, 4)
        assert 24 <= frames <= 48
        assert height == SIZE and width in (SIZE, SIZE * 4 // 3 // 2 * 2)
        inside = drawn.keypoints[..., 2] == 1
        assert inside.mean() > 0.95
        assert set(np.unique(drawn.keypoints[..., 2])) <= {0.0, 1.0}
        places = drawn.keypoints[inside][:, :2]
        assert (places >= -0.5).all() and (places <= np.array([width, height]) - 0.5).all()
        low, high = drawn.boxes[..., None, :2], drawn.boxes[..., None, 2:]
        within = ((drawn.keypoints[..., :2] >= low) & (drawn.keypoints[..., :2] <= high)).all(-1)
        assert within[inside].all()


def test_keypoints_lie_on_the_person() -> None:
    """Where the hips are, most frames show one color: that of the trousers."""
    drawn = draw(clip("wave_left"))
    x, y = drawn.keypoints[0, :, COCO17.joints.index("left_hip"), :2].round().astype(int).T
    colors = np.stack([image[b, a] for image, a, b in zip(drawn.frames, x, y, strict=True)]).astype(float)
    assert (np.abs(colors - np.median(colors, 0)).max(1) < 25).mean() > 0.8
