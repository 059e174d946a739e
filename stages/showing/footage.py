"""The pictures of a video or of a folder of images, one after the other, as a person sees them."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from stages.places import address_of
from stages.video.film import Film
from stages.video.packets import packets_of
from stages.video.seen import as_seen
from stages.video.with_images import RATE, ImageFolderReader

Size = tuple[int, int]
"""Width and height in pixels."""


class Seen(NamedTuple):
    """A picture and when it is on show."""

    image: np.ndarray
    """uint8 H,W,3 RGB, upright, with square pixels."""
    time: float
    """Seconds from the beginning of the file."""
    until: float


class Footage:
    """A video file or a folder of images, which can be gone through several times.

    Attributes:
        notes: what was unusual, complete once its pictures have been gone through.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []

    def expected(self) -> int:
        """How many pictures there will be, if the file keeps what its packets promise. Raises ClipError."""
        if self.path.is_dir():
            return len(ImageFolderReader(str(self.path)).times)
        return len(packets_of(address_of(self.path)).times)

    def pictures(self) -> Iterator[Seen]:
        """All of them. Raises ClipError where there are none."""
        return self._images() if self.path.is_dir() else self._frames()

    def _images(self) -> Iterator[Seen]:
        reader = ImageFolderReader(str(self.path))
        for image, time in zip(reader.read(range(len(reader.times))), reader.times.tolist(), strict=True):
            yield Seen(image, time, time + 1 / RATE)

    def _frames(self) -> Iterator[Seen]:
        damaged = 0
        with Film(address_of(self.path)) as film:
            for picture in film.pictures():
                damaged += picture.damaged
                image = as_seen(picture.frame, film.stream.sample_aspect_ratio)
                yield Seen(image, picture.time, picture.until)
            self.notes = list(film.warnings)
            if film.broken:
                at = f"after frame {film.broken.number - 1} ({film.broken.time:.2f} s)"
                self.notes.append(f"cut off or broken {at}: {film.broken.reason}")
            if damaged:
                self.notes.append(f"{damaged:,} frames are damaged")


def fitted(image: np.ndarray, size: Size) -> np.ndarray:
    """The image with this width and height."""
    if image.shape[1::-1] == size:
        return image
    smaller = size[0] <= image.shape[1] and size[1] <= image.shape[0]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def scaled(image: np.ndarray, scale: float) -> Size:
    """Width and height of an image of which each side is multiplied."""
    return max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
