"""A video and a contact sheet from pictures and people."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pipeline.errors import ClipError
from stages.showing.footage import Seen
from stages.showing.people import People, Person
from stages.showing.show import drawn_size, show


def seen(count: int, height: int = 90, width: int = 120) -> list[Seen]:
    return [Seen(np.full((height, width, 3), 100, np.uint8), i / 10, (i + 1) / 10) for i in range(count)]


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [
        (90, 120, (640, 480)),
        (480, 640, (640, 480)),
        (720, 1280, (1280, 720)),
        (2160, 3840, (1920, 1080)),
        (1920, 1080, (1080, 1920)),
        (10, 4000, (1920, 5)),
        (1, 1, (480, 480)),
        (1, 4000, (1920, 2)),
    ],
)
def test_small_pictures_are_enlarged_and_large_ones_reduced(height: int, width: int, size: tuple[int, int]) -> None:
    assert drawn_size(seen(1, height, width)[0]) == size


def test_people_are_in_their_pictures(tmp_path: Path) -> None:
    keypoints = np.zeros((17, 3))
    here = People((Person(1, keypoints, (0.25, 0.25, 0.75, 0.75)),))
    there = People((Person(2, keypoints, (0.55, 0.55, 0.95, 0.95)),))
    shown = show("clip", iter(seen(4)), iter([here, People(), there, here]), tmp_path / "a.b")
    assert shown.movie == tmp_path / "a.b.mp4"
    assert shown.facts == "4 frames, 0.4 s, 120 x 90; 2 tracks, people in 3 frames"
    assert shown.notes == []
    with av.open(str(shown.movie)) as container:
        images = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    blue = [bool((image[240, 150:170, 2] > 160).any()) for image in images]
    orange = [bool((image[340, 345:360, 0] > 180).any()) for image in images]
    assert (blue, orange) == ([True, False, False, True], [False, False, True, False])
    assert cv2.imread(str(tmp_path / "a.b.png")) is not None


def test_captions_may_change(tmp_path: Path) -> None:
    show("clip", iter(seen(4)), iter([]), tmp_path / "a", caption=lambda time: "sit" if time > 0.15 else None)
    with av.open(str(tmp_path / "a.mp4")) as container:
        images = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    assert [bool((image[5, 300:] < 60).all()) for image in images] == [False, False, True, True]


def test_fewer_people_than_pictures(tmp_path: Path) -> None:
    """A skeleton file may end before its video."""
    shown = show("clip", iter(seen(3)), iter([]), tmp_path / "a")
    assert shown.facts == "3 frames, 0.3 s, 120 x 90; nobody found"


def test_no_picture(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="no picture"):
        show("clip", iter([]), iter([]), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_pictures_of_other_sizes_are_fitted(tmp_path: Path) -> None:
    mixed = [*seen(2), *(one._replace(time=one.time + 1, until=one.until + 1) for one in seen(2, 200, 100))]
    shown = show("clip", iter(mixed), iter([]), tmp_path / "a")
    with av.open(str(shown.movie)) as container:
        assert [(frame.width, frame.height) for frame in container.decode(video=0)] == [(640, 480)] * 4
