"""Contact sheets: which pictures they show, and how."""

import numpy as np
import pytest

from stages.showing.lettering import LINE
from stages.showing.sheet import CELLS, FONT, GAP, WIDTH, Sheet, clock


def sheet_of(count: int, height: int = 48, width: int = 64) -> tuple[Sheet, np.ndarray]:
    """Pictures that are the brighter the later they are."""
    sheet = Sheet()
    for i in range(count):
        sheet.add(np.full((height, width, 3), round(40 + 200 * i / max(count - 1, 1)), np.uint8), i / 25)
    return sheet, sheet.drawn("title", "facts")


def places(image: np.ndarray, columns: int, rows: int) -> list[float]:
    """From where in the video each picture is, from 0 to 1."""
    across = (image.shape[1] - GAP) / columns
    top = 2 * round(LINE * FONT) + 2 * GAP
    down = (image.shape[0] - top) / rows
    middles = [
        image[int(top + (row + 0.4) * down), int(GAP + (column + 0.5) * across)]
        for row in range(rows)
        for column in range(columns)
    ]
    return [(float(middle.mean()) - 40) / 200 for middle in middles]


@pytest.mark.parametrize("count", [12, 13, 50, 96, 97, 1000, 5000])
def test_pictures_are_evenly_spread(count: int) -> None:
    _, image = sheet_of(count)
    found = places(image, 4, 3)
    wanted = [(i + 0.5) / CELLS for i in range(CELLS)]
    assert found == pytest.approx(wanted, abs=0.055)


def test_few_pictures_are_shown_once_each() -> None:
    _, image = sheet_of(3)
    assert places(image, 3, 1) == pytest.approx([0, 0.5, 1], abs=0.02)


def test_memory_is_bounded() -> None:
    sheet, _ = sheet_of(3000)
    assert len(sheet._kept) <= 8 * CELLS
    assert sheet.count == 3000


@pytest.mark.parametrize(("height", "width"), [(48, 64), (640, 360), (1080, 1920), (32, 400), (400, 32), (2, 2)])
def test_any_shape_fits(height: int, width: int) -> None:
    _, image = sheet_of(14, height, width)
    assert image.dtype == np.uint8
    assert 600 < image.shape[1] <= WIDTH + 2 * GAP
    assert image.shape[0] < 3000


def test_times_are_written_on_the_pictures() -> None:
    _, image = sheet_of(1, 480, 640)
    lower_left = image[-GAP - FONT :, GAP : GAP + 60]
    assert lower_left.max() > 240, "white letters"


def test_clock() -> None:
    assert [clock(seconds) for seconds in (0, 3.256, 59.999, 61, 3723.5)] == [
        "0:00.00",
        "0:03.26",
        "1:00.00",
        "1:01.00",
        "1:02:03.50",
    ]
