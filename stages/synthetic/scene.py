"""The scene of a clip: camera, background, the object that is held, and the imperfections of a recording."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.synthetic.body import Array, Body, Pose
from stages.synthetic.person import CIRCLE, Color, Image, Part, Point, Rng, fill, hsv, shade, solid

SUPERSAMPLING = 2
MARGIN = 8
"""Pixels of background beyond the frame's edges, for a shaking camera."""


class View(NamedTuple):
    """A camera on a circle around the scene, T moments long."""

    azimuth: float
    """Radians; at 0, people with yaw 0 are seen from the front."""
    elevation: float
    distance: float
    """Meters from the point that the camera looks at."""
    scale: float
    """Frame pixels per meter at that distance."""
    center: tuple[float, float]
    """Position of the middle of the scene, 1.1 m above the ground, in frame pixels."""
    shake: Array
    """T,2 frame pixels."""


class Prop(NamedTuple):
    """A box or ball held between the hands."""

    kind: str
    size: float
    """Meters: half the width of the box, or the ball's radius."""
    color: Color
    stripe: Color


def random_view(rng: Rng, facing: bool, height: int, width: int, times: Array) -> View:
    """A view, sampled at random. ``facing``: two people who face each other along x are seen from the side. A single
    person is seen from the front or from behind, never from the side, where one arm hides the other."""
    azimuth = rng.uniform(-0.6, 0.6) if facing else rng.uniform(-1.0, 1.0)
    behind = rng.random() < 0.4
    room = 2.75 if not facing else 2.4
    scale = height / room * rng.uniform(0.8, 1.0)
    free = width / 2 - (0.55 if not facing else 0.95) * scale
    drift = [rng.uniform(0, 1.2) * np.sin(2 * np.pi * (times * rng.uniform(0.3, 1.5) + rng.random())) for _ in range(2)]
    return View(
        azimuth=azimuth + np.pi * behind,
        elevation=rng.uniform(0, 0.3),
        distance=rng.uniform(4.5, 9),
        scale=scale,
        center=(width / 2 + rng.uniform(-0.8, 0.8) * max(free, 0), height * 0.5 + 0.06 * scale * rng.normal()),
        shake=np.stack(drift, -1),
    )


def project(positions: Array, view: View) -> Array:
    """T,3 to T,4: frame x and y (whole numbers at pixel centers), depth in meters, frame pixels per meter."""
    x, y, z = positions[:, 0], positions[:, 1] - 1.1, positions[:, 2]
    cos, sin = np.cos(view.azimuth), np.sin(view.azimuth)
    x, z = cos * x + sin * z, -sin * x + cos * z
    cos, sin = np.cos(view.elevation), np.sin(view.elevation)
    y, z = cos * y - sin * z, sin * y + cos * z
    scale = view.scale * view.distance / (view.distance - z)
    place = np.stack([view.center[0] + scale * x, view.center[1] - scale * y], -1) + view.shake
    return np.concatenate([place, z[:, None], scale[:, None]], -1)


def random_prop(rng: Rng, kind: str) -> Prop:
    """An object in a red that no clothes and no wall have, so that a few clips suffice to learn to recognize it."""
    color = hsv(rng.uniform(0.95, 1.02), rng.uniform(0.9, 1), rng.uniform(0.85, 1))
    stripe = hsv(rng.uniform(0.13, 0.17), 0.9, 1.0)
    return Prop(kind, rng.uniform(0.24, 0.3) if kind == "box" else rng.uniform(0.15, 0.18), color, stripe)


def prop_path(body: Body, pose: Pose, prop: Prop, times: Array) -> dict[str, Array]:
    """The corners of the prop (box) or its center (ball), positions T,3 by name.

    It stays between the hands until ``flying`` starts, and then follows a ballistic path.
    """
    hands = (body["left_hand"] + body["right_hand"]) / 2
    across = body["left_shoulder"] - body["right_shoulder"]
    across = across / np.linalg.norm(across, axis=1, keepdims=True)
    flying = pose.get("flying", np.zeros_like(times))
    if flying.any():
        last = max(int(np.searchsorted(flying, 0, side="right")) - 1, 0)
        forward = np.cross(across[last], [0.0, 1.0, 0.0])
        launch = 3.5 * forward + np.array([0.0, 1.5, 0.0])
        drop = np.array([0.0, -4.9, 0.0])
        flown = flying[last + 1 :, None]
        hands = hands.copy()
        hands[last + 1 :] = np.maximum(hands[last] + launch * flown + drop * flown**2, [-9, prop.size, -9])
    if prop.kind == "ball":
        return {"ball": hands}
    ahead = np.cross(across, [0.0, 1.0, 0.0])
    ahead = ahead / np.linalg.norm(ahead, axis=1, keepdims=True)
    up = np.cross(ahead, across)
    half = prop.size * np.array([1.0, 0.75, 0.7])
    return {
        f"corner{i}": hands
        + half[0] * (1 - 2 * (i & 1)) * across
        + half[1] * (1 - (i & 2)) * up
        + half[2] * (1 - (i & 4) / 2) * ahead
        for i in range(8)
    }


BOX_FACES = ((0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5))


