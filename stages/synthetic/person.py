"""Drawing one person: limbs as shaded capsules, a torso, a head with a face, ordered by depth.

Everything is drawn on a canvas of ``SUPERSAMPLING`` times the frame's size, which is averaged down afterwards: cheaper
than antialiased drawing. Colors are RGB.
"""

import colorsys
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.synthetic.body import SIDES

Rng = np.random.Generator
Color = tuple[float, float, float]
Point = NDArray[np.float64]
"""x, y on the canvas, depth in meters toward the viewer, canvas pixels a meter: shape 4."""
Image = NDArray[np.uint8]

SUBPIXEL_BITS = 3
"""Fraction bits of the coordinates given to OpenCV."""
CIRCLE = np.stack([np.cos(np.arange(12) * np.pi / 6), np.sin(np.arange(12) * np.pi / 6)], 1)


class Looks(NamedTuple):
    """Clothes and colors of one person."""

    skin: Color
    hair: Color
    shirt: Color
    trousers: Color
    shoes: Color
    long_sleeves: bool
    long_trousers: bool
    long_hair: bool
    bulk: float


class Part(NamedTuple):
    """Something to draw; greater depth is nearer and drawn later."""

    depth: float
    draw: Callable[[Image], None]


def hsv(hue: float, saturation: float, value: float) -> Color:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return 255 * red, 255 * green, 255 * blue


def dress(rng: Rng, bulk: float) -> Looks:
    """Draw the looks of a person."""
    return Looks(
        skin=hsv(rng.uniform(0.04, 0.09), rng.uniform(0.3, 0.65), rng.uniform(0.4, 0.98)),
        hair=hsv(rng.uniform(0.03, 0.12), rng.uniform(0.2, 0.8), rng.choice([0.1, 0.2, 0.35, 0.7])),
        shirt=hsv(rng.random(), rng.uniform(0.1, 0.6), rng.uniform(0.3, 0.95)),
        trousers=hsv(rng.random(), rng.uniform(0.1, 0.6), rng.uniform(0.15, 0.7)),
        shoes=hsv(rng.random(), rng.uniform(0, 0.6), rng.choice([0.15, 0.5, 0.9])),
        long_sleeves=bool(rng.random() < 0.5),
        long_trousers=bool(rng.random() < 0.7),
        long_hair=bool(rng.random() < 0.4),
        bulk=bulk,
    )


def shade(color: Color, gain: float) -> Color:
    return tuple(min(255.0, gain * value) for value in color)  # type: ignore[return-value]


