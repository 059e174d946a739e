"""Folders of images in place of video files, as in PennAction and many other data sets."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from pipeline.errors import ClipError
from stages.leftovers import is_leftover
from stages.video.reader import Reader

RATE = 30.0
"""Images per second. An assumption: a folder does not say."""

EXTENSIONS = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".webp"})


class ImageFolderReader(Reader):
    """Reads the images of a folder in the order of the numbers in their names."""

    name: ClassVar[str] = "images"

    def __init__(self, path: str) -> None:
        """Raises ClipError if the folder holds no images."""
        try:
            entries = [file for file in Path(path).iterdir() if not is_leftover(file.name)]
        except OSError as error:
            raise ClipError(f"the folder cannot be read: {error.strerror}") from None
        files = [file for file in entries if file.suffix.lower() in EXTENSIONS]
        if not files:
            raise ClipError(f"the folder holds no images ({', '.join(sorted(EXTENSIONS))})")
        self._files = sorted(files, key=_by_numbers)
        self.times = np.arange(len(files)) / RATE

    def read(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """See Reader. Raises ClipError that names the image if it cannot be read or differs in size."""
        size = None
        for index in indices:
            file = self._files[index]
            # Not np.fromfile: where the disk fails, that gives what it has read so far, and says nothing.
            content = np.frombuffer(file.read_bytes(), np.uint8)
            image = cv2.imdecode(content, cv2.IMREAD_COLOR_RGB) if len(content) else None
            if image is None:
                raise ClipError(f"frame {index}, {file.name}, cannot be read as an image: copy or download it again")
            if size is not None and image.shape != size:
                raise ClipError(
                    f"frame {index}, {file.name}, is {image.shape[1]} x {image.shape[0]} pixels, but the frames before "
                    f"it are {size[1]} x {size[0]}"
                )
            size = image.shape
            yield image

    def close(self) -> None:
        """There is nothing to close."""


def _by_numbers(file: Path) -> list[tuple[int, str]]:
    """Sorts ``img_9`` before ``img_10``."""
    return [(int(number or -1), text) for text, number in re.findall(r"(\D*)(\d*)", file.stem)]
