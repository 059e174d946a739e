"""The actions: each is a motion, sampled from a random stream, and possibly an object that is held.

Classes differ in three ways. Some differ in the movement of the body (squat, jumping jack, push). Some differ only in
the side (left or right arm or leg, seen from the front and from behind): the skeleton names the limb, while an image
must first be interpreted. And some differ only in the object that is held: ``lift`` and ``lift_box`` have exactly the
same motion, so skeletons cannot tell them apart.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from stages.synthetic.body import SIDES, Array, Pose

Rng = np.random.Generator
DEGREE = np.pi / 180


class Action(NamedTuple):
    """A class of the data set."""

    motion: str
    """Name of the random stream: clips with the same stream and number have the same motion, view and build."""
    perform: Callable[[Rng, Array], list[Pose]]
    """Given times T in seconds: one Pose per person. A pose with a channel ``flying`` (seconds since the hands let go,
    0 before) throws what it holds."""
    prop: str | None = None
    """"box" or "ball", held between the hands of the first person."""


def swing(t: Array, period: float, phase: float) -> Array:
    """Smooth cycle between 0 and 1: T."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * (t / period + phase))


def along(t: Array, times: list[float], values: list[float]) -> Array:
    """Eased interpolation between key poses, ``values`` at ``times``, with a rest at each: T."""
    segment = np.clip(np.searchsorted(times, t, side="right") - 1, 0, len(times) - 2)
    starts, spans = np.array(times)[segment], np.diff(times)[segment]
    u = np.clip((t - starts) / spans, 0, 1)
    u = u * u * (3 - 2 * u)
    keys = np.array(values)
    return keys[segment] * (1 - u) + keys[segment + 1] * u


def stand(rng: Rng, t: Array) -> Pose:
    """A person who stands, sways slightly, and lets the arms hang loosely."""
    pose: Pose = {"yaw": np.full_like(t, rng.normal(0, 0.06))}
    for name, scale in (("lean", 2.0), ("tilt", 2.0), ("turn", 8.0), ("nod", 4.0)):
        pose[name] = (
            DEGREE * scale * (rng.normal(0, 1) + 0.5 * np.sin(2 * np.pi * (t * rng.uniform(0.2, 0.6) + rng.random())))
        )
    for side, _ in SIDES:
        sway = np.sin(2 * np.pi * (t * rng.uniform(0.3, 0.7) + rng.random()))
        pose[f"{side}_shoulder_flex"] = DEGREE * (rng.uniform(-8, 12) + 4 * sway)
        pose[f"{side}_shoulder_abduct"] = DEGREE * (rng.uniform(6, 20) + 2 * sway)
        pose[f"{side}_elbow"] = DEGREE * (rng.uniform(5, 40) + 4 * sway)
        pose[f"{side}_hip_abduct"] = DEGREE * np.full_like(t, rng.uniform(2, 8))
    return pose


def bend_legs(pose: Pose, depth: Array) -> None:
    """Squat by ``depth`` (0 upright, 1 thighs level), with the chest leaning forward for balance."""
    for side, _ in SIDES:
        pose[f"{side}_hip_flex"] = DEGREE * 88 * depth
        pose[f"{side}_knee"] = DEGREE * 105 * depth
    pose["lean"] = pose["lean"] + DEGREE * 28 * depth


def wave(rng: Rng, t: Array, side: str) -> list[Pose]:
    pose = stand(rng, t)
    beat = swing(t, rng.uniform(0.45, 0.75), rng.random()) * 2 - 1
    raised = rng.uniform(75, 125)
    pose[f"{side}_shoulder_abduct"] = DEGREE * (raised + rng.uniform(3, 12) * beat)
    pose[f"{side}_shoulder_flex"] = DEGREE * np.full_like(t, rng.uniform(-5, 15))
    pose[f"{side}_shoulder_twist"] = DEGREE * np.full_like(t, rng.uniform(75, 95))
    pose[f"{side}_elbow"] = DEGREE * (rng.uniform(145, 165) - raised * 0.75 + rng.uniform(25, 38) * beat)
    return [pose]


