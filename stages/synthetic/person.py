"""Draws a person: limbs as shaded capsules, a torso, and a head with a face, ordered by depth.

Everything is drawn on a canvas of ``SUPERSAMPLING`` times the frame's size and then averaged down, which is cheaper
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
"""4: x, y on the canvas, depth in meters toward the viewer, canvas pixels per meter."""
Image = NDArray[np.uint8]

SUBPIXEL_BITS = 3
"""Fraction bits of the coordinates given to OpenCV."""
CIRCLE = np.stack([np.cos(np.arange(12) * np.pi / 6), np.sin(np.arange(12) * np.pi / 6)], 1)


class Appearance(NamedTuple):
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
    """Something to draw; parts of greater depth are nearer and drawn later."""

    depth: float
    draw: Callable[[Image], None]


def hsv(hue: float, saturation: float, value: float) -> Color:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return 255 * red, 255 * green, 255 * blue


def random_appearance(rng: Rng, bulk: float) -> Appearance:
    """A person's appearance, sampled at random."""
    return Appearance(
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


def person_parts(points: dict[str, Point], appearance: Appearance) -> list[Part]:
    """All parts of a person at one moment, given the projected ``Body``."""
    wide = appearance.bulk
    parts = [
        Part(points["chest"][2], lambda canvas: torso(canvas, points, appearance)),
        *head_parts(points, appearance),
    ]

    def limb(color: Color, nearer: float, *ends: tuple[str, float]) -> None:
        placed = [(points[name], radius * wide) for name, radius in ends]
        depth = float(np.mean([point[2] for point, _ in placed])) + nearer
        parts.append(Part(depth, lambda canvas: solid(canvas, color, *placed)))

    for side, _ in SIDES:
        forearm = appearance.shirt if appearance.long_sleeves else appearance.skin
        shin = appearance.trousers if appearance.long_trousers else appearance.skin
        limb(appearance.shirt, 0, (f"{side}_shoulder", 0.06), (f"{side}_elbow", 0.045))
        limb(forearm, 0.01, (f"{side}_elbow", 0.042), (f"{side}_wrist", 0.033))
        limb(appearance.skin, 0.02, (f"{side}_wrist", 0.034), (f"{side}_hand", 0.042))
        limb(appearance.trousers, -0.02, (f"{side}_hip", 0.085), (f"{side}_knee", 0.06))
        limb(shin, -0.01, (f"{side}_knee", 0.057), (f"{side}_ankle", 0.04))
        limb(appearance.shoes, 0, (f"{side}_heel", 0.045), (f"{side}_toe", 0.035))
    return parts


def torso(canvas: Image, points: dict[str, Point], appearance: Appearance) -> None:
    """Hips and chest, with a neckline and a zipper that show which way the person faces."""
    wide = appearance.bulk
    solid(
        canvas,
        appearance.trousers,
        (points["left_hip"], 0.09 * wide),
        (points["right_hip"], 0.09 * wide),
        (points["belly"], 0.1 * wide),
    )
    solid(
        canvas,
        appearance.shirt,
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
            shade(appearance.shirt, 0.45),
        )
        fill(canvas, np.stack([collar - half, collar + half, 0.6 * collar + 0.4 * chest]), appearance.skin)


def head_parts(points: dict[str, Point], appearance: Appearance) -> list[Part]:
    """Neck, then hair and face, ordered by the view."""
    depth = points["head"][2]
    facing = points["nose"][2] - depth
    parts = [
        Part(
            points["neck"][2] - 0.01,
            lambda canvas: solid(canvas, appearance.skin, (points["neck"], 0.05), (points["head"], 0.05)),
        ),
        Part(depth - np.sign(facing) * 0.001, lambda canvas: hair(canvas, points, appearance)),
        Part(depth + np.sign(facing) * 0.001, lambda canvas: solid(canvas, appearance.skin, (points["face"], 0.088))),
    ]
    if facing > -0.03:
        parts.append(Part(depth + 0.02, lambda canvas: features(canvas, points, appearance)))
    return parts


def hair(canvas: Image, points: dict[str, Point], appearance: Appearance) -> None:
    ends = [(points["hair"], 0.112)]
    if appearance.long_hair:
        back = 1.6 * points["hair"] - 0.6 * points["head"]
        ends.append(((back + points["neck"]) / 2, 0.07))
    solid(canvas, appearance.hair, *ends)


def features(canvas: Image, points: dict[str, Point], appearance: Appearance) -> None:
    """Eyes, nose and mouth, each only if it is on the near side of the head."""
    near = points["head"][2] + 0.025
    for name, radius, color in (
        ("left_eye", 0.017, (25.0, 20.0, 20.0)),
        ("right_eye", 0.017, (25.0, 20.0, 20.0)),
        ("mouth", 0.022, shade(appearance.skin, 0.5)),
        ("nose", 0.02, shade(appearance.skin, 0.8)),
    ):
        if points[name][2] > near or name == "nose":
            fill(canvas, discs((points[name], radius)), color)
