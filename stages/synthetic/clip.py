"""From a clip's specification to its frames and keypoints: everything is determined by named random streams."""

import hashlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recognizer.skeletons import COCO17
from stages.synthetic import scene
from stages.synthetic.actions import ACTIONS
from stages.synthetic.body import Build, move
from stages.synthetic.person import Image, person_parts, random_appearance

SKIN_DEPTH = 0.07
"""Approximate distance in meters from a point inside the body to its outline."""


class Clip(NamedTuple):
    """Specification of a clip. Two clips with equal fields are identical."""

    seed: int
    split: str
    action: str
    number: int
    size: int
    """Height of the frames in pixels; the width is the same or 4/3 of it."""

    def stream(self, *names: str) -> np.random.Generator:
        """The random numbers for what ``names`` says; streams with different names are independent."""
        text = "/".join([str(self.seed), self.split, str(self.number), *names])
        return np.random.default_rng(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest()))


class Drawn(NamedTuple):
    """A drawn clip."""

    frames: list[Image]
    """T images, uint8 H,W,3 RGB."""
    keypoints: NDArray[np.float32]
    """M,T,17,3: x, y in pixels (whole numbers at pixel centers), score 1, or 0 outside the frame."""
    boxes: NDArray[np.float32]
    """M,T,4: x1, y1, x2, y2 of the people in pixels, clipped to the frame."""
    fps: int


def draw(clip: Clip) -> Drawn:
    """Draw a clip. Motion, build and view depend only on the action's motion; appearance, background and prop on its
    name. Two classes with the same motion therefore have equal keypoints and different images."""
    action = ACTIONS[clip.action]
    timing = clip.stream(action.motion, "timing")
    fps = int(timing.choice([16, 20, 24]))
    frames = int(np.clip(round(fps * timing.uniform(1.5, 2.2)), 24, 48))
    height = clip.size
    width = int(timing.choice([height, (height * 4 // 3) // 2 * 2]))
    times = np.arange(frames) / fps

    poses = action.perform(clip.stream(action.motion, "pose"), times)
    shapes = clip.stream(action.motion, "build")
    builds = [Build(scale=shapes.uniform(0.88, 1.08), bulk=shapes.uniform(0.85, 1.25)) for _ in poses]
    bodies = [move(pose, build, frames) for pose, build in zip(poses, builds, strict=True)]
    view = scene.random_view(clip.stream(action.motion, "view"), len(poses) == 2, height, width, times)
    points = [{name: scene.project(positions, view) for name, positions in body.items()} for body in bodies]

    rng = clip.stream(clip.action, "looks")
    appearances = [random_appearance(rng, build.bulk) for build in builds]
    background = scene.paint_background(rng, height, width)
    recording = scene.random_recording(rng, height, width)
    canvas_points = [{name: scene.on_canvas(path) for name, path in person.items()} for person in points]
    ground = [scene.on_canvas(scene.project(body["pelvis"] * np.array([1, 0, 1]), view)) for body in bodies]
    prop = scene.random_prop(rng, action.prop) if action.prop else None
    if prop is not None:
        held = scene.prop_path(bodies[0], poses[0], prop, times)
        prop_points = {name: scene.on_canvas(scene.project(path, view)) for name, path in held.items()}

    images = []
    for t in range(frames):
        parts = [
            part
            for person, appearance in zip(canvas_points, appearances, strict=True)
            for part in person_parts({name: path[t] for name, path in person.items()}, appearance)
        ]
        if prop is not None:
            parts.append(scene.prop_part({name: path[t] for name, path in prop_points.items()}, prop))
        images.append(scene.record(background, parts, [path[t] for path in ground], view.shake[t], recording, t))

    keypoints = np.stack([np.stack([person[joint][:, :2] for joint in COCO17.joints], 1) for person in points])
    inside = ((keypoints >= -0.5) & (keypoints <= np.array([width, height]) - 0.5)).all(-1, keepdims=True)
    keypoints = np.concatenate([keypoints, inside], -1)
    outlines = [np.stack(list(person.values()), 1) for person in points]
    reach = [SKIN_DEPTH * outline[:, :, 3:] for outline in outlines]
    low = np.stack([(o[:, :, :2] - r).min(1) for o, r in zip(outlines, reach, strict=True)])
    high = np.stack([(o[:, :, :2] + r).max(1) for o, r in zip(outlines, reach, strict=True)])
    boxes = np.concatenate([low, high], -1).clip(-0.5, np.tile([width, height], 2) - 0.5)
    return Drawn(images, keypoints.astype(np.float32), boxes.astype(np.float32), fps)
