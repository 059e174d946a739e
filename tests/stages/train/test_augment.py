import numpy as np
import pytest

from recognizer.skeletons import layout
from stages.cache.shards import Sample
from stages.train.augment import (
    View,
    apply_view,
    fixed_views,
    jitter_joints,
    mirror_keypoints,
    random_view,
    turn_people,
)
from stages.train.recipe import Augmentation


def dotted(count: int = 3, size: int = 64) -> Sample:
    """A dot that wanders, with the left wrist of one person on it."""
    rng = np.random.default_rng(0)
    frames = np.full((count, size, size, 3), 50, np.uint8)
    keypoints = np.zeros((1, count, 17, 3), np.float32)
    rows, columns = np.mgrid[:size, :size]
    for t, (x, y) in enumerate(rng.uniform(0.35, 0.65, (count, 2))):
        frames[t][np.hypot(columns + 0.5 - x * size, rows + 0.5 - y * size) < 3] = 250
        keypoints[0, t, layout("coco17").joints.index("left_wrist")] = x, y, 1
    return Sample("a", frames, keypoints)


def dot(image: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(image[..., 0] > 150)
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5]) / len(image)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("angle", [0, 25, -60])
def test_pixels_and_joints_move_turn_and_mirror_together(angle, flip):
    view = View((2, 0), left=0.1, top=0.2, side=0.7, angle=angle, flip=flip)
    frames, keypoints = apply_view(dotted(), view, 96, "coco17")[1:]
    wrist = layout("coco17").joints.index("right_wrist" if flip else "left_wrist")
    assert frames.shape == (2, 96, 96, 3)
    assert (np.flatnonzero(keypoints[0, 0, :, 2]) == [wrist]).all()
    for image, joint in zip(frames, keypoints[0, :, wrist], strict=True):
        assert joint[:2] == pytest.approx(dot(image), abs=0.01)


def test_skeletons_alone_get_the_same_view():
    view = View((0, 1, 2), left=0.125, top=0.25, side=0.5)
    both, alone = (
        apply_view(dotted(), view, 64, "coco17"),
        apply_view(dotted()._replace(frames=None), view, 64, "coco17"),
    )
    assert alone.keypoints == pytest.approx(both.keypoints, abs=1e-6)


def test_mirroring_twice_changes_nothing():
    keypoints = np.random.default_rng(0).uniform(0.1, 0.9, (2, 3, 17, 3)).astype(np.float32)
    assert mirror_keypoints(mirror_keypoints(keypoints, "coco17"), "coco17") == pytest.approx(keypoints, abs=1e-6)


def test_people_turn_about_the_vertical_axis():
    rng = np.random.default_rng(0)
    space = rng.uniform(-0.2, 0.2, (4, 17, 3))  # x, y, z
    seen = [np.stack([space[..., i] + 0.5, space[..., 1] + 0.5, np.ones((4, 17))], axis=-1) for i in (0, 2)]
    keypoints = np.stack(seen).astype(np.float32)
    keypoints[1, 2, 5] = 0
    front, side = apply_view(Sample("a", None, keypoints), View((0, 1, 2, 3), turn=90), 64, "coco17").keypoints
    assert not front[2, 5].any() and not side[2, 5].any()
    known = front[..., 2] > 0
    assert known.sum() == 4 * 17 - 1
    assert front[known][:, :2] == pytest.approx((space[known][:, [2, 1]] * (-1, 1)) + 0.5, abs=1e-6)
    assert side[known][:, :2] == pytest.approx(space[known][:, [0, 1]] + 0.5, abs=1e-6)
    back = turn_people(turn_people(keypoints, 40), -40)
    assert back[:, known] == pytest.approx(keypoints[:, known], abs=1e-6)


def test_turning_leaves_all_other_draws_as_they_are():
    plain, turned = (random_view(Augmentation(turn=turn), np.random.default_rng(0), 48, 8) for turn in (0, 30))
    assert turned._replace(turn=0) == plain
    assert 0 < abs(turned.turn) <= 30


def test_random_frames_are_frames_of_the_clip():
    rng = np.random.default_rng(0)
    assert all(0 <= i < 7 for _ in range(200) for i in random_view(Augmentation(speed=0.9), rng, 7, 12).frames)


def test_people_are_as_large_at_test_as_in_the_middle_of_training():
    assert Augmentation(scale=(0.7, 1.0)).test_scale == pytest.approx(0.85)
    assert Augmentation(scale=(0.875, 0.875)).test_scale == 0.875


def test_fixed_views_differ_and_begin_in_the_middle():
    assert fixed_views(4, 4, 1, 1.0, flip=True) == [View((0, 1, 2, 3))]
    assert fixed_views(4, 4, 10, 1.0, flip=True) == [View((0, 1, 2, 3)), View((0, 1, 2, 3), flip=True)]
    views = fixed_views(48, 12, 10, 0.875, flip=False)
    assert len(set(views)) == len({view.frames for view in views}) == 4
    assert all((view.left, view.side) == (0.0625, 0.875) for view in views)


@pytest.mark.parametrize("flip", [False, True])
def test_one_view_is_the_first_of_several(flip):
    (middle,) = fixed_views(48, 6, 1, 0.875, flip)
    assert all(fixed_views(48, 6, views, 0.875, flip)[0] == middle for views in range(1, 12))
    first = [view.frames[0] for view in fixed_views(48, 6, 4, 0.875, flip=False)]
    assert first[0] == 4 and min(first[1:3]) < 4 < max(first[1:3])


def test_brightness_and_contrast_keep_the_range():
    sample = dotted()._replace(keypoints=None)
    brighter = apply_view(sample, View((0,), brightness=0.2), 64, "coco17").frames
    assert brighter.min() == 101 and brighter.max() == 255
    flatter = apply_view(sample, View((0,), contrast=-0.5), 64, "coco17").frames
    assert flatter.max() - flatter.min() == pytest.approx(100, abs=1)


def test_jittered_joints():
    sample = Sample("a", None, np.full((2, 50, 17, 3), 0.5, np.float32))
    found = jitter_joints(sample, Augmentation(joint_noise=0.01, joint_drop=0.25), np.random.default_rng(0)).keypoints
    there = found[..., 2] > 0
    assert there.mean() == pytest.approx(0.75, abs=0.05)
    assert found[there][:, :2].std() == pytest.approx(0.01, rel=0.1)
    assert not found[~there].any()
    assert (sample.keypoints == 0.5).all()