def prop_part(points: dict[str, Point], prop: Prop) -> Part:
    """The prop at one moment, given its projected points."""
    depth = float(np.mean([point[2] for point in points.values()]))

    def draw_ball(canvas: Image) -> None:
        ball = points["ball"]
        solid(canvas, prop.color, (ball, prop.size))
        band = CIRCLE * np.array([1, 0.3]) * prop.size * 0.95 * ball[3] + ball[:2]
        fill(canvas, band, prop.stripe)

    def draw_box(canvas: Image) -> None:
        corners = np.stack([points[f"corner{i}"] for i in range(8)])
        faces = sorted(BOX_FACES, key=lambda face: corners[list(face), 2].mean())
        for face, gain in zip(faces[3:], (0.6, 0.8, 1.0), strict=True):
            outline = corners[list(face), :2]
            fill(canvas, outline, shade(prop.color, gain))
            middle = outline.mean(0)
            fill(canvas, middle + (outline - middle) * np.array([0.25, 0.9]), shade(prop.stripe, gain))

    return Part(depth, draw_ball if prop.kind == "ball" else draw_box)


def paint_background(rng: Rng, height: int, width: int) -> Image:
    """A wall and a floor with clutter and texture, uint8 H,W,3: the frame with its margins, times SUPERSAMPLING."""
    h, w = ((side + 2 * MARGIN) * SUPERSAMPLING for side in (height, width))
    top, bottom = (np.array(hsv(rng.random(), rng.uniform(0, 0.5), rng.uniform(0.25, 0.95))) for _ in range(2))
    ramp = np.linspace(0, 1, h)[:, None, None]
    canvas = np.ascontiguousarray(np.broadcast_to(top * (1 - ramp) + bottom * ramp, (h, w, 3)).astype(np.uint8))
    horizon = int(h * rng.uniform(0.6, 0.82))
    kind = rng.integers(4)
    if kind == 0:  # a tiled wall
        step, color = int(rng.integers(24, 60)), shade(tuple(top), rng.uniform(0.75, 0.92))
        for y in range(0, h, step):
            for x in range((y // step % 2) * step, w, 2 * step):
                cv2.rectangle(canvas, (x, y), (x + step - 1, y + step - 1), color, cv2.FILLED)
    elif kind == 1:  # furniture, doors, houses
        for _ in range(int(rng.integers(3, 9))):
            x, y = int(rng.integers(0, w)), int(rng.integers(0, horizon))
            size = rng.integers(14, 110, 2)
            color = hsv(rng.random(), rng.uniform(0, 0.5), rng.uniform(0.2, 0.9))
            cv2.rectangle(canvas, (x, y), (x + int(size[0]), y + int(size[1])), color, cv2.FILLED)
    elif kind == 2:  # foliage
        for _ in range(int(rng.integers(15, 40))):
            place = (int(rng.integers(0, w)), int(rng.integers(0, horizon)))
            color = hsv(rng.uniform(0.2, 0.45), rng.uniform(0.1, 0.6), rng.uniform(0.2, 0.8))
            cv2.circle(canvas, place, int(rng.integers(6, 34)), color, cv2.FILLED)
    if kind != 3 or rng.random() < 0.5:
        canvas[horizon:] = np.array(hsv(rng.random(), rng.uniform(0, 0.4), rng.uniform(0.25, 0.85))).astype(np.uint8)
        for x in range(-w, w, int(rng.integers(40, 90))):
            cv2.line(
                canvas, (x, h), (int(0.5 * x + 0.3 * w), horizon), shade(tuple(canvas[-1, 0].astype(float)), 0.85), 2
            )
    blotches = cv2.resize(rng.normal(0, 1, (9, 12)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
    return np.clip(canvas + rng.uniform(0, 14) * blotches[:, :, None], 0, 255).astype(np.uint8)


class Recording(NamedTuple):
    """What the camera adds: exposure, color cast and noise."""

    gain: NDArray[np.float32]
    noise: NDArray[np.int16]


def random_recording(rng: Rng, height: int, width: int) -> Recording:
    gain = rng.uniform(0.75, 1.15) * (1 + rng.normal(0, 0.05, 3))
    noise = rng.normal(0, rng.uniform(1, 4), (height + 16, width + 16, 1))
    return Recording(gain.astype(np.float32), noise.round().astype(np.int16))


def record(
    background: Image, parts: list[Part], shadows: list[Point], shake: Array, recording: Recording, moment: int
) -> Image:
    """One frame: background, shadows, parts from far to near (their points in canvas pixels), then the camera."""
    offset = np.round((MARGIN - shake) * SUPERSAMPLING).astype(int)
    height, width = (side - 16 for side in recording.noise.shape[:2])
    y, x = int(offset[1]), int(offset[0])
    canvas = background[y : y + height * SUPERSAMPLING, x : x + width * SUPERSAMPLING].copy()
    for shadow in shadows:
        spot = shadow[:2] + CIRCLE * np.array([0.34, 0.1]) * shadow[3]
        below = np.clip(spot.mean(0), 0, np.array(canvas.shape[1::-1]) - 1).astype(int)
        fill(canvas, spot, shade(tuple(canvas[below[1], below[0]].astype(float)), 0.6))
    for part in sorted(parts, key=lambda part: part.depth):
        part.draw(canvas)
    frame = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    dy, dx = (moment * 7) % 16, (moment * 11) % 16
    noisy = frame * recording.gain + recording.noise[dy : dy + height, dx : dx + width]
    return np.clip(noisy, 0, 255).astype(np.uint8)


def on_canvas(points: Array) -> Array:
    """Projected points T,4 from frame pixels to canvas pixels."""
    center = (points[:, :2] + 0.5) * SUPERSAMPLING - 0.5
    return np.concatenate([center, points[:, 2:3], points[:, 3:] * SUPERSAMPLING], -1)
