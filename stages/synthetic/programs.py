"""Actions without end: a class is a random program of key poses, and each of its clips performs it differently.

They mean nothing, and together they have what real actions consist of: limbs that move once or again and again, alone
or together, standing, crouching or walking, by one person or between two. What a network learns on them is a start for
real ones.
"""

from typing import NamedTuple

import numpy as np

from stages.synthetic.actions import DEGREE, Rng, along, face_each_other, stand
from stages.synthetic.body import SIDES, Array, Pose

ARM = {"shoulder_flex": (-40, 175), "shoulder_abduct": (0, 120), "shoulder_twist": (-60, 95), "elbow": (0, 150)}
LEG = {"hip_flex": (-25, 100), "hip_abduct": (0, 40), "knee": (0, 110)}
TRUNK = {"lean": (-20, 85), "tilt": (-30, 30), "twist": (-60, 60), "nod": (-25, 40), "turn": (-60, 60)}
"""Ranges of the angles of limbs and trunk in degrees."""
PARTS: dict[tuple[str, ...], float] = {
    ("one arm",): 5,
    ("both arms",): 4,
    ("alternating arms",): 2,
    ("one arm", "trunk"): 3,
    ("both arms", "trunk"): 3,
    ("trunk",): 1,
    ("one leg",): 2,
    ("one leg", "one arm"): 1,
    ("crouch",): 2,
    ("crouch", "both arms"): 2,
    ("alternating legs", "alternating arms"): 2,
}
"""What moves in an action, and how often."""
BASES = {"stand": 6, "sit": 1, "walk": 1}
"""What the rest of the body does, and how often."""


class Program(NamedTuple):
    """What the clips of one class have in common for one person."""

    channels: dict[str, Array]
    """Angles at the K key poses in degrees, each K."""
    delayed: tuple[str, ...]
    """Beginnings of the names of channels that are half a cycle behind."""
    repeats: bool
    seconds: float
    """Of a cycle, or of the way through all key poses."""
    returns: bool
    """Whether the last key pose is left again."""
    base: str
    jump: float
    """Meters."""
    speed: float
    """Meters per second, to the side."""


class RandomAction(NamedTuple):
    """A class."""

    people: tuple[Program | None, ...]
    """One or two; None only stands there."""
    distance: float
    """Of two, in meters."""
    delay: float
    """Of the second one's answer, in seconds."""


def random_action(rng: Rng, two: bool) -> RandomAction:
    """A class, at random. Its left and right are those of the person: the mirror image would be another class."""
    answers = two and rng.random() < 0.7
    people = (random_program(rng), *((random_program(rng) if answers else None,) if two else ()))
    return RandomAction(people, rng.uniform(0.5, 1.2), rng.uniform(0, 0.5))


def random_program(rng: Rng) -> Program:
    kinds = list(PARTS)
    parts = kinds[rng.choice(len(kinds), p=np.array(list(PARTS.values())) / sum(PARTS.values()))]
    base = str(rng.choice(list(BASES), p=np.array(list(BASES.values())) / sum(BASES.values())))
    count = int(rng.integers(1, 4))
    channels: dict[str, Array] = {}
    delayed: tuple[str, ...] = ()

    def limb(kind: str, ranges: dict[str, tuple[int, int]], sides: str) -> None:
        nonlocal delayed
        one = rng.choice(["left", "right"])
        angles = {name: rng.uniform(low, high, count) for name, (low, high) in ranges.items()}
        for side, _ in SIDES:
            if sides != "one" or side == one:
                channels.update({f"{side}_{name}": values for name, values in angles.items()})
        if sides == "alternating":
            delayed = (*delayed, *(f"right_{name}" for name in ranges))

    for part in parts:
        sides, _, kind = part.partition(" ")
        if part == "trunk":
            chosen = rng.permutation(list(TRUNK))[: rng.integers(1, 4)]
            channels.update({name: rng.uniform(*TRUNK[name], count) for name in chosen})
        elif part == "crouch":
            depth = rng.uniform(0.3, 1.1, count)
            channels.update({f"{side}_{name}": k * depth for side, _ in SIDES for name, k in CROUCH.items()})
            channels["lean"] = rng.uniform(5, 45) * depth
        else:
            limb(kind, ARM if kind.startswith("arm") else LEG, sides)
    return Program(
        channels,
        delayed,
        repeats=bool(rng.random() < 0.5) or bool(delayed),
        seconds=rng.uniform(0.5, 1.0) * (0.7 + 0.5 * count),
        returns=bool(rng.random() < 0.75),
        base=base,
        jump=rng.uniform(0.08, 0.3) if rng.random() < 0.1 else 0.0,
        speed=rng.uniform(0.4, 1.2) * rng.choice([-1, 1]) if base == "walk" else 0.0,
    )


