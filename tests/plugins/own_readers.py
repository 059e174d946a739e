"""Readers of a user's own, as plug-ins of the decode stage: ``reader: own_readers:ArrayReader``."""

import os
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from pipeline.errors import ClipError
from stages.video.reader import Reader, UnreadableError


class ArrayReader(Reader):
    """Reads videos stored as NumPy arrays, uint8 N,H,W,3, ten frames a second."""

    name: ClassVar[str] = "array"

    def __init__(self, path: str, start: float | None, end: float | None) -> None:
        try:
            self.frames = np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            raise UnreadableError from error
        self.times = np.arange(len(self.frames)) / 10

    def read(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        return (np.asarray(self.frames[index]) for index in indices)

    def close(self) -> None:
        del self.frames


class AbortingReader(ArrayReader):
    """Ends its whole process at a file whose name says so, like a decoder with a fault; reads others as usual."""

    name: ClassVar[str] = "aborting"

    def __init__(self, path: str, start: float | None, end: float | None) -> None:
        from stages.video.film import Film
        from stages.video.seen import as_seen

        if "abort" in path:
            os.abort()
        with Film(path) as film:
            shown = [(picture.time, as_seen(picture.frame, None)) for picture in film.pictures()]
            if film.broken:
                raise ClipError(f"broken after frame {film.broken.number}: {film.broken.reason}")
        self.times = np.array([time for time, _ in shown])
        self.frames = np.stack([image for _, image in shown])
