"""The film in a video file: the frames that FFmpeg's decoder gives, in display order, with their numbers and times.

Frame i is the i-th that comes out of the decoder when it reads the file from its beginning; what edit lists discard
does not. Times are seconds from the beginning of the file, as a player shows them: where the sound begins two seconds
before the picture, the first frame is at 2 s.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import av
import numpy as np

from pipeline.errors import ClipError
from stages.video.container import (
    HIGHEST_RATE,
    check_disk,
    film_stream,
    is_encrypted,
    logged_errors,
    open_container,
    reason_of,
    seconds_per_frame,
)

RESTART = 1.0
"""Seconds by which a clock must fall back to count as one that starts again, as where recordings were joined."""
CLOSE = 1e-3
"""Seconds; frames that would follow each other faster have wrong timestamps."""
MISCOUNT = 2
"""Frames by which a header may be wrong before the file counts as cut off."""
SEARCHED = 2000
"""Packets among which a keyframe is looked for after a seek: containers without an index seek roughly."""
LEADING = 16
"""Frames that follow a keyframe in the file but are shown before it, at most."""


class UnprovenError(Exception):
    """A seek did not lead to what the packets promise: only reading from the beginning can be believed."""


class Picture(NamedTuple):
    """A frame on its way out of the decoder."""

    number: int
    time: float
    """Seconds from the beginning of the file."""
    until: float
    """When the frame after it would follow at its own duration; a still picture may be shown for longer."""
    frame: Any
    damaged: bool
    after_loss: bool
    """Whether frames before it could not be decoded."""


class Break(NamedTuple):
    """Where a file was found to be cut off or broken."""

    number: int
    """Frames before it."""
    time: float
    reason: str


class Start(NamedTuple):
    """A keyframe at which decoding may begin, and the frames that must then come out of the decoder."""

    number: int
    """In display order, of the frame with the first of the stamps."""
    pts: int
    dts: int
    size: int
    stamps: np.ndarray
    """int64: what frames must be stamped with, in order: the presentation timestamps of the keyframe and of all frames
    shown after it. In AVI the decoding timestamps of the keyframe's packet and of all that follow it."""
    held_back: int
    """Frames that the decoder holds back. In AVI, where a frame is stamped with the packet that made it come out."""
    origin: float
    """Seconds at which a stamp of 0 is shown."""

    def place_of(self, stamp: int | None) -> int:
        """Which of the stamps the keyframe has, which may be shown after frames that follow it in the file.

        Raises UnprovenError where it has none of them.
        """
        first = self.stamps[self.held_back : self.held_back + LEADING].tolist()
        if stamp not in first:
            raise UnprovenError
        return self.held_back + first.index(stamp)