CROUCH = {"hip_flex": 88, "knee": 105}


def perform(action: RandomAction, rng: Rng, t: Array) -> list[Pose]:
    """One clip of a class: its people over the times T in seconds."""
    two = len(action.people) == 2
    poses = face_each_other(rng, t, action.distance * rng.uniform(0.85, 1.2)) if two else [stand(rng, t)]
    start = rng.uniform(0, 0.3) * t[-1]
    for i, (program, pose) in enumerate(zip(action.people, poses, strict=True)):
        if program is not None:
            _perform(program, pose, rng, t, start + i * action.delay)
    return poses


def _perform(program: Program, pose: Pose, rng: Rng, t: Array, start: float) -> None:
    """Let a person who stands there perform a program, from ``start`` on if it is done once."""
    seconds = program.seconds * np.exp(rng.normal(0, 0.2))
    key_poses = len(next(iter(program.channels.values())))
    beats = np.cumsum(np.exp(rng.normal(0, 0.25, key_poses + 1)))
    phase = rng.random()
    amplitude = np.exp(rng.normal(0, 0.12))
    if program.base == "sit":
        _sit(pose, rng, t)
    if program.base == "walk":
        _walk(pose, rng, t, program.speed)
    for name, values in program.channels.items():
        rest = pose.get(name, np.zeros_like(t))
        keys = DEGREE * (values * amplitude + rng.normal(0, 7, key_poses))
        if program.repeats:
            cycle = (t / seconds + phase + 0.5 * (name in program.delayed)) % 1
            pose[name] = _again_and_again(cycle, beats, keys, rest)
        else:
            beat = seconds / len(beats)
            times = [start, *(start + beat * beats[:key_poses]), start + beat * (beats[key_poses - 1] + 1)]
            pose[name] = _once(t, times, keys, rest, program.returns)
    if program.jump:
        period = seconds if program.repeats else 3 * t[-1]
        pose["jump"] = program.jump * np.maximum(np.sin(2 * np.pi * (t / period + phase)), 0) ** 2


def _again_and_again(cycle: Array, beats: Array, keys: Array, rest: Array) -> Array:
    """An angle over the time in cycles T: through two or more key poses, or from the rest to a single one and back."""
    loop = [0.0, *keys, 0.0] if len(keys) == 1 else [*keys, keys[0]]
    times = np.concatenate([[0.0], beats])[: len(loop)]
    moved = along(cycle, list(times / times[-1]), loop)
    return rest + moved if len(keys) == 1 else moved


def _once(t: Array, times: list[float], keys: Array, rest: Array, returns: bool) -> Array:
    """An angle over the time in seconds T: from the rest through the key poses, and back if it returns."""
    share = along(t, times, [0.0, *[1.0] * len(keys), 0.0 if returns else 1.0])
    return rest * (1 - share) + along(t, times, [0.0, *keys, 0.0 if returns else keys[-1]])


def _sit(pose: Pose, rng: Rng, t: Array) -> None:
    for side, _ in SIDES:
        pose[f"{side}_hip_flex"] = DEGREE * np.full_like(t, rng.uniform(75, 95))
        pose[f"{side}_knee"] = DEGREE * np.full_like(t, rng.uniform(75, 105))


def _walk(pose: Pose, rng: Rng, t: Array, speed: float) -> None:
    stride = 2 * np.pi * (t * rng.uniform(0.7, 1.1) + rng.random())
    for side, sign in SIDES:
        pose[f"{side}_hip_flex"] = DEGREE * (8 + 26 * sign * np.sin(stride))
        pose[f"{side}_knee"] = DEGREE * (12 + 22 * (1 - np.cos(stride - sign * 1.2)))
        pose[f"{side}_shoulder_flex"] = DEGREE * -20 * sign * np.sin(stride)
    pose["x"] = pose.get("x", np.zeros_like(t)) + speed * (t - t[-1] / 2)
