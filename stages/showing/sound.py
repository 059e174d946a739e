"""Brings the sound of one file into another: as it is where browsers play it in MP4, else encoded to AAC."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av

from pipeline.errors import ClipError
from stages.places import address_of
from stages.video.container import open_container, reason_of
from stages.video.film import RESTART

COPIED = frozenset({"aac", "flac", "mp3", "opus"})
"""Codecs that browsers play in an MP4 file."""
CHANNELS = 2
"""Of encoded sound, at most."""


class Sound:
    """The sound of a file on its way into the container of another.

    Attributes:
        lost: why there is none, or why it ends before its time; None if nothing is wrong.
    """

    def __init__(self, source: Path, target: Any) -> None:
        """Announce the sound to ``target``, an open container in which nothing has been written yet."""
        self.lost: str | None = None
        self._target = target
        self._packets: Iterator[Any] = iter(())
        self._source: Any = None
        try:
            self._source = open_container(address_of(source))
            stream = self._source.streams.best("audio")
            if stream is None:
                return
            self._copies = stream.codec_context.codec.canonical_name in COPIED
            self._stream = target.add_stream_from_template(stream) if self._copies else _aac(target, stream)
            self._packets = self._source.demux(stream)
        except (ClipError, av.FFmpegError, ValueError) as error:
            self._give_up(error)
            return
        start = self._source.start_time
        self._base = float(stream.time_base)
        self._shift = 0 if start is None else -round(start / av.time_base / self._base)
        self._next = 0
        """When the next packet is due, by what has been written, in units of the stream's time base."""

    def write_until(self, seconds: float) -> None:
        """Write what is to be heard up to this time, and a little more."""
        try:
            for packet in self._packets:
                self._write(packet)
                if self._next * self._base >= seconds:
                    return
        except (av.FFmpegError, ValueError) as error:
            self._give_up(error)

    def close(self) -> None:
        """Write the rest."""
        self.write_until(float("inf"))
        if self._source is not None:
            self._source.close()

    def _give_up(self, error: Exception) -> None:
        self.lost = str(error) if isinstance(error, ClipError) else reason_of(error)
        self._packets = iter(())

    def _write(self, packet: Any) -> None:
        if packet.dts is not None:
            if (packet.dts + self._shift - self._next) * self._base < -RESTART:
                self._shift = self._next - packet.dts  # the clock starts again, as where recordings were joined
            self._next = packet.dts + self._shift + (packet.duration or 0)
        if not self._copies:
            self._encode(packet)
        elif packet.dts is not None:
            packet.pts, packet.dts = packet.pts + self._shift, packet.dts + self._shift
            packet.stream = self._stream
            self._target.mux(packet)

    def _encode(self, packet: Any) -> None:
        """The last packet is empty: what the decoder and the encoder hold back comes out with it."""
        for frame in packet.decode():
            if frame.pts is not None:
                frame.pts += round(self._shift * self._base / frame.time_base)
            self._target.mux(self._stream.encode(frame))
        if packet.size == 0:
            self._target.mux(self._stream.encode())


def _aac(target: Any, stream: Any) -> Any:
    made = target.add_stream("aac", rate=stream.codec_context.sample_rate)
    made.layout = "stereo" if stream.codec_context.layout.nb_channels >= CHANNELS else "mono"
    return made
