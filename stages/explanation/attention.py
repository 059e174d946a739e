"""What a recognizer attends to in a clip of the shards, and how much of it falls on people and on groups of joints."""

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
    "arms": ("elbow", "wrist", "hand", "hand_tip", "thumb"),
    "legs": ("knee", "ankle", "foot"),
}
"""Joints, without their side, of groups that are told apart in words; all others are head and trunk."""
GRID = 64
"""Cells a side at which the places of people are told from those of the background."""
MARGIN = 0.1
"""Around a person's joints, as a share of their box's longer side: hands, feet and the head reach beyond them."""


class BlockAttention(NamedTuple):
    """One block of the network. Parts that it lacks are None; see ``recognizer.explanation``."""

    points: np.ndarray | None  # K,3: x and y relative to the frame, t in frames
    points_weight: np.ndarray | None  # K
    joints_weight: np.ndarray | None  # M,T,R
    joints_even: np.ndarray | None  # M,T,R: what the weights would be if the network looked at all joints alike


class ClipAttention(NamedTuple):
    """A clip as the network sees it, what it is taken for, and where the network looks."""

    sample: Sample
    layout: str
    times: list[float] | None  # seconds of the frames, where the shards know them
    predicted: str
    probability: float
    blocks: tuple[BlockAttention, ...]

    @property
    def present(self) -> np.ndarray:
        """The joints that are there, M,T,R (bool)."""
        assert self.sample.keypoints is not None
        return self.sample.keypoints[..., 2] > 0


class Share(NamedTuple):
    """A share of the attention, and what it would be if the network looked everywhere alike."""

    attention: float
    even: float


def attended(recognizer: Recognizer, shard: Row) -> ClipAttention:
    """Pass the middle view of a shard's clip through the network. Raises StageError where the two do not fit."""
    config = recognizer.config
    (sample,) = views_of(shard, config, views=1)
    batch = collate([sample], next(recognizer.parameters()).device)
    explanation = explain(recognizer, batch.frames, batch.keypoints)
    probabilities = explanation.logits[0].softmax(-1)
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
    """The weights of the points in every frame, T,K: a point between two frames is read from both, in parts."""
    distance_TK = np.abs(np.arange(frames)[:, None] - points_K3[:, 2])
    return np.clip(1 - distance_TK, 0, None) * weight_K


def on_people(keypoints_MTR3: np.ndarray, points_K3: np.ndarray, weight_K: np.ndarray) -> Share:
    """How much of the attention to the points lies in the boxes around people; even: the share of these boxes' area."""
    inside_THW = people(keypoints_MTR3)
    weight_TK = by_frame(points_K3, weight_K, len(inside_THW))
    column_K, row_K = (points_K3[:, :2] * GRID).astype(int).clip(0, GRID - 1).T
    total = float((weight_TK * inside_THW[:, row_K, column_K]).sum())
    return Share(total / float(weight_TK.sum()), float(inside_THW.mean()))


def people(keypoints_MTR3: np.ndarray) -> np.ndarray:
    """Which cells of every frame lie in the box around a person, T,GRID,GRID (bool)."""
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
    """How much of the attention to joints goes to one of GROUPS."""
    joints = [joint.removeprefix("left_").removeprefix("right_") for joint in layout(clip.layout).joints]
    chosen = [r for r, joint in enumerate(joints) if joint in GROUPS[name]]
    weight, even = _joint_weights(block)
    return Share(*(float(w[..., chosen].sum() / w.sum()) if w.any() else 0.0 for w in (weight, even)))


def multiples(clip: ClipAttention, block: BlockAttention) -> np.ndarray:
    """The attention to every joint that is there, in multiples of its even share; NaN where it is missing.

    M,T,R. Both are shares of the attention to joints alone, whatever goes to the modal tokens.
    """
    weight, even = _joint_weights(block)
    there = clip.present
    ratio = np.full(even.shape, np.nan)
    if there.any():
        ratio[there] = weight[there] / weight.sum() / (even[there] / even.sum())
    return ratio


def _joint_weights(block: BlockAttention) -> tuple[np.ndarray, np.ndarray]:
    assert block.joints_weight is not None and block.joints_even is not None
    return block.joints_weight, block.joints_even