def kick(rng: Rng, t: Array, side: str) -> list[Pose]:
    pose = stand(rng, t)
    period = rng.uniform(0.9, 1.4)
    out = swing(t, period, phase := rng.random()) ** 1.5
    cocked = swing(t, period, phase + 0.15)
    pose[f"{side}_hip_flex"] = DEGREE * (rng.uniform(65, 90) * out - 18 * (1 - out))
    pose[f"{side}_knee"] = DEGREE * (12 + 55 * cocked * (1 - out) * 2)
    other = "right" if side == "left" else "left"
    pose[f"{other}_knee"] = pose[f"{other}_hip_flex"] = DEGREE * 10 * out
    pose["lean"] = pose["lean"] - DEGREE * 14 * out
    for arm, gain in ((other, 40), (side, 18)):
        pose[f"{arm}_shoulder_abduct"] = pose[f"{arm}_shoulder_abduct"] + DEGREE * gain * out
    return [pose]


def squat(rng: Rng, t: Array) -> list[Pose]:
    pose = stand(rng, t)
    depth = swing(t, rng.uniform(1.1, 1.7), rng.random())
    bend_legs(pose, rng.uniform(0.8, 1.05) * depth)
    for side, _ in SIDES:
        pose[f"{side}_shoulder_flex"] = DEGREE * (10 + 75 * depth)
        pose[f"{side}_elbow"] = DEGREE * 12 * np.ones_like(t)
        pose[f"{side}_hip_abduct"] = DEGREE * (6 + 12 * depth)
    return [pose]


def jumping_jack(rng: Rng, t: Array) -> list[Pose]:
    pose = stand(rng, t)
    period, phase = rng.uniform(0.75, 1.15), rng.random()
    spread = swing(t, period, phase)
    for side, _ in SIDES:
        pose[f"{side}_shoulder_abduct"] = DEGREE * (12 + rng.uniform(135, 152) * spread)
        pose[f"{side}_shoulder_twist"] = DEGREE * 85 * np.ones_like(t)
        pose[f"{side}_shoulder_flex"] = np.zeros_like(t)
        pose[f"{side}_elbow"] = DEGREE * 14 * np.ones_like(t)
        pose[f"{side}_hip_abduct"] = DEGREE * (3 + 22 * spread)
    pose["jump"] = 0.12 * np.sin(2 * np.pi * (t / period + phase)) ** 2
    return [pose]


def lift(rng: Rng, t: Array) -> list[Pose]:
    """Lifts with both hands from the floor over the head and back."""
    pose = stand(rng, t)
    period = rng.uniform(1.8, 2.4)
    u = (t / period + rng.random()) % 1
    keys = [0.0, 0.15, 0.35, 0.5, 0.65, 0.85, 1.0]
    bend_legs(pose, along(u, keys, [1, 1, 0.1, 0, 0.1, 1, 1]))
    pose["lean"] = pose["lean"] + DEGREE * along(u, keys, [18, 18, 4, -5, 4, 18, 18])
    top = rng.uniform(158, 172)
    for side, _ in SIDES:
        pose[f"{side}_shoulder_flex"] = DEGREE * along(u, keys, [52, 52, 40, top, 40, 52, 52])
        pose[f"{side}_elbow"] = DEGREE * along(u, keys, [8, 8, 80, 12, 80, 8, 8])
        pose[f"{side}_shoulder_abduct"] = DEGREE * 3 * np.ones_like(t)
        pose[f"{side}_hip_abduct"] = DEGREE * 11 * np.ones_like(t)
    return [pose]


