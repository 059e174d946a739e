"""Which frames represent a clip, and these frames as JPEG images."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.errors import ClipError
from stages.frame_sampling import sample_frames
from stages.video.reader import Reader

ROUNDING = 1.0
"""Seconds by which an annotated span may exceed the video, since annotations are rounded, often to whole seconds."""


class Images(NamedTuple):
    """The columns of the frames table that hold pixels."""

    frames: list[bytes]
    height: int
    width: int
    source_height: int
    source_width: int


def sample(reader: Reader, start: float | None, end: float | None, count: int) -> np.ndarray:
    """Numbers, as the file counts frames, of ``count`` frames spread evenly over the span: int64 T.

    Where the span has fewer frames, some repeat. Raises ClipError where the span lies beyond the video.
    """
    times = reader.times
    last = times[-1] + (np.median(np.diff(times)) if len(times) > 1 else 0.0)
    span = f"the span {0 if start is None else start:g}–{last if end is None else end:g} s"
    if end is not None and end > last + ROUNDING:
        raise ClipError(f"{span} exceeds the video, which ends at {last:.2f} s: correct the span, or complete the file")
    begin = 0 if start is None else int(np.searchsorted(times, start - 1e-6))
    stop = len(times) if end is None else int(np.searchsorted(times, end - 1e-6))
    if stop <= begin:
        raise ClipError(f"{span} holds no frame of the video, which ends at {last:.2f} s")
    return reader.first + begin + np.array(sample_frames(stop - begin, count))


def jpegs(reader: Reader, numbers: Sequence[int] | np.ndarray, short_side: int, quality: int) -> Images:
    """The frames with these numbers as JPEG images, scaled down to ``short_side`` if their shorter side is longer."""
    images: dict[int, bytes] = {}
    wanted = sorted({int(number) for number in numbers})
    for number, frame in zip(wanted, reader.read(wanted), strict=True):
        height, width = frame.shape[:2]
        scale = min(1.0, short_side / min(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = frame if scale == 1 else cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        images[number] = encoded.tobytes()
    return Images([images[int(number)] for number in numbers], image.shape[0], image.shape[1], height, width)
