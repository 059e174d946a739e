"""A contact sheet: some pictures of a video side by side, with the times at which they are on show."""

import cv2
import numpy as np

from stages.frame_sampling import sample_frames
from stages.images import BLANK, tile
from stages.showing.drawing import WHITE
from stages.showing.lettering import LINE, lettering, shade, shortened, write

CELLS = 12
"""Pictures, at most."""
WIDTH = 1600
"""Pixels of the sheet, roughly."""
GAP = 8
"""Pixels between pictures."""
FONT = 17
SIDE = 520
"""Pixels of the longer side of a picture, at most."""


class Sheet:
    """Keeps evenly spread pictures of a video whose length is not known before its end."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, np.ndarray, float]] = []
        """Every n-th picture, small: its position, itself and its time."""
        self._every = 1
        self.count = 0
        """Pictures so far."""

    def add(self, image: np.ndarray, time: float) -> None:
        """Take note of the next picture (uint8 H,W,3 RGB), which is on show from this time on, in seconds."""
        if self.count % self._every == 0:
            small = tile(image, SIDE) if max(image.shape[:2]) > SIDE else image
            self._kept.append((self.count, small, time))
        self.count += 1
        if len(self._kept) > 8 * CELLS:
            self._every *= 2
            self._kept = [kept for kept in self._kept if kept[0] % self._every == 0]

    def drawn(self, title: str, facts: str) -> np.ndarray:
        """The sheet (uint8 H,W,3 RGB), below two lines of text."""
        wanted = sample_frames(self.count, min(CELLS, self.count))
        positions = np.array([position for position, *_ in self._kept])
        chosen = [self._kept[i] for i in sorted({int(np.abs(positions - one).argmin()) for one in wanted})]
        height, width = chosen[0][1].shape[:2]
        columns = min(len(chosen), 4 if width >= height else 6)
        across = min(WIDTH // columns - GAP, round(SIDE * min(1, width / height)))
        size = across, max(1, round(across * height / width))
        rows = -(-len(chosen) // columns)
        line = round(LINE * FONT)
        top = 2 * line + 2 * GAP
        whole = max(columns * (size[0] + GAP) + GAP, 2 * SIDE)
        sheet = np.full((top + rows * (size[1] + GAP), whole, 3), BLANK, np.uint8)
        for y, text, bold in ((GAP, title, True), (GAP + line, facts, False)):
            write(sheet, shortened(text, FONT, whole - 2 * GAP, bold), GAP, y, FONT, WHITE, bold)
        for place, (_, image, time) in enumerate(chosen):
            y = top + place // columns * (size[1] + GAP)
            x = GAP + place % columns * (size[0] + GAP)
            cell = sheet[y : y + size[1], x : x + size[0]]
            smaller = size[0] <= image.shape[1]
            cell[:] = cv2.resize(image, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
            _stamp(cell, clock(time))
        return sheet


def clock(seconds: float) -> str:
    """``0:03.25``, ``1:02:03.25``."""
    hundredths = round(seconds * 100)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{head}:{rest / 100:05.2f}"


def _stamp(cell: np.ndarray, text: str) -> None:
    """Write a time into the lower left corner."""
    height, width = lettering(text, FONT).shape
    y = cell.shape[0] - height
    shade(cell, 0, y, width + 2 * GAP, cell.shape[0])
    write(cell, text, GAP, y, FONT, WHITE)