def throw(rng: Rng, t: Array) -> list[Pose]:
    """A throw-in: both hands reach back over the head and throw forward, once."""
    pose = stand(rng, t)
    release = t[-1] * rng.uniform(0.6, 0.8)
    keys = [release - 1.1, release - 0.65, release - 0.25, release, release + 0.18, release + 0.8]
    for side, _ in SIDES:
        pose[f"{side}_shoulder_flex"] = DEGREE * along(t, keys, [35, 150, 178, 135, 60, 20])
        pose[f"{side}_elbow"] = DEGREE * along(t, keys, [85, 60, 95, 15, 12, 20])
        pose[f"{side}_shoulder_abduct"] = DEGREE * 2 * np.ones_like(t)
        pose[f"{side}_knee"] = DEGREE * along(t, keys, [4, 8, 30, 5, 5, 5])
        pose[f"{side}_hip_flex"] = 0.5 * pose[f"{side}_knee"]
    pose["lean"] = pose["lean"] + DEGREE * along(t, keys, [0, -4, -20, 8, 24, 4])
    pose["flying"] = np.maximum(t - release, 0)
    return [pose]


def push(rng: Rng, t: Array) -> list[Pose]:
    """One person shoves the other, who staggers back."""
    pusher, pushed = face_each_other(rng, t, rng.uniform(0.78, 0.9))
    period, phase = rng.uniform(1.1, 1.6), rng.random()
    out = swing(t, period, phase) ** 2
    hit = swing(t, period, phase - 0.1) ** 2
    for side, _ in SIDES:
        pusher[f"{side}_shoulder_flex"] = DEGREE * (25 + 58 * out)
        pusher[f"{side}_elbow"] = DEGREE * (110 - 100 * out)
        pusher[f"{side}_shoulder_abduct"] = DEGREE * 8 * np.ones_like(t)
        pushed[f"{side}_shoulder_flex"] = DEGREE * (5 + 35 * hit)
        pushed[f"{side}_shoulder_abduct"] = DEGREE * (12 + 30 * hit)
    pusher["lean"] = pusher["lean"] + DEGREE * 18 * out
    pusher["right_hip_flex"] = DEGREE * -20 * out
    pushed["lean"] = pushed["lean"] - DEGREE * 22 * hit
    pushed["left_hip_flex"] = DEGREE * 25 * hit
    pushed["left_knee"] = DEGREE * 30 * hit
    pushed["x"] = pushed["x"] + np.sign(pushed["x"]) * 0.16 * hit
    return [pusher, pushed]


def handshake(rng: Rng, t: Array) -> list[Pose]:
    """Right hands meet and go up and down."""
    people = face_each_other(rng, t, rng.uniform(1.0, 1.1))
    shake = np.sin(2 * np.pi * (t / rng.uniform(0.4, 0.65) + rng.random()))
    for pose in people:
        pose["right_shoulder_flex"] = DEGREE * (38 + 7 * shake)
        pose["right_shoulder_twist"] = DEGREE * -30 * np.ones_like(t)
        pose["right_elbow"] = DEGREE * (42 + 12 * shake)
        pose["lean"] = pose["lean"] + DEGREE * 6
    return people


def face_each_other(rng: Rng, t: Array, distance: float) -> list[Pose]:
    """Two people on the x axis who face each other; their sides are random."""
    people = [stand(rng, t), stand(rng, t)]
    place = rng.choice([-1.0, 1.0])
    for pose, x in zip(people, (place, -place), strict=True):
        pose["x"] = np.full_like(t, x * distance / 2)
        pose["yaw"] = pose["yaw"] - x * np.pi / 2
    return people


ACTIONS: dict[str, Action] = {
    "handshake": Action("handshake", handshake),
    "jumping_jack": Action("jumping_jack", jumping_jack),
    "kick_left": Action("kick", partial(kick, side="left")),
    "kick_right": Action("kick", partial(kick, side="right")),
    "lift": Action("lift", lift),
    "lift_box": Action("lift", lift, "box"),
    "push": Action("push", push),
    "squat": Action("squat", squat),
    "throw": Action("throw", throw),
    "throw_ball": Action("throw", throw, "ball"),
    "wave_left": Action("wave", partial(wave, side="left")),
    "wave_right": Action("wave", partial(wave, side="right")),
}
"""All classes of the data set, by name."""
