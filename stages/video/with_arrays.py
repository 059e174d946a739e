"""Frames that are in memory already, in place of a video file."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from pipeline.errors import ClipError
from pipeline.stage import Row
from stages.video.passes import Encoding, Span
from stages.video.reader import Reader
from stages.video.sampling import jpegs
from stages.video.selection import choose


class ArrayReader(Reader):
    """The frames of an array, evenly in time."""

    name: ClassVar[str] = "array"

    def __init__(self, frames_NHW3: np.ndarray, fps: float) -> None:
        """frames_NHW3: uint8, RGB. fps: frames per second."""
        self._frames_NHW3 = frames_NHW3
        self.times = np.arange(len(frames_NHW3)) / fps
        self.until = len(frames_NHW3) / fps
        """When the last frame is no longer shown, in seconds."""

    def read(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        return (self._frames_NHW3[index] for index in indices)

    def close(self) -> None:
        """There is nothing to close."""


def read_array(reader: ArrayReader, spans: Sequence[Span], count: int, encoding: Encoding) -> list[Row]:
    """``count`` frames for each span, as columns of the frames table, or its error: those that ``read_clips`` takes
    from a file with the same frames."""
    return [_read(reader, *span, count, encoding) for span in spans]


def _read(reader: ArrayReader, start: float | None, end: float | None, count: int, encoding: Encoding) -> Row:
    try:
        numbers = choose(reader.times, reader.until, start, end, count, first=0.0)
    except ClipError as error:
        return {"error": str(error)}
    images = jpegs(reader, numbers, encoding.short_side, encoding.quality)
    whole = {"source_frames": len(reader.times)} if (start, end) == (None, None) else {}
    places = {"indices": numbers.tolist(), "times": reader.times[numbers].tolist(), "reader": reader.name}
    return images._asdict() | whole | places
