"""Skeletons of drawn people as an estimator would find them: seen by some camera, trembling, with gaps and mistakes."""

import hashlib
import sys
import time
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from recognizer.skeletons import COCO17
from stages.synthetic.actions import Rng, stand
from stages.synthetic.body import Array, Body, Build, move
from stages.synthetic.captured import Capture, perform_capture
from stages.synthetic.programs import RandomAction, perform, random_action
from stages.synthetic.scene import View, project

MIRROR = np.array(COCO17.flip)
PEOPLE = 2


def draw_set(
    seed: int, clips: Sequence[tuple[int, str, int]], frames: int, captures: Mapping[int, Capture] | None = None
) -> dict[str, np.ndarray]:
    """The arrays of a skeleton set (see ``stages.skeletons.skeleton_set``), with progress on stderr.

    clips: the class, split and number of each. captures: what is done in classes that are not random; of these, every
    third class is one of two people.
    """
    keypoints = np.zeros((len(clips), frames, PEOPLE, COCO17.count, 3), np.float32)
    shown = time.monotonic()
    for i, (label, split, number) in enumerate(clips):
        action = (captures or {}).get(label) or random_action(_stream(seed, label), two=label % 3 == 0)
        found = seen_clip(action, _stream(seed, label, split, number), frames)
        keypoints[i, :, : len(found)] = found.transpose(1, 0, 2, 3)
        if time.monotonic() - shown > 2:
            shown = time.monotonic()
            print(f"random motions: {i + 1:,} of {len(clips):,} clips drawn", file=sys.stderr, flush=True)
    return {
        "keypoints": keypoints.reshape(-1, *keypoints.shape[2:]),
        "channels": np.array("xys"),
        "offsets": np.arange(len(clips) + 1) * frames,
        "layout": np.array(COCO17.name),
        "size": np.array([1.0, 1.0]),
        "name": np.array([f"{split}/{label:03}/{number:04}" for label, split, number in clips]),
    }


def _stream(*names: object) -> Rng:
    digest = hashlib.blake2b("/".join(map(str, names)).encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest))


def seen_clip(action: RandomAction | Capture, rng: Rng, frames: int) -> NDArray[np.float32]:
    """One clip of a class, M,T,17,3: x, y and score, in a picture whose sides are 1."""
    two = isinstance(action, RandomAction) and len(action.people) == 2
    t = np.linspace(0, rng.uniform(1.5, 4.0), frames)
    if isinstance(action, Capture):
        bodies = [perform_capture(action, rng, frames)]
    else:
        bodies = [move(pose, _build(rng), frames) for pose in perform(action, rng, t)]
    if not two and rng.random() < 0.2:  # somebody in the background
        pose = stand(rng, t)
        pose["x"] = np.full_like(t, rng.choice([-1, 1]) * rng.uniform(0.8, 2))
        pose["z"] = np.full_like(t, rng.uniform(-3, 0.5))
        pose["yaw"] = pose["yaw"] + rng.uniform(-3, 3)
        bodies.append(move(pose, _build(rng), frames))
    view = _view(rng, two, t)
    people = [_estimated(body, view, rng) for body in bodies]
    order = rng.permutation(len(people)) if two else range(len(people))
    return np.stack([people[i] for i in order]).astype(np.float32)


def _build(rng: Rng) -> Build:
    def length(mean: float) -> float:
        return float(mean * np.exp(rng.normal(0, 0.06)))

    return Build(
        scale=rng.uniform(0.75, 1.12),
        torso=length(0.5),
        shoulder=length(0.18),
        hip=length(0.1),
        upper_arm=length(0.29),
        forearm=length(0.26),
        thigh=length(0.43),
        shin=length(0.41),
    )


def _view(rng: Rng, facing: bool, t: Array) -> View:
    azimuth = rng.normal(0, 0.35 if facing else 0.6) + np.pi * (rng.random() < (0.5 if facing else 0.1))
    tall = rng.uniform(0.35, 0.95)  # a share of the picture's height
    if not facing and rng.random() < 0.15:
        tall = rng.uniform(1.0, 1.5)  # the legs are not in the picture
    middle = 0.5 if tall < 1 else 0.5 + 0.4 * (tall - 0.9)
    drift = [rng.uniform(0, 0.02) * np.sin(2 * np.pi * (t * rng.uniform(0.1, 1) + rng.random())) for _ in range(2)]
    return View(
        azimuth=azimuth,
        elevation=rng.uniform(-0.1, 0.45),
        distance=rng.uniform(3, 9),
        scale=tall / 1.8,
        center=(rng.uniform(0.3, 0.7), middle + rng.normal(0, 0.05)),
        shake=np.stack(drift, -1),
    )


def _estimated(body: Body, view: View, rng: Rng) -> NDArray[np.float64]:
    """T,17,3."""
    points = np.stack([project(body[joint], view)[:, :3] for joint in COCO17.joints], 1)
    height = np.median(np.ptp(points[:, :, 1], axis=1))
    # Joints of the far side are hidden by the body: they tremble more and are less sure.
    depth = points[:, :, 2] - points[:, :, 2].mean(1, keepdims=True)
    hidden = 1 / (1 + np.exp((depth + 0.15) / 0.05))
    tremble = height * rng.uniform(0.003, 0.02) * (1 + 2 * hidden)[:, :, None]
    found = points[:, :, :2] + tremble * rng.normal(0, 1, (*points.shape[:2], 2))
    found += height * 0.015 * rng.normal(0, 1, (1, *points.shape[1:2], 2))  # where an estimator thinks that joints are
    swapped = rng.random(len(found)) < rng.choice([0, 0, 0.05, 0.15])
    found[swapped] = found[swapped][:, MIRROR]
    score = np.clip(rng.uniform(0.6, 0.95) - 0.35 * hidden * rng.random() + rng.normal(0, 0.06, hidden.shape), 0.05, 1)
    lost = rng.random(len(found)) < rng.choice([0, 0, 0.1])  # frames without the person
    score[(rng.random(score.shape) < rng.uniform(0, 0.06)) | lost[:, None]] = 0
    inside = ((found >= 0) & (found <= 1)).all(-1)
    return np.concatenate([found, np.where(inside, score, 0)[:, :, None]], -1)
