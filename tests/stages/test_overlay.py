import numpy as np
import pytest

from recognizer.skeletons import COCO17, LAYOUTS
from stages.overlay import PALETTES, draw_skeletons

H, W = 240, 320


def skeleton(**joints: tuple[float, float, float]) -> np.ndarray:
    """Keypoints 1,R,3 of COCO with only the joints given."""
    keypoints = np.zeros((1, COCO17.count, 3), np.float32)
    for name, values in joints.items():
        keypoints[0, COCO17.joints.index(name)] = values
    return keypoints


def pixel(x: int, y: int, score: float = 1.0) -> tuple[float, float, float]:
    return (x + 0.5) / W, (y + 0.5) / H, score


def test_joints_have_the_color_of_their_side_at_their_pixel() -> None:
    image = np.full((H, W, 3), 100, np.uint8)
    points = skeleton(left_wrist=pixel(200, 50), right_wrist=pixel(40, 180), nose=pixel(120, 100))
    drawn = draw_skeletons(image, points, "coco17")
    assert tuple(drawn[50, 200]) == PALETTES[0].left
    assert tuple(drawn[180, 40]) == PALETTES[0].right
    assert tuple(drawn[100, 120]) == PALETTES[0].center
    assert (image == 100).all(), "the image given stays as it is"
    assert (drawn[:20] == 100).all()


def test_limbs_run_between_present_joints_only() -> None:
    image = np.zeros((H, W, 3), np.uint8)
    both = skeleton(left_elbow=pixel(60, 60), left_wrist=pixel(160, 60))
    assert tuple(draw_skeletons(image, both, "coco17")[60, 110]) == PALETTES[0].left
    one = skeleton(left_elbow=pixel(60, 60), left_wrist=pixel(160, 60, score=0.0))
    drawn = draw_skeletons(image, one, "coco17")
    assert not drawn[60, 110].any() and not drawn[60, 160].any()


def test_a_limb_from_side_to_side_is_of_neither() -> None:
    shoulders = skeleton(left_shoulder=pixel(60, 60), right_shoulder=pixel(160, 60))
    drawn = draw_skeletons(np.zeros((H, W, 3), np.uint8), shoulders, "coco17")
    assert tuple(drawn[60, 110]) == PALETTES[0].center


def test_unsure_joints_let_the_image_through() -> None:
    unsure = skeleton(nose=pixel(100, 100, score=0.1))
    drawn = draw_skeletons(np.zeros((H, W, 3), np.uint8), unsure, "coco17")
    assert 100 < drawn[100, 100, 0] < 150


def test_persons_differ_and_the_first_is_on_top() -> None:
    image = np.zeros((H, W, 3), np.uint8)
    apart = np.concatenate([skeleton(left_wrist=pixel(50, 50)), skeleton(left_wrist=pixel(150, 50))])
    drawn = draw_skeletons(image, apart, "coco17")
    assert tuple(drawn[50, 150]) == PALETTES[1].left
    together = np.concatenate([skeleton(left_wrist=pixel(50, 50))] * 2)
    assert tuple(draw_skeletons(image, together, "coco17")[50, 50]) == PALETTES[0].left


@pytest.mark.parametrize("name", LAYOUTS)
def test_any_coordinates_can_be_drawn(name: str) -> None:
    keypoints = np.random.default_rng(0).uniform(-3, 3, (3, LAYOUTS[name].count, 3)).astype(np.float16)
    keypoints[0, :3] = np.nan, np.inf, 1
    keypoints[1, :3, :2] = 65504
    drawn = draw_skeletons(np.zeros((1080, 1920, 3), np.uint8), keypoints, name)
    assert drawn.shape == (1080, 1920, 3) and drawn.any()
    nobody = draw_skeletons(np.zeros((8, 8, 3), np.uint8), keypoints[:0], name)
    assert not nobody.any()


def test_keypoints_of_another_layout_are_refused() -> None:
    with pytest.raises(ValueError, match="M,13,3"):
        draw_skeletons(np.zeros((8, 8, 3), np.uint8), np.zeros((1, 17, 3)), "pennaction13")
