"""Draws skeletons on a frame, with left and right limbs in different colors."""

from typing import NamedTuple

import cv2
import numpy as np

from recognizer.skeletons import Layout, layout

Color = tuple[int, int, int]


class Palette(NamedTuple):
    """RGB colors of one person's joints and limbs."""

    left: Color
    right: Color
    center: Color


PALETTES = (
    Palette(left=(64, 156, 255), right=(255, 138, 46), center=(255, 255, 255)),
    Palette(left=(52, 211, 153), right=(244, 96, 170), center=(253, 240, 150)),
)
"""Of the first and the second person; further persons alternate."""

OUTLINE: Color = (16, 18, 24)
SURE = 0.3
"""Joints with a lower score, and their limbs, are drawn half transparent."""
SUBPIXEL_BITS = 4


def draw_skeletons(image: np.ndarray, keypoints: np.ndarray, layout_name: str) -> np.ndarray:
    """Return a copy of the image with the skeletons on it.

    image: uint8 H,W,3 RGB. keypoints: M,R,3 as x, y, score, relative to the image; a joint with score 0 is missing, and
    neither it nor its limbs are drawn. The first person is drawn last, on top. Raises ValueError if the keypoints do
    not fit the layout.
    """
    skeleton = layout(layout_name)
    if keypoints.ndim != 3 or keypoints.shape[1:] != (skeleton.count, 3):
        raise ValueError(
            f"keypoints of {skeleton.name} are M,{skeleton.count},3, not {','.join(map(str, keypoints.shape))}"
        )
    drawn = np.ascontiguousarray(image).copy()
    for person in reversed(range(len(keypoints))):
        palette = PALETTES[person % len(PALETTES)]
        faint = drawn.copy()
        _draw_person(faint, keypoints[person].astype(np.float64), skeleton, palette, above=0.0)
        drawn = cv2.addWeighted(drawn, 0.5, faint, 0.5, 0)
        _draw_person(drawn, keypoints[person].astype(np.float64), skeleton, palette, above=SURE)
    return drawn


def _draw_person(image: np.ndarray, keypoints: np.ndarray, skeleton: Layout, palette: Palette, above: float) -> None:
    """Draw the joints with a score over ``above``, and the limbs between them, into ``image``."""
    height, width = image.shape[:2]
    shown = (keypoints[:, 2] > above) & np.isfinite(keypoints).all(axis=1)
    # points far outside would overflow OpenCV's fixed-point coordinates; slightly outside looks the same
    pixels = np.clip(np.nan_to_num(keypoints[:, :2]), -4, 5) * (width, height) - 0.5
    points = [(int(x), int(y)) for x, y in (pixels * 2**SUBPIXEL_BITS).round()]
    limbs = [(a, b) for a, b in skeleton.edges if shown[a] and shown[b]]
    side = ["center"] * skeleton.count
    for left, right in skeleton.pairs:
        side[left], side[right] = "left", "right"

    line = max(1, round(min(height, width) / 100))
    radius = max(1.5, min(height, width) / 75)
    style = {"lineType": cv2.LINE_AA, "shift": SUBPIXEL_BITS}
    for a, b in limbs:
        cv2.line(image, points[a], points[b], OUTLINE, line + 2, **style)
    for a, b in limbs:
        sides = {side[a], side[b]} - {"center"}  # limbs between the trunk and a side have that side's color
        color = getattr(palette, sides.pop() if len(sides) == 1 else "center")
        cv2.line(image, points[a], points[b], color, line, **style)
    for joint in np.flatnonzero(shown):
        cv2.circle(image, points[joint], int((radius + 1) * 2**SUBPIXEL_BITS), OUTLINE, -1, **style)
        cv2.circle(image, points[joint], int(radius * 2**SUBPIXEL_BITS), getattr(palette, side[joint]), -1, **style)