class Film:
    """An open file, read forwards once.

    Attributes:
        warnings: what is unusual about the file, found while it is read.
        broken: where the container was first found to be cut off or broken, or None.
    """

    def __init__(self, path: str) -> None:
        """Raises ClipError that says what the file is, if it is not a film."""
        self.path = path
        self.container = open_container(path)
        try:
            self.stream = film_stream(self.container)
        except ClipError:
            self.container.close()
            raise
        self.warnings: list[str] = []
        self.broken: Break | None = None
        codec = self.stream.codec_context
        codec.thread_type, codec.thread_count = "NONE", 1
        self.has_pts = "avi" not in self.container.format.name
        """AVI has no presentation times; FFmpeg guesses them, wrongly for some B-frames."""
        start = self.container.start_time
        self.origin = 0.0 if start is None else start / av.time_base

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.container.close()

    def pictures_from(self, start: Start) -> Iterator[Picture]:
        """The frames from a keyframe on, as long as each is the one that the packets promise.

        Raises UnprovenError at the first that is not, or where the keyframe does not come out of the file.
        """
        base, step = float(self.stream.time_base), self.packet_step()
        damaged, place, time = False, -1, 0.0
        for packet in self._sought(start):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                frames, damaged = [], True
            for frame in frames:
                stamp = frame.pts if self.has_pts else frame.dts
                if place < 0:
                    if not self._is_keyframe(frame, start):
                        continue  # shown before the keyframe, and built on frames that were not decoded
                    place = start.place_of(stamp)
                if place < len(start.stamps) and stamp == start.stamps[place]:
                    time = stamp * base + start.origin
                elif stamp is None and len(start.stamps) <= place < len(start.stamps) + start.held_back:
                    time += step  # the last ones come out when there are no packets left
                else:
                    raise UnprovenError
                damaged = frame.is_corrupt or (damaged and not frame.key_frame)
                yield Picture(start.number + place, time, time + step, frame, damaged, False)
                place += 1

    def _is_keyframe(self, frame: Any, start: Start) -> bool:
        """Whether the keyframe, or a frame shown after it, has come out of the decoder."""
        if self.has_pts:
            return frame.pts is not None and frame.pts >= start.pts
        return bool(frame.key_frame)

    def _sought(self, start: Start) -> Iterator[Any]:
        """Packets from the keyframe on, which must come out as it was listed."""
        try:
            self.container.seek(start.dts, stream=self.stream, backward=True)
            packets = self.container.demux(self.stream)
            for _ in range(SEARCHED):
                packet = next(packets)
                # By its dts only where it has nothing else: Matroska works it out from what was read before.
                stamp = packet.dts if packet.pts is None else packet.pts
                if packet.is_keyframe and (stamp, packet.size) == (start.pts, start.size):
                    yield packet
                    yield from packets
                    return
        except (av.FFmpegError, StopIteration):
            pass
        raise UnprovenError

    def packet_step(self) -> float:
        """Seconds per frame, by the file's rate."""
        return seconds_per_frame(self.stream)

    def pictures(self) -> Iterator[Picture]:
        """All frames, from the beginning of the file."""
        clock = Clock(self)
        number, damaged, lost = 0, False, False
        with logged_errors() as errors:
            heard = 0
            for packet in self._packets(clock):
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    if number == 0 and is_encrypted(packet):
                        raise ClipError("the video is encrypted: it can only be read with its key") from None
                    frames, damaged, lost = [], True, True
                for frame in frames:
                    damaged = frame.is_corrupt or (damaged and not frame.key_frame)
                    time, until = clock.read(frame)
                    yield Picture(number, time, until, frame, damaged, lost)
                    number, lost = number + 1, False
                lost = self._heard(errors[heard:], number, clock) or lost
                heard = len(errors)
            self._heard(errors[heard:], number, clock)
        missing = (self._announced() - clock.chunks) * clock.base
        if self.broken is None and missing > MISCOUNT * clock.step:
            self.broken = Break(number, clock.last, f"its header announces {self._announced()} frames")
        if number == 0:
            raise ClipError("the video stream holds no frames: the file is cut off or was never finished")

    def _heard(self, errors: list[tuple[int, str, str]], number: int, clock: "Clock") -> bool:
        """Take note of what FFmpeg has said. Returns whether the decoder has complained, not the container."""
        own = [text.strip() for _, source, text in errors if source == self.container.format.name]
        if own and self.broken is None:
            self.broken = Break(number, clock.last, own[0])
        return len(own) < len(errors)

    def _packets(self, clock: "Clock") -> Iterator[Any]:
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                check_disk(self.path, error)
                self.broken = self.broken or Break(clock.frames, clock.last, reason_of(error))
                return
            if packet is None:
                return
            clock.see(packet)
            yield packet

    def _announced(self) -> int:
        """Frames that the header promises, where it counts what is in the file: in AVI, empty chunks included."""
        return int(self.stream.frames) if not self.has_pts else 0


class Clock:
    """Turns the decoder's timestamps into increasing seconds."""

    def __init__(self, film: Film) -> None:
        self.film = film
        self.base = float(film.stream.time_base)
        self.step = film.packet_step()
        self.frames = 0
        self.last = -np.inf
        self.chunks = 0
        """In AVI, chunks so far, empty ones included: its decoding times count them."""
        self._offset = -film.origin
        self._first_dts: int | None = None

    def see(self, packet: Any) -> None:
        """Take note of a packet before it is decoded."""
        if packet.dts is not None:
            self._first_dts = packet.dts if self._first_dts is None else self._first_dts
            self.chunks = max(self.chunks, packet.dts - self._first_dts + 1)

    def read(self, frame: Any) -> tuple[float, float]:
        """When a frame is shown, and when the next one would follow at its own duration."""
        stamp = frame.pts if self.film.has_pts else frame.dts
        if not self.film.has_pts and stamp is not None and self.frames == 0 and self._first_dts is not None:
            self._offset -= (stamp - self._first_dts) * self.base  # frames that the decoder holds back
        duration = frame.duration * self.base if frame.duration else 0.0
        duration = duration if duration * HIGHEST_RATE >= 1 else self.step
        following = 0.0 if self.frames == 0 else self.last + duration
        if stamp is None and self.frames == 0:
            self.film.warnings.append(f"there are no timestamps: {1 / self.step:.4g} frames per second are assumed")
        time = following if stamp is None else stamp * self.base + self._offset
        if self.frames and time <= self.last - RESTART:
            self._offset += following - time
            self.film.warnings.append(f"the clock starts again at frame {self.frames}")
            time = following
        elif self.frames and time <= self.last + CLOSE:
            time = following
        self.last = time
        self.frames += 1
        return time, time + duration
