"""Text on pictures, in any alphabet that a font has: OpenCV's own letters are those of ASCII."""

from bisect import bisect_right
from contextlib import suppress
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

Color = tuple[int, int, int]

FONTS = (
    "DejaVu Sans",  # comes with matplotlib
    "Noto Sans CJK JP",
    "Noto Sans Devanagari",
    "Arial Unicode MS",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Nirmala UI",
)
"""A sign is that of the first of these fonts that is installed and has it."""
BOX = "□"
"""In place of a sign that none of them has."""
LINE = 1.35
"""Height of a line of text relative to the font's size."""
BASE = 1.02
"""Where in the line the letters stand."""


@lru_cache(maxsize=2)
def _installed(bold: bool) -> tuple[list[Any], frozenset[int]]:
    """The files of the fonts that are installed, and the code points that they have."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    files: list[Any] = []
    for name in FONTS:
        with suppress(ValueError):
            # Many of the others are never bold, of which matplotlib would complain.
            font = FontProperties(family=name, weight="bold" if bold and not files else "normal")
            files.append(findfont(font, fallback_to_default=False))
    return files, frozenset(point for file in files for point in get_font(file).get_charmap())


@lru_cache(maxsize=512)
def lettering(text: str, size: int, bold: bool = False) -> np.ndarray:
    """How much of each pixel a line of text covers: uint8 H,W, H being the line's height.

    size: of the font in pixels. Signs that no font has are drawn as boxes.
    """
    from matplotlib.font_manager import get_font

    height, base = round(LINE * size), round(BASE * size)
    line = np.zeros((height, 1), np.uint8)
    if not text.strip():
        return line
    files, known = _installed(bold)
    font = get_font(files)  # which matplotlib keeps, for all sizes
    font.set_size(size, 72)
    font.set_text("".join(sign if ord(sign) in known else BOX for sign in text))
    font.draw_glyphs_to_bitmap(antialiased=True)
    letters = np.asarray(font.get_image())
    top = base + round(font.get_descent() / 64) - len(letters)
    line = np.zeros((height, letters.shape[1]), np.uint8)
    first, last = max(top, 0), min(top + len(letters), height)
    line[first:last] = letters[first - top : last - top]
    return line


def write(image: np.ndarray, text: str, x: int, y: int, size: int, color: Color, bold: bool = False) -> None:
    """Write a line of text into the image (uint8 H,W,3), with its upper left corner at x, y; what lies outside is cut
    off."""
    mask = lettering(text, size, bold)
    left, top = max(x, 0), max(y, 0)
    part = image[top : max(y + mask.shape[0], 0), left : max(x + mask.shape[1], 0)]
    if part.size == 0:
        return
    cover = mask[top - y : top - y + part.shape[0], left - x : left - x + part.shape[1], None].astype(np.float32) / 255
    part[:] = np.rint(part * (1 - cover) + np.array(color, np.float32) * cover)


def shortened(text: str, size: int, width: int, bold: bool = False) -> str:
    """The text, or as much of its beginning as fits into so many pixels."""
    text = "".join(sign if sign.isprintable() else "?" for sign in text)
    if lettering(text, size, bold).shape[1] <= width:
        return text
    lengths = range(1, len(text))
    fit = bisect_right(lengths, width, key=lambda length: lettering(f"{text[:length]}…", size, bold).shape[1])
    return f"{text[:fit]}…" if fit else ""


def shade(image: np.ndarray, left: int, top: int, right: int, bottom: int, strength: float = 0.6) -> None:
    """Darken a part of the image, so that white text can be read on it."""
    part = image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if part.size:
        part[:] = cv2.convertScaleAbs(part, alpha=1 - strength)
