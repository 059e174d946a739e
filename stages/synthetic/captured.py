"""What people did in motion capture, done again: at other speeds, by other bodies, facing anywhere."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.errors import ClipError
from recognizer.skeletons import COCO17
from stages.synthetic.actions import Rng
from stages.synthetic.articulated import Articulated
from stages.synthetic.body import SIDES, Array, Body, Build, rotation_y
from stages.synthetic.bvh import read_bvh
from stages.synthetic.deepmimic import read_deepmimic

READERS: dict[str, Callable[[Path], Articulated]] = {
    ".bvh": read_bvh,
    ".txt": read_deepmimic,
    ".json": read_deepmimic,
}
"""By a file's extension."""
LONGEST = 4.0
"""Seconds of a piece."""
SHORTEST = 0.5
MIDDLE = 0.86
"""Meters above the ground: that of the joints of a person who stands."""
LIMBS = {
    "hip": ("upleg", "upperleg", "thigh", "femur", "hip"),
    "knee": ("leg", "lowleg", "lowerleg", "shin", "calf", "tibia", "knee"),
    "ankle": ("foot", "ankle"),
    "shoulder": ("arm", "uparm", "upperarm", "shldr", "humerus", "shoulder"),
    "elbow": ("forearm", "lowarm", "lowerarm", "radius", "elbow"),
    "wrist": ("hand", "wrist"),
}
"""What COCO's joints are called in files, with left or l before it or after it: the name of the bone that begins there
comes first, because in such files a shoulder is a collar bone."""
CHAINS = (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))


class Capture(NamedTuple):
    """What a person did for a few seconds."""

    times: Array
    """T, in seconds from 0."""
    body: Body
    """COCO's joints as in ``stages.synthetic.body``: of a person of 1.7 m, around the middle of the scene."""


def read_captures(path: Path) -> list[Capture]:
    """The pieces of a recording, none of them longer than ``LONGEST``. Raises ClipError that says why there is none."""
    found = READERS[path.suffix.lower()](path)
    ends = np.cumsum(found.frame_seconds)
    if not (np.isfinite(ends).all() and (found.frame_seconds >= 0).all() and np.isfinite(found.root).all()):
        raise ClipError(f"{path} has times or places that are no numbers")
    times = ends - found.frame_seconds
    if len(times) < 2 or times[-1] < SHORTEST:
        raise ClipError(f"{path} is shorter than {SHORTEST:g} s")
    body = _coco(found, path)
    count = math.ceil(times[-1] / LONGEST)
    cuts = np.searchsorted(times, times[-1] * np.arange(1, count) / count)
    return [
        Capture(times[part] - times[part[0]], _centered({name: places[part] for name, places in body.items()}))
        for part in np.split(np.arange(len(times)), cuts)
        if len(part) > 1
    ]


def perform_capture(capture: Capture, rng: Rng, frames: int) -> Body:
    """A part of a capture, by another person who faces anywhere: COCO's joints, each ``frames``,3."""
    length = capture.times[-1] * rng.uniform(0.7, 1)
    start = rng.uniform(0, capture.times[-1] - length)
    moments = np.linspace(start, start + length, frames)
    turn = rotation_y(np.array(rng.uniform(-np.pi, np.pi))).T * rng.uniform(0.75, 1.12)
    body = {
        name: np.stack([np.interp(moments, capture.times, values) for values in places.T], -1) @ turn
        for name, places in capture.body.items()
    }
    for chain in CHAINS:
        factors = np.exp(rng.normal(0, 0.06, 2))
        for side, _ in SIDES:
            _stretch([body[f"{side}_{joint}"] for joint in chain], factors)
    return body


def _stretch(chain: list[Array], factors: Array) -> None:
    """Make the bones between three joints longer, in place."""
    bones = np.diff(np.stack(chain), axis=0) * factors[:, None, None]
    chain[1][:] = chain[0] + bones[0]
    chain[2][:] = chain[1] + bones[1]


def _coco(found: Articulated, path: Path) -> Body:
    """COCO's joints T,3: x to the left of the person at rest, y up, z forward."""
    numbers = _numbers(found.names)
    wanted = [f"{side}_{joint}" for side, _ in SIDES for joint in LIMBS]
    if missing := [name for name in [*wanted, "head"] if name not in numbers]:
        raise ClipError(f"{path} has no joint for {missing[0]}; its joints are {', '.join(found.names)}")
    rest = found.at_rest()
    across = (rest[numbers["left_hip"]] - rest[numbers["right_hip"]]) * [1, 0, 1]
    leg = found.offsets[[numbers["left_knee"], numbers["left_ankle"]]]
    if not across.any() or not leg.any(1).all():
        raise ClipError(f"{path} has hips or legs without length")
    left = across / np.linalg.norm(across)
    axes = np.stack([left, [0, 1, 0], np.cross(left, [0, 1, 0])], -1)
    build = Build()
    scale = (build.thigh + build.shin) / np.linalg.norm(leg, axis=1).sum()
    places, turns = found.posed()
    places = places @ axes * scale
    body = {name: places[:, numbers[name]] for name in wanted}
    # The head's joint is where the skull begins or, if the neck is one piece with it, where the neck does.
    head, below = numbers["head"], 0.09 if "neck" in numbers and numbers["neck"] != numbers["head"] else 0.19
    facing = axes.T @ turns[:, head] @ axes
    points = {"nose": (0, -0.01, 0.14), "left_eye": (0.04, 0.025, 0.12), "right_eye": (-0.04, 0.025, 0.12)}
    points |= {"left_ear": (0.105, 0, 0.02), "right_ear": (-0.105, 0, 0.02)}
    for name, point in points.items():
        body[name] = places[:, head] + facing @ np.add(point, (0, below, 0))
    return {name: body[name] for name in COCO17.joints}


def _numbers(names: tuple[str, ...]) -> dict[str, int]:
    """The numbers of the joints that have COCO's limbs, of the neck, and of the head."""
    plain = {re.sub(r".*:|bip\d+|[^a-z0-9]", "", name.lower()): i for i, name in reversed(list(enumerate(names)))}
    numbers = {}
    for side, _ in SIDES:
        for joint, bones in LIMBS.items():
            called = [form for bone in bones for form in (side + bone, side[0] + bone, bone + side, bone + side[0])]
            if chosen := next((name for name in called if name in plain), None):
                numbers[f"{side}_{joint}"] = plain[chosen]
    numbers |= {name: plain[name] for name in ("neck", "head") if name in plain}
    if "head" not in numbers and "neck" in numbers:
        numbers["head"] = numbers["neck"]
    return numbers


def _centered(body: Body) -> Body:
    """Moved to where a person would stand: cameras follow also those who crawl."""
    hips = (body["left_hip"] + body["right_hip"]) / 2
    heights = np.stack([places[:, 1] for places in body.values()])
    middle = np.array([hips[:, 0].mean(), (heights.min() + heights.max()) / 2 - MIDDLE, hips[:, 2].mean()])
    return {name: places - middle for name, places in body.items()}