def fill(canvas: Image, outline: NDArray[np.float64], color: Color) -> None:
    """Fill the convex hull of the points N,2."""
    fixed = np.round(outline * (1 << SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillConvexPoly(canvas, cv2.convexHull(fixed), color, cv2.LINE_8, SUBPIXEL_BITS)


def discs(*ends: tuple[Point, float]) -> NDArray[np.float64]:
    """Points on the outlines of balls, given as (center, radius in meters); their hull is a limb."""
    return np.concatenate([center[:2] + CIRCLE * (radius * center[3]) for center, radius in ends])


def solid(canvas: Image, color: Color, *ends: tuple[Point, float]) -> None:
    """The hull of balls, lit from the upper left: a dark body with a lighter, smaller one on top."""
    fill(canvas, discs(*ends), shade(color, 0.68))
    lit = [(center - np.array([0.25, 0.3, 0, 0]) * radius * center[3], 0.7 * radius) for center, radius in ends]
    fill(canvas, discs(*lit), color)


def person_parts(points: dict[str, Point], looks: Looks) -> list[Part]:
    """All parts of a person at one moment, given the projected ``Body``."""
    wide = looks.bulk
    parts = [Part(points["chest"][2], lambda canvas: torso(canvas, points, looks)), *head_parts(points, looks)]

    def limb(color: Color, nearer: float, *ends: tuple[str, float]) -> None:
        placed = [(points[name], radius * wide) for name, radius in ends]
        depth = float(np.mean([point[2] for point, _ in placed])) + nearer
        parts.append(Part(depth, lambda canvas: solid(canvas, color, *placed)))

    for side, _ in SIDES:
        forearm = looks.shirt if looks.long_sleeves else looks.skin
        shin = looks.trousers if looks.long_trousers else looks.skin
        limb(looks.shirt, 0, (f"{side}_shoulder", 0.06), (f"{side}_elbow", 0.045))
        limb(forearm, 0.01, (f"{side}_elbow", 0.042), (f"{side}_wrist", 0.033))
        limb(looks.skin, 0.02, (f"{side}_wrist", 0.034), (f"{side}_hand", 0.042))
        limb(looks.trousers, -0.02, (f"{side}_hip", 0.085), (f"{side}_knee", 0.06))
        limb(shin, -0.01, (f"{side}_knee", 0.057), (f"{side}_ankle", 0.04))
        limb(looks.shoes, 0, (f"{side}_heel", 0.045), (f"{side}_toe", 0.035))
    return parts


def torso(canvas: Image, points: dict[str, Point], looks: Looks) -> None:
    """Hips and chest, with a neckline and a zip that show which way the person faces."""
    wide = looks.bulk
    solid(
        canvas,
        looks.trousers,
        (points["left_hip"], 0.09 * wide),
        (points["right_hip"], 0.09 * wide),
        (points["belly"], 0.1 * wide),
    )
    solid(
        canvas,
        looks.shirt,
        (points["left_shoulder"], 0.065 * wide),
        (points["right_shoulder"], 0.065 * wide),
        (points["chest"], 0.125 * wide),
        (points["belly"], 0.12 * wide),
        (points["pelvis"], 0.11 * wide),
    )
    if points["chest_front"][2] > points["chest"][2] + 0.02:
        collar, chest, belly = (points[name][:2] for name in ("collar", "chest_front", "belly_front"))
        half = 0.055 * points["collar"][3] * np.array([1.0, 0.0])
        zip_half = 0.016 * points["collar"][3] * np.array([1.0, 0.0])
        fill(
            canvas,
            np.stack([chest - zip_half, chest + zip_half, belly - zip_half, belly + zip_half]),
            shade(looks.shirt, 0.45),
        )
        fill(canvas, np.stack([collar - half, collar + half, 0.6 * collar + 0.4 * chest]), looks.skin)


def head_parts(points: dict[str, Point], looks: Looks) -> list[Part]:
    """Neck, then hair and face in the order the view gives them."""
    depth = points["head"][2]
    facing = points["nose"][2] - depth
    parts = [
        Part(
            points["neck"][2] - 0.01,
            lambda canvas: solid(canvas, looks.skin, (points["neck"], 0.05), (points["head"], 0.05)),
        ),
        Part(depth - np.sign(facing) * 0.001, lambda canvas: hair(canvas, points, looks)),
        Part(depth + np.sign(facing) * 0.001, lambda canvas: solid(canvas, looks.skin, (points["face"], 0.088))),
    ]
    if facing > -0.03:
        parts.append(Part(depth + 0.02, lambda canvas: features(canvas, points, looks)))
    return parts


def hair(canvas: Image, points: dict[str, Point], looks: Looks) -> None:
    ends = [(points["hair"], 0.112)]
    if looks.long_hair:
        back = 1.6 * points["hair"] - 0.6 * points["head"]
        ends.append(((back + points["neck"]) / 2, 0.07))
    solid(canvas, looks.hair, *ends)


def features(canvas: Image, points: dict[str, Point], looks: Looks) -> None:
    """Eyes, nose and mouth, each only where it is on the near side of the head."""
    near = points["head"][2] + 0.025
    for name, radius, color in (
        ("left_eye", 0.017, (25.0, 20.0, 20.0)),
        ("right_eye", 0.017, (25.0, 20.0, 20.0)),
        ("mouth", 0.022, shade(looks.skin, 0.5)),
        ("nose", 0.02, shade(looks.skin, 0.8)),
    ):
        if points[name][2] > near or name == "nose":
            fill(canvas, discs((points[name], radius)), color)
