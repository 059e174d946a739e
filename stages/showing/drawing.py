"""Draws people on pictures: a color for each, the box that was detected, the number, and the skeleton."""

import cv2
import numpy as np

from stages.overlay import OUTLINE, Color, Palette, draw_skeletons
from stages.showing.lettering import LINE, lettering, shade, shortened, write
from stages.showing.people import People, Person

COLORS: tuple[Color, ...] = (
    (66, 165, 255),
    (255, 145, 40),
    (60, 220, 130),
    (255, 95, 180),
    (250, 220, 40),
    (175, 140, 255),
    (40, 220, 240),
    (255, 110, 100),
)
"""Of the persons with numbers 1, 2 and so on; further ones begin again."""
OPACITIES = ((0.0, 0.3), (0.2, 0.45), (0.4, 0.6), (0.6, 1.0))
"""Joints with a score above the first number are drawn over what is there, with the second as opacity: the surer, the
clearer."""
LARGE = 1.3
"""Shorter side of an image relative to a person who fills it."""
SMALLEST = 150.0
"""Pixels of the shorter side of an image whose lines can still be seen."""
WHITE: Color = (255, 255, 255)


def draw_people(image: np.ndarray, people: People) -> np.ndarray:
    """A copy of the image (uint8 H,W,3 RGB) with the people drawn on it."""
    drawn = np.ascontiguousarray(image).copy()
    for person in people.persons:
        if person.box is not None:
            _draw_box(drawn, person)
    if people.persons:
        keypoints = np.stack([person.keypoints for person in people.persons])
        palettes = [_palette(color_of(person.number)) for person in people.persons]
        sides = [_suitable_side(person, drawn) for person in people.persons]
        drawn = draw_skeletons(drawn, keypoints, people.layout, palettes, OPACITIES, sides)
    for person in reversed(people.persons):
        _draw_number(drawn, person)
    return drawn


def _suitable_side(person: Person, image: np.ndarray) -> float:
    """Pixels of the shorter side of an image whose lines would suit this person: small ones get thin lines."""
    height, width = image.shape[:2]
    joints = person.keypoints[person.keypoints[:, 2] > 0, :2]
    extent = float((np.ptp(joints, axis=0) * (width, height)).max()) if len(joints) else 0.0
    return min(height, width, max(extent * LARGE, SMALLEST))


def color_of(number: int) -> Color:
    """The color of the person with this number."""
    return COLORS[(number - 1) % len(COLORS)]


def draw_caption(image: np.ndarray, text: str) -> None:
    """Write a line of text at the top of the image, into it."""
    size = font_size(image)
    text = shortened(text, size, image.shape[1] - size)
    shade(image, 0, 0, image.shape[1], round(LINE * size))
    write(image, text, size // 2, 0, size, WHITE)


def font_size(image: np.ndarray) -> int:
    """Of text on an image, in pixels."""
    return max(12, round(min(image.shape[:2]) / 26))


def _palette(color: Color) -> Palette:
    """Left limbs are lighter than right ones."""
    light = (np.array(color) * 0.45 + np.array(WHITE) * 0.55).astype(int).tolist()
    return Palette(left=tuple(light), right=color, center=color)


def _corners(box: tuple[float, ...], image: np.ndarray) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 in pixels, within the image."""
    height, width = image.shape[:2]
    pixels = np.clip(np.array(box) * (width, height, width, height), 0, (width, height, width, height))
    x1, y1, x2, y2 = np.clip(pixels.round().astype(int), 0, (width - 1, height - 1) * 2).tolist()
    return x1, y1, x2, y2


def _draw_box(image: np.ndarray, person: Person) -> None:
    assert person.box is not None
    x1, y1, x2, y2 = _corners(person.box, image)
    line = max(1, round(min(image.shape[:2]) / 240))
    cv2.rectangle(image, (x1, y1), (x2, y2), OUTLINE, line + 2)
    cv2.rectangle(image, (x1, y1), (x2, y2), color_of(person.number), line)


def _draw_number(image: np.ndarray, person: Person) -> None:
    """A label above the box or, without one, above the topmost joint."""
    box = person.box
    if box is None:
        joints = person.keypoints[person.keypoints[:, 2] > 0, :2]
        top = joints[joints[:, 1].argmin()].tolist()
        box = (*top, *top)
    size = font_size(image)
    text, height = str(person.number), round(LINE * size)
    width = lettering(text, size, bold=True).shape[1] + size // 2
    x1, y1, *_ = _corners(box, image)
    x = x1 if person.box is not None else x1 - width // 2
    x, y = max(0, min(x, image.shape[1] - width)), max(y1 - height, 0)
    cv2.rectangle(image, (x, y), (x + width, y + height), color_of(person.number), -1)
    write(image, text, x + size // 4, y, size, OUTLINE, bold=True)
