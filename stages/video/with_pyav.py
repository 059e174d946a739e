"""The reference reader: frames through PyAV, identified by their presentation times, with damage named by frame."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, ClassVar

import av
import numpy as np

from pipeline.errors import ClipError
from stages.video.reader import Reader
from stages.video.timeline import Timeline, open_container


class PyAVReader(Reader):
    """Reads everything that FFmpeg can decode."""

    name: ClassVar[str] = "pyav"

    def __init__(self, path: str, timeline: Timeline) -> None:
        self.first, self.times = timeline.first, timeline.times
        self._timeline = timeline
        self._files = ExitStack()
        self._container = self._files.enter_context(open_container(path))
        self._stream = self._container.streams.video[0]
        self._stream.codec_context.thread_type = "NONE"
        self._stream.codec_context.thread_count = 1

    def close(self) -> None:
        """Close the file."""
        self._files.close()

    def read(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """See Reader. Raises ClipError if a frame is missing or damaged."""
        pts = self._timeline.pts
        decoded: Iterator[tuple[int, Any]] | None = None
        number, frame = -1, None
        for index in indices:
            key = self._keyframe(pts[index - self.first])
            if decoded is None or (key is not None and number < index and key[0] > pts[number - self.first]):
                decoded, number = self._decode(key), -1
            while number < index:
                number, frame = next(decoded, (sys.maxsize, None))
            if number != index or frame is None:
                raise ClipError(
                    f"frame {index} ({self.times[index - self.first]:.2f} s) cannot be decoded: "
                    "the file is corrupt there; copy or download it again"
                )
            yield upright(frame)

    def _keyframe(self, pts: int) -> np.ndarray | None:
        """Presentation and decoding time of the last keyframe up to ``pts``; None: decode from the start."""
        keys = self._timeline.keys
        place = int(np.searchsorted(keys[:, 0], pts, side="right")) - 1
        return keys[place] if place >= 0 and self._timeline.ordered else None

    def _decode(self, key: np.ndarray | None) -> Iterator[tuple[int, Any]]:
        """Numbers and frames, from a keyframe on; None in place of a damaged frame.

        The frames after a damaged one depend on it, up to the next keyframe. Frames without reliable times are counted;
        then all frames after a damaged one count as damaged, since the count may be wrong.
        """
        if key is not None:
            self._container.seek(int(key[1]), stream=self._stream, backward=True)
        pts, counted, damaged = self._timeline.pts, 0, False
        for packet in self._container.demux(self._stream):
            try:
                frames = self._stream.decode(packet)
            except av.FFmpegError:
                frames, damaged = [], True
            for frame in frames:
                if key is not None and frame.pts < key[0]:
                    continue  # shown before the keyframe, and depends on earlier frames that were not decoded
                damaged = frame.is_corrupt or (damaged and not (frame.key_frame and self._timeline.ordered))
                place = int(np.searchsorted(pts, frame.pts)) if self._timeline.ordered else counted
                counted += 1
                if place < len(pts) and (pts[place] == frame.pts or not self._timeline.ordered):
                    yield self.first + place, None if damaged else frame


def upright(frame: Any) -> np.ndarray:
    """The frame as RGB, uint8 H,W,3, rotated counterclockwise by its rotation tag, a multiple of 90 degrees."""
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90)))
