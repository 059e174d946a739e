"""What a recognizer attends to in a clip of the shards, and the shares of people and groups of joints."""

from typing import NamedTuple

import numpy as np

from pipeline.stage import Row
from recognizer.explanation import explain
from recognizer.model import Recognizer
from recognizer.skeletons import layout
from stages.cache.shards import Sample
from stages.frame_sampling import sample_frames
from stages.predict.views import views_of
from stages.train.batches import collate

GROUPS = {
    "arms": ("elbow", "wrist", "hand", "hand_tip", "thumb", "index", "pinky"),
    "legs": ("knee", "ankle", "foot", "heel", "big_toe", "small_toe", "foot_index"),
}
"""Groups of joints, without their side; all others belong to the head and trunk."""
GRID = 64
"""Cells per side of the grid that separates people from the background."""
MARGIN = 0.1
"""Margin around a person's joints, as a share of the longer side of their box, for hands, feet and the head."""


class BlockAttention(NamedTuple):
    """The attention of one block of the network; None for parts that it lacks. See ``recognizer.explanation``."""

    points: np.ndarray | None  # K,3: x and y relative to the frame, t in frames
    points_weight: np.ndarray | None  # K
    joints_weight: np.ndarray | None  # M,T,R
    joints_even: np.ndarray | None  # M,T,R: what the weights would be with even attention to all joints


class ClipAttention(NamedTuple):
    """A clip as the network sees it, its predicted class, and what the network attends to."""

    sample: Sample
    layout: str
    times: list[float] | None  # seconds of the frames, if the shards have them
    predicted: str
    probability: float
    blocks: tuple[BlockAttention, ...]

    @property
    def present(self) -> np.ndarray:
        """The joints that are present: bool M,T,R."""
        assert self.sample.keypoints is not None
        return self.sample.keypoints[..., 2] > 0


class Share(NamedTuple):
    """A share of the attention, and what it would be with even attention."""

    attention: float
    even: float


def attended(recognizer: Recognizer, shard: Row) -> ClipAttention:
    """Pass the middle view of a shard's clip through the network. Raises StageError if the two do not fit together."""
    config = recognizer.config
    (sample,) = views_of(shard, config, views=1)
    batch = collate([sample], next(recognizer.parameters()).device)
    explanation = explain(recognizer, batch.frames, batch.keypoints)
    probabilities = (explanation.logits[0].float() / config.temperature).softmax(-1)
    best = int(probabilities.argmax())
    blocks = []
    for sampled_points, joints in explanation.blocks:
        points = weight = received = even = None
        if sampled_points is not None:
            points = sampled_points.points_BK3[0].cpu().numpy()
            weight = sampled_points.from_modal_BK[0].cpu().numpy()
        if joints is not None:
            received, even = (
                weight_BTJ[0].unflatten(1, (-1, config.joints)).transpose(0, 1).cpu().numpy()
                for weight_BTJ in (joints.from_modal_BTJ, joints.even_BTJ)
            )
        blocks.append(BlockAttention(points, weight, received, even))
    times = shard["times"]
    return ClipAttention(
        sample,
        config.layout,
        [times[i] for i in sample_frames(len(times), config.frames)] if times else None,
        config.class_names[best],
        float(probabilities[best]),
        tuple(blocks),
    )


def by_frame(points_K3: np.ndarray, weight_K: np.ndarray, frames: int) -> np.ndarray:
    """The weights of the points in every frame: T,K. A point between two frames counts partly in both."""
    distance_TK = np.abs(np.arange(frames)[:, None] - points_K3[:, 2])
    return np.clip(1 - distance_TK, 0, None) * weight_K


def on_people(keypoints_MTR3: np.ndarray, points_K3: np.ndarray, weight_K: np.ndarray) -> Share:
    """The share of the attention to points inside people's boxes; even: the share of these boxes' area."""
    inside_THW = people(keypoints_MTR3)
    weight_TK = by_frame(points_K3, weight_K, len(inside_THW))
    column_K, row_K = (points_K3[:, :2] * GRID).astype(int).clip(0, GRID - 1).T
    total = float((weight_TK * inside_THW[:, row_K, column_K]).sum())
    return Share(total / float(weight_TK.sum()), float(inside_THW.mean()))


def people(keypoints_MTR3: np.ndarray) -> np.ndarray:
    """Which cells of every frame are inside a person's box: bool T,GRID,GRID."""
    center = (np.arange(GRID) + 0.5) / GRID
    inside_THW = np.zeros((keypoints_MTR3.shape[1], GRID, GRID), bool)
    for person in keypoints_MTR3:
        for inside_HW, joints_R3 in zip(inside_THW, person, strict=True):
            places = joints_R3[joints_R3[:, 2] > 0, :2]
            if len(places):
                low, high = places.min(0), places.max(0)
                margin = MARGIN * (high - low).max()
                within = (center[:, None] >= low - margin) & (center[:, None] <= high + margin)
                inside_HW |= within[:, 1][:, None] & within[:, 0]
    return inside_THW


def on_group(name: str, clip: ClipAttention, block: BlockAttention) -> Share:
    """The share of the attention to joints that one of GROUPS gets."""
    joints = [joint.removeprefix("left_").removeprefix("right_") for joint in layout(clip.layout).joints]
    chosen = [r for r, joint in enumerate(joints) if joint in GROUPS[name]]
    weight, even = _joint_weights(block)
    return Share(*(float(w[..., chosen].sum() / w.sum()) if w.any() else 0.0 for w in (weight, even)))


def multiples(clip: ClipAttention, block: BlockAttention) -> np.ndarray:
    """The attention to every joint in multiples of its even share: M,T,R, NaN where a joint is missing.

    Both are shares of the attention to joints, without what goes to the modal tokens.
    """
    weight, even = _joint_weights(block)
    valid = clip.present
    ratio = np.full(even.shape, np.nan)
    if valid.any():
        ratio[valid] = weight[valid] / weight.sum() / (even[valid] / even.sum())
    return ratio


def _joint_weights(block: BlockAttention) -> tuple[np.ndarray, np.ndarray]:
    assert block.joints_weight is not None and block.joints_even is not None
    return block.joints_weight, block.joints_even
