"""A video that is written: H.264 in an MP4 file, which browsers play while it is still being loaded."""

import os
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from pipeline.errors import StageError
from stages.showing.sound import Sound

ENCODERS = ("libx264", "libopenh264", "mpeg4")
"""The first one that FFmpeg was built with is taken."""
OPTIONS = {"libx264": {"preset": "veryfast", "crf": "20"}}
IN_ORDER = {"bf": "0"}
"""Pictures are stored in the order in which they are shown, so that the last one stays until its end."""
BITS_PER_PIXEL = 0.15
"""Of encoders that know no quality."""
CLOCK = 90_000
"""Units of time per second."""
KEYFRAMES = 50
"""Pictures from one keyframe to the next, at most: a player may jump to these."""
BT709 = 1
"""What FFmpeg calls the colors of today's screens."""


class Movie:
    """Pictures, each with its own time, and the sound of another file. Whatever happens, it is whole or not there."""

    def __init__(self, path: Path, size: tuple[int, int], rate: float, sound_of: Path | None) -> None:
        """size: width and height of the pictures. rate: pictures per second, roughly. sound_of: a file, or None."""
        self.path = path
        self._half_written = path.with_name(f".{path.name}.{os.getpid()}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(self._half_written), "w", format="mp4", options={"movflags": "+faststart"})
        self.encoder = encoder()
        """The name by which FFmpeg knows it."""
        self._stream = self._video_stream(size, rate)
        self.sound = Sound(sound_of, self._container) if sound_of else None
        self._last = -1
        self._durations: dict[int, int] = {}
        """Of the pictures that the encoder holds, by their times."""

    def _video_stream(self, size: tuple[int, int], rate: float) -> Any:
        whole = Fraction(max(1.0, min(rate, 240.0))).limit_denominator(1001)
        stream = self._container.add_stream(self.encoder, rate=whole, options=OPTIONS.get(self.encoder, {}) | IN_ORDER)
        stream.width, stream.height = (side + side % 2 for side in size)
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, CLOCK)
        context.gop_size = KEYFRAMES
        context.color_primaries = context.color_trc = context.colorspace = BT709
        if self.encoder not in OPTIONS:
            context.bit_rate = int(stream.width * stream.height * float(whole) * BITS_PER_PIXEL)
        return stream

    def add(self, image: np.ndarray, time: float, until: float) -> None:
        """Show an image (uint8 H,W,3 RGB) from this time on, in seconds. H.264 needs even sides: an odd one grows by a
        copy of its last row or column."""
        height, width = image.shape[:2]
        if height % 2 or width % 2:
            image = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
        self._last = max(round(time * CLOCK), self._last + 1)
        frame.pts, frame.time_base = self._last, Fraction(1, CLOCK)
        self._durations[self._last] = max(1, round(until * CLOCK) - self._last)
        self._encode(frame)
        if self.sound:
            self.sound.write_until(time)

    def _encode(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            packet.duration = self._durations.pop(packet.pts)
            self._container.mux(packet)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            if kind is None:
                self._encode(None)
            if self.sound and kind is None:
                self.sound.close()
            self._container.close()
            if kind is None:
                self._half_written.replace(self.path)
        finally:
            self._half_written.unlink(missing_ok=True)


def encoder() -> str:
    """The encoder that this FFmpeg has. Raises StageError if there is none."""
    for name in ENCODERS:
        try:
            av.codec.Codec(name, "w")
        except ValueError:
            continue
        return name
    raise StageError("PyAV's FFmpeg was built without an encoder for videos: install the wheel of av from PyPI")
