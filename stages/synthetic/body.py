"""A kinematic human body: joint angles over time in, positions in space out.

Axes of a body that faces the viewer: x to its left, y up, z forward. Lengths are in meters, angles in radians. All
arrays run over time: angles are T, positions T,3.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Pose = dict[str, Array]
"""Angles and root motion by channel name, each T; a missing channel is zero.

``yaw twist lean tilt turn nod`` turn hips, chest and head; ``x z jump`` move the body. Limbs have, with the prefix
``left_`` or ``right_``: ``shoulder_flex shoulder_abduct shoulder_twist elbow hip_flex hip_abduct knee``.
"""
Body = dict[str, Array]
"""Positions T,3 by name: the 17 joints of COCO and further points for drawing (hands, toes, heels, neck, …)."""

SIDES = (("left", 1.0), ("right", -1.0))


class Build(NamedTuple):
    """Lengths of a person of 1.7 m; ``scale`` multiplies all of them, ``bulk`` the widths."""

    scale: float = 1.0
    bulk: float = 1.0
    torso: float = 0.50
    shoulder: float = 0.18
    hip: float = 0.10
    upper_arm: float = 0.29
    forearm: float = 0.26
    thigh: float = 0.43
    shin: float = 0.41
    ankle: float = 0.08


def rotation_x(angle: Array) -> Array:
    """Rotations T,3,3 about x; positive turns y (up) toward z (forward)."""
    cos, sin, one, zero = np.cos(angle), np.sin(angle), np.ones_like(angle), np.zeros_like(angle)
    return np.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], -1).reshape(*angle.shape, 3, 3)


def rotation_y(angle: Array) -> Array:
    """Rotations T,3,3 about y; positive turns z (forward) toward x (left)."""
    cos, sin, one, zero = np.cos(angle), np.sin(angle), np.ones_like(angle), np.zeros_like(angle)
    return np.stack([cos, zero, sin, zero, one, zero, -sin, zero, cos], -1).reshape(*angle.shape, 3, 3)


def rotation_z(angle: Array) -> Array:
    """Rotations T,3,3 about z; positive turns x (left) toward y (up)."""
    cos, sin, one, zero = np.cos(angle), np.sin(angle), np.ones_like(angle), np.zeros_like(angle)
    return np.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], -1).reshape(*angle.shape, 3, 3)


def move(pose: Pose, build: Build, frames: int) -> Body:
    """Forward kinematics. The lower foot stands on the ground (y = 0) and does not slide."""

    def channel(name: str) -> Array:
        return pose.get(name, np.zeros(frames))

    def at(origin: Array, rotation: Array, *offset: float) -> Array:
        return origin + rotation @ (np.array(offset) * build.scale)

    hips_turn = rotation_y(channel("yaw"))
    chest_turn = hips_turn @ rotation_y(channel("twist")) @ rotation_x(channel("lean")) @ rotation_z(channel("tilt"))
    # A person who bends forward keeps the head half upright.
    head_turn = (
        hips_turn @ rotation_y(channel("twist") + channel("turn")) @ rotation_x(0.5 * channel("lean") + channel("nod"))
    )

    pelvis = np.zeros((frames, 3))
    body: Body = {"pelvis": pelvis, "neck": at(pelvis, chest_turn, 0, build.torso, 0)}
    body["chest"] = at(pelvis, chest_turn, 0, 0.72 * build.torso, 0.01)
    body["belly"] = at(pelvis, chest_turn, 0, 0.35 * build.torso, 0.01)
    body["collar"] = at(body["neck"], chest_turn, 0, 0, 0.09)
    body["chest_front"] = at(body["chest"], chest_turn, 0, 0, 0.12)
    body["belly_front"] = at(body["belly"], chest_turn, 0, 0, 0.12)
    body["head"] = at(body["neck"], head_turn, 0, 0.19, 0.02)
    body["nose"] = at(body["head"], head_turn, 0, -0.01, 0.12)
    body["mouth"] = at(body["head"], head_turn, 0, -0.06, 0.10)
    body["face"] = at(body["head"], head_turn, 0, -0.03, 0.035)
    body["hair"] = at(body["head"], head_turn, 0, 0.02, -0.025)
    for side, sign in SIDES:
        body[f"{side}_eye"] = at(body["head"], head_turn, sign * 0.04, 0.025, 0.10)
        body[f"{side}_ear"] = at(body["head"], head_turn, sign * 0.105, 0, 0)

        shoulder = at(body["neck"], chest_turn, sign * build.shoulder, -0.03, 0)
        arm_turn = (
            chest_turn
            @ rotation_z(sign * channel(f"{side}_shoulder_abduct"))
            @ rotation_x(-channel(f"{side}_shoulder_flex"))
            @ rotation_y(sign * channel(f"{side}_shoulder_twist"))
        )
        elbow = at(shoulder, arm_turn, 0, -build.upper_arm, 0)
        forearm_turn = arm_turn @ rotation_x(-channel(f"{side}_elbow"))
        body[f"{side}_shoulder"], body[f"{side}_elbow"] = shoulder, elbow
        body[f"{side}_wrist"] = at(elbow, forearm_turn, 0, -build.forearm, 0)
        body[f"{side}_hand"] = at(elbow, forearm_turn, 0, -build.forearm - 0.08, 0)

        hip = at(pelvis, hips_turn, sign * build.hip, 0, 0)
        leg_turn = (
            hips_turn @ rotation_z(sign * channel(f"{side}_hip_abduct")) @ rotation_x(-channel(f"{side}_hip_flex"))
        )
        knee = at(hip, leg_turn, 0, -build.thigh, 0)
        shin_turn = leg_turn @ rotation_x(channel(f"{side}_knee"))
        ankle = at(knee, shin_turn, 0, -build.shin, 0)
        # Feet stay level while standing, and follow the shin when it swings out.
        foot_turn = hips_turn @ rotation_x(
            -0.6 * np.maximum(channel(f"{side}_hip_flex") - channel(f"{side}_knee") - 0.2, 0)
        )
        body[f"{side}_hip"], body[f"{side}_knee"], body[f"{side}_ankle"] = hip, knee, ankle
        body[f"{side}_heel"] = at(ankle, foot_turn, 0, -0.05, -0.03)
        body[f"{side}_toe"] = at(ankle, foot_turn, sign * 0.02, -0.06, 0.15)

    ankles = np.stack([body["left_ankle"], body["right_ankle"]], 1)
    low = ankles[:, :, 1].min(1)
    weight = np.exp(-(ankles[:, :, 1] - low[:, None]) / 0.03)
    stand = (ankles * (weight / weight.sum(1, keepdims=True))[:, :, None]).sum(1)
    shift = np.stack(
        [channel("x") - stand[:, 0], channel("jump") + build.ankle * build.scale - low, channel("z") - stand[:, 2]], -1
    )
    return {name: positions + shift for name, positions in body.items()}
