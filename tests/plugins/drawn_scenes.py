"""Scenes of drawn people who stand or walk where a test wants them, with known joints."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from recognizer.skeletons import COCO17
from stages.synthetic.actions import stand
from stages.synthetic.body import Build, move
from stages.synthetic.person import person_parts, random_appearance
from stages.synthetic.scene import View, project

HEIGHT, WIDTH = 240, 320
SCALE = 85.0
"""Pixels per meter."""


class Scene(NamedTuple):
    """A clip of T frames with M people."""

    frames: list[np.ndarray]
    """RGB uint8 H,W,3."""
    joints_MTR2: np.ndarray
    """x, y in pixels; NaN in frames where the person is not there."""


def walk(*paths: Sequence[float | None], zoom: float = 1.0) -> Scene:
    """People in the middle of whom x is as in ``paths`` (M,T, in pixels; None: not there). Later ones are in front.

    zoom: how many times as large the pictures are.
    """
    frames = [_room(zoom) for _ in paths[0]]
    joints = np.full((len(paths), len(frames), COCO17.count, 2), np.nan)
    for m, path in enumerate(paths):
        rng = np.random.default_rng([7, m])
        appearance, body = (
            random_appearance(rng, 1.0),
            move(stand(rng, np.arange(len(frames)) / 20), Build(1, 1), len(frames)),
        )
        for t, x in enumerate(path):
            if x is not None:
                view = View(0.2, 0.1, 6.0, SCALE * zoom, (x * zoom, 120 * zoom), np.zeros((1, 2)))
                points = {name: project(positions[t : t + 1], view)[0] for name, positions in body.items()}
                for part in sorted(person_parts(points, appearance), key=lambda part: part.depth):
                    part.draw(frames[t])
                joints[m, t] = [points[joint][:2] for joint in COCO17.joints]
    return Scene(frames, joints)


def _room(zoom: float) -> np.ndarray:
    """A wall and a floor, of which no detector thinks that they are people."""
    height, width = round(HEIGHT * zoom), round(WIDTH * zoom)
    room = np.full((height, width, 3), (176, 190, 196), np.uint8)
    room[round(height * 0.75) :] = (120, 104, 92)
    return cv2.GaussianBlur(room, (0, 0), 2 * zoom)
