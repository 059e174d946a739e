from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline.stage_inputs import TableFiles
from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from stages.explanation.attention import ClipAttention, attended, by_frame, multiples, on_group, on_people, people
from stages.predict.views import mean_probabilities

MakeClip = Callable[..., ClipAttention]
MadeSet = Callable[..., tuple[pa.Table, TableFiles]]


def test_a_point_between_two_frames_is_in_both() -> None:
    points = np.array([[0.5, 0.5, 0.0], [0.5, 0.5, 1.25], [0.5, 0.5, 3.0]])
    weight = by_frame(points, np.array([0.2, 0.4, 0.4]), frames=4)
    np.testing.assert_allclose(weight, [[0.2, 0, 0], [0, 0.3, 0], [0, 0.1, 0], [0, 0, 0.4]])


def test_attention_on_people(make_clip: MakeClip) -> None:
    grid = np.stack(np.meshgrid(*[(np.arange(64) + 0.5) / 64] * 2, np.arange(3.0)), axis=-1).reshape(-1, 3)
    keypoints = make_clip().sample.keypoints
    even = on_people(keypoints, grid, np.full(len(grid), 1 / len(grid)))
    assert even.attention == pytest.approx(even.even)
    assert 0.03 < even.even < 0.09  # a box of 0.2 by 0.2 and its margin
    there, elsewhere = np.array([[0.3, 0.5, 0.0]]), np.array([[0.95, 0.5, 0.0]])
    assert on_people(keypoints, there, np.ones(1)).attention == 1
    assert on_people(keypoints, elsewhere, np.ones(1)).attention == 0
    assert not people(np.zeros_like(keypoints)).any()


def test_groups_and_multiples_of_the_even_share(make_clip: MakeClip) -> None:
    clip = make_clip()
    (block,) = clip.blocks
    ratio = multiples(clip, block)
    assert np.isnan(ratio[1]).all()
    np.testing.assert_allclose(ratio[0], 1)
    assert block.joints_weight is not None
    block.joints_weight[0, :, 9] *= 3  # the left wrist
    arms, legs = on_group("arms", clip, block), on_group("legs", clip, block)
    assert (arms.attention, arms.even) == (pytest.approx(6 / 19), pytest.approx(4 / 17))
    assert (legs.attention, legs.even) == (pytest.approx(4 / 19), pytest.approx(4 / 17))
    np.testing.assert_allclose(multiples(clip, block)[0, :, 9], 3 * 17 / 19)


@pytest.mark.parametrize("modality", ["rgb+pose", "rgb", "pose"])
def test_a_clip_of_the_shards(made_set: MadeSet, modality: Any) -> None:
    """What is explained is what predict predicts, on the frames that it sees."""
    _, shards = made_set(count=3, frames=6)
    torch.manual_seed(0)
    sizes = {"frames": 4, "size": 32, "width": 8, "temperature": 0.4, "validation_clips": 20}
    config = RecognizerConfig(class_names=("right", "down"), modality=modality, **sizes)
    recognizer = Recognizer(config).eval()
    row = shards.read().to_pylist()[1]
    found = attended(recognizer, row)
    (probabilities,) = mean_probabilities(recognizer, [row], views=1, batch=1).values()
    assert found.probability == pytest.approx(max(probabilities))
    assert found.predicted == config.class_names[int(np.argmax(probabilities))]
    assert found.times == pytest.approx([0.0, 0.2, 0.3, 0.5])
    assert len(found.blocks) == config.blocks
    for block in found.blocks:
        assert (block.points is None) == (modality == "pose") and (block.joints_weight is None) == (modality == "rgb")
        if block.points is not None and block.points_weight is not None:
            assert block.points.shape == (len(block.points_weight), 3) and 0 < block.points_weight.sum() < 1
        if block.joints_weight is not None and block.joints_even is not None:
            assert block.joints_weight.shape == block.joints_even.shape == (2, 4, 17)
