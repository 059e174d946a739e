"""Skeletons as an estimator would find them: shapes, gaps, and what stays recognizable."""

import numpy as np

from recognizer.skeletons import COCO17
from stages.synthetic.estimated import draw_set, seen_clip
from stages.synthetic.programs import random_action


def test_a_clip_has_the_joints_that_are_in_the_picture() -> None:
    for number in range(60):
        rng = np.random.default_rng(number)
        clip = seen_clip(random_action(rng, two=number % 2 == 0), rng, frames=12)
        assert clip.shape[0] in (1, 2) and clip.shape[1:] == (12, 17, 3) and clip.dtype == np.float32
        assert np.isfinite(clip).all() and ((clip[..., 2] >= 0) & (clip[..., 2] <= 1)).all()
        seen = clip[..., 2] > 0
        assert ((clip[..., :2] >= 0) & (clip[..., :2] <= 1)).all(-1)[seen].all()
        assert seen.mean() > 0.1


def test_people_stand_upright_and_left_is_left_of_right_where_they_face_the_camera() -> None:
    names = COCO17.joints
    head, ankle = names.index("nose"), names.index("left_ankle")
    above = []
    for number in range(60):
        rng = np.random.default_rng(number)
        clip = seen_clip(random_action(rng, two=False), rng, frames=12)[0]
        both = (clip[:, head, 2] > 0) & (clip[:, ankle, 2] > 0)
        above += (clip[both, head, 1] < clip[both, ankle, 1]).tolist()
    assert np.mean(above) > 0.9


def test_a_set_is_determined_by_its_seed_and_each_clip_by_its_name() -> None:
    clips = [(0, "train", 0), (0, "train", 1), (1, "val", 0)]
    whole, again, other = draw_set(1, clips, 6), draw_set(1, clips, 6), draw_set(2, clips, 6)
    assert all(np.array_equal(whole[name], again[name]) for name in whole)
    assert not np.array_equal(whole["keypoints"], other["keypoints"])
    alone = draw_set(1, clips[2:], 6)
    assert np.array_equal(alone["keypoints"], whole["keypoints"][12:])
    assert whole["offsets"].tolist() == [0, 6, 12, 18]
    assert whole["name"].tolist() == ["train/000/0000", "train/000/0001", "val/001/0000"]
