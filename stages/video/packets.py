"""Which frames a file's packets promise, and where decoding could begin: quick to list, and believed only where the
decoder agrees."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import av
import numpy as np

from stages.places import version_of
from stages.video.container import check_disk, film_stream, logged_errors, open_container, seconds_per_frame
from stages.video.film import LEADING, RESTART, Start

FILLER = 1
"""Bytes; an MPEG-4 packet of this size holds no picture: it fills the place of one that was packed with another."""
UNCODED = 16
"""Bytes; an MPEG-4 packet up to this size may say that nothing has changed, and then no frame comes out."""
KEPT = 8
"""Files whose packets a process remembers: the partitions of a long video follow each other."""


@dataclass(frozen=True)
class Packets:
    """The packets of a film, in the file's order."""

    pts: np.ndarray
    """int64 P; where a packet has none, its decoding timestamp."""
    dts: np.ndarray
    size: np.ndarray
    key: np.ndarray
    shown: np.ndarray
    """bool P: whether a packet is likely to become a frame that is shown."""
    base: float
    """Seconds per unit of the timestamps."""
    origin: float
    """When the file begins, in seconds."""
    step: float
    """Seconds per frame."""
    has_pts: bool
    unstamped: int
    """Packets without any timestamp, which are not listed."""
    codec: str
    held_back: int
    """In AVI, frames that the decoder holds back, by those at the beginning."""

    @cached_property
    def sorted_pts(self) -> np.ndarray:
        """The timestamps of the frames, in display order."""
        return np.sort(self.pts[self.shown])

    @cached_property
    def times(self) -> np.ndarray:
        """Seconds of the frames in display order, on one clock: float64 N, increasing. In AVI, whose timestamps count
        chunks rather than frames, they are taken to follow each other evenly."""
        if not self.has_pts:
            return np.arange(np.count_nonzero(self.shown)) * self.step
        return np.sort(_one_clock(self.pts, self.base, self.step)[self.shown]) - self.origin

    @property
    def until(self) -> float:
        """When the last frame ends."""
        return float(self.times[-1] + self.step) if len(self.times) else 0.0

    @cached_property
    def is_regular(self) -> bool:
        """Whether the timestamps say where each frame belongs: one clock, no timestamp twice."""
        if not self.has_pts or self.unstamped or len(self.sorted_pts) < 2 or not (np.diff(self.sorted_pts) > 0).all():
            return False
        fallen_back = np.maximum.accumulate(self.pts) - self.pts  # B-frames do, by some frames
        return bool(fallen_back.max() * self.base < RESTART)

    def start_before(self, seconds: float) -> Start | None:
        """The last keyframe that is shown at ``seconds`` or before, or None if decoding must begin with the file."""
        if not self.has_pts:
            return self._start_of_chunks_before(seconds)
        if not self.is_regular:
            return None
        shown_by_then = self.key & self.shown & (self.pts * self.base - self.origin <= seconds)
        places = np.flatnonzero(shown_by_then)
        if len(places) == 0:
            return None
        place = places[np.argmax(self.pts[places])]
        number = int(np.searchsorted(self.sorted_pts, self.pts[place]))
        return self._start(place, number, self.sorted_pts[number:], -self.origin)

    def _start_of_chunks_before(self, seconds: float) -> Start | None:
        """The same in AVI, whose packets have no presentation timestamps, only their place in the file.

        There each packet makes one frame come out of the decoder, once the first ``held_back`` are in; which frame, the
        decoder says. That number is constant where frames are not reordered, and in MPEG-4.
        """
        uncoded = self.codec == "mpeg4" and len(self.size) and self.size.min() <= UNCODED
        reordered = self.held_back > 0 and self.codec != "mpeg4"
        if (
            self.unstamped
            or uncoded
            or reordered
            or len(self.dts) <= self.held_back
            or not (np.diff(self.dts) > 0).all()
        ):
            return None
        origin = int(self.dts[0] - self.dts[self.held_back]) * self.base - self.origin
        latest = seconds - LEADING * self.step
        places = np.flatnonzero(self.key & (self.dts * self.base - self.origin <= latest))
        if len(places) == 0:
            return None
        place = places[-1]
        return self._start(place, int(place) - self.held_back, self.dts[place:], origin)

    def _start(self, place: Any, number: int, stamps: np.ndarray, origin: float) -> Start:
        pts, dts, size = int(self.pts[place]), int(self.dts[place]), int(self.size[place])
        return Start(number, pts, dts, size, stamps, self.held_back, origin)


def _one_clock(pts: np.ndarray, base: float, step: float) -> np.ndarray:
    """Seconds of the packets, where a clock that starts anew (as in joined recordings) goes on instead."""
    seconds = pts * base
    if len(seconds) == 0:
        return seconds
    latest = np.maximum.accumulate(seconds)
    restarts = np.flatnonzero(seconds[1:] <= latest[:-1] - RESTART) + 1
    while len(restarts):
        first = int(restarts[0])
        seconds[first:] += latest[first - 1] + step - seconds[first:].min()
        latest = np.maximum.accumulate(seconds)
        restarts = np.flatnonzero(seconds[1:] <= latest[:-1] - RESTART) + 1
        restarts = restarts[restarts > first]
    return seconds


def packets_of(path: str) -> Packets:
    """The packets of a file's film, listed once per process. Raises ClipError where the file is no film."""
    try:
        version = version_of(path)
    except OSError:
        open_container(path)  # which says what is wrong
        raise
    return _listed(path, version)


@lru_cache(maxsize=KEPT)
def _listed(path: str, version: tuple[int | str, ...]) -> Packets:
    rows: list[tuple[int, int, int, bool, bool]] = []
    unstamped = 0
    with open_container(path) as container, logged_errors():
        stream = film_stream(container)
        has_pts = "avi" not in container.format.name
        held_back = 0 if has_pts else _held_back(path)
        try:
            for packet in container.demux(stream):
                dts = packet.pts if packet.dts is None else packet.dts
                if packet.size and dts is not None:
                    pts = dts if packet.pts is None else packet.pts
                    rows.append((pts, dts, packet.size, packet.is_keyframe, _is_shown(packet)))
                unstamped += bool(packet.size) and dts is None
        except av.FFmpegError as error:
            check_disk(path, error)  # otherwise cut off: reading will say where
        pts, dts, sizes, key, shown = np.array(rows, np.int64).reshape(-1, 5).T
        return Packets(
            pts=pts,
            dts=dts,
            size=sizes,
            key=key.astype(bool),
            shown=shown.astype(bool),
            base=float(stream.time_base),
            origin=(container.start_time or 0) / av.time_base,
            step=seconds_per_frame(stream),
            has_pts=has_pts,
            unstamped=unstamped,
            codec=stream.codec_context.name,
            held_back=held_back,
        )


def _held_back(path: str) -> int:
    """Packets that the decoder takes before the first frame comes out, beside the one that makes it come out."""
    with open_container(path) as container, logged_errors():
        taken = 0
        try:
            for packet in container.demux(film_stream(container)):
                if packet.decode():
                    return taken
                taken += bool(packet.size)
        except av.FFmpegError:
            pass  # reading will say what is wrong
    return 0


def _is_shown(packet: Any) -> bool:
    codec = packet.stream.codec_context.name
    # VP8 has frames that serve prediction alone; the fifth bit says whether one is shown (RFC 6386, section 9.1).
    hidden = codec == "vp8" and not bytes(packet)[0] & 0x10
    filler = codec == "mpeg4" and packet.size <= FILLER
    return not (packet.is_discard or hidden or filler)
