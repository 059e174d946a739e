"""The film in a video file: the frames that FFmpeg's decoder gives, in display order, with their numbers and times.

Frame i is the i-th that comes out of the decoder when it reads the file from its beginning; what edit lists discard
does not. Times are seconds from the beginning of the file, as a player shows them: where the sound begins two seconds
before the picture, the first frame is at 2 s.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import av
import numpy as np
from av.logging import Capture

from pipeline.errors import ClipError

RESTART = 1.0
"""Seconds by which a clock must fall back to count as one that starts again, as where recordings were joined."""
CLOSE = 1e-3
"""Seconds; frames that would follow each other faster have wrong timestamps."""
HIGHEST_RATE = 1000
"""Frames per second beyond which a file's rate is a mistake."""
USUAL_RATE = 25
"""Frames per second where a file says none."""
MISCOUNT = 2
"""Frames by which a header may be wrong before the file counts as cut off."""
SEARCHED = 2000
"""Packets among which a keyframe is looked for after a seek: containers without an index seek roughly."""
ATTACHED_PICTURE = 0x0400
"""FFmpeg's disposition of a cover picture."""


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
    """Of the keyframe, in display order."""
    pts: int
    dts: int
    size: int
    following: np.ndarray
    """int64: presentation timestamps of the keyframe and of all frames shown after it, in order."""


class UnprovenError(Exception):
    """A seek did not lead to what the packets promise: only reading from the beginning can be believed."""


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
        damaged, place = False, 0
        for packet in self._sought(start):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                frames, damaged = [], True
            for frame in frames:
                if frame.pts is None or frame.pts < start.pts:
                    continue  # shown before the keyframe, and built on frames that were not decoded
                if place == len(start.following) or frame.pts != start.following[place]:
                    raise UnprovenError
                damaged = frame.is_corrupt or (damaged and not frame.key_frame)
                time = frame.pts * base - self.origin
                yield Picture(start.number + place, time, time + step, frame, damaged, False)
                place += 1

    def _sought(self, start: Start) -> Iterator[Any]:
        """Packets from the keyframe on, which must come out as it was listed."""
        try:
            self.container.seek(start.dts, stream=self.stream, backward=True)
            packets = self.container.demux(self.stream)
            for _ in range(SEARCHED):
                packet = next(packets)
                # Not by its dts, which Matroska works out from what was read before.
                if packet.is_keyframe and (packet.pts, packet.size) == (start.pts, start.size):
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
        missing = self._announced() - clock.chunks
        if self.broken is None and missing > MISCOUNT:
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


def open_container(path: str) -> Any:
    """The file as a PyAV container. Raises ClipError that says what the file is instead."""
    errors: list[tuple[int, str, str]] = []
    try:
        if Path(path).is_file() and Path(path).stat().st_size == 0:
            raise ClipError("the file is empty (0 bytes): copy or download it again")
        with logged_errors() as errors:
            return av.open(path, metadata_errors="replace")
    except FileNotFoundError:
        raise ClipError("no such file: was it moved or renamed, or is its name not UTF-8?") from None
    except IsADirectoryError:
        raise ClipError("this is a folder, not a video") from None
    except PermissionError:
        raise ClipError("no permission to read the file") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        if is_text(path):
            raise ClipError("this is a text file, not a video; perhaps the error page of a failed download") from None
        reason = errors[-1][2].strip() if errors else reason_of(error)
        raise ClipError(f"not a video, or a video that was cut off: {reason}") from None


def seconds_per_frame(stream: Any) -> float:
    """By the rate that the stream says; some say units of time in place of it."""
    rates = (rate for rate in (stream.average_rate, stream.guessed_rate) if rate and rate <= HIGHEST_RATE)
    return float(1 / next(rates, USUAL_RATE))


def film_stream(container: Any) -> Any:
    """The stream that a player shows: the default or best one, never a cover picture. Raises ClipError."""
    streams = [stream for stream in container.streams.video if not int(stream.disposition) & ATTACHED_PICTURE]
    if not streams:
        covers = len(container.streams.video)
        raise ClipError(f"the file holds no video stream{', only a cover picture' if covers else ''}")
    best = container.streams.best("video")
    return best if best in streams else streams[0]


def is_encrypted(packet: Any) -> bool:
    """Whether a packet carries what is needed to decrypt it."""
    return any("ENCRYPTION" in str(data.data_type).upper() for data in packet.iter_sidedata())


def is_text(path: str) -> bool:
    """Whether a file begins like text."""
    with Path(path).open("rb") as file:
        beginning = file.read(512)
    return beginning.isascii() and b"\0" not in beginning


def reason_of(error: Exception) -> str:
    """FFmpeg's last log message, which says more than its error code."""
    log = getattr(error, "log", None)
    return str(log[2]).strip() if log else str(getattr(error, "strerror", None) or error)


@contextmanager
def logged_errors() -> Iterator[list[tuple[int, str, str]]]:
    """FFmpeg's error messages (level, source, text) from this thread, also those that were heard before."""
    level, skips = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    try:
        with Capture() as errors:
            yield errors
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skips)
