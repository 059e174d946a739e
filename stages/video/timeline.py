"""Which frames a video has and when they are shown, found from its packets without decoding them.

Frames are numbered in display order, without those that an edit list discards, so that the numbers are those of a full
decode. In a long file, only the packets of the requested span are read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.logging import Capture

from pipeline.errors import ClipError

LONG_FILE = 64 * 2**20
"""Bytes. In larger files, reading starts with a seek to the span; in smaller ones, all packets are listed quickly."""
MISCOUNT = 2
"""Frames by which the count in a file's header may be wrong; if more are missing, the file was cut off."""
UNCODED_PICTURE = 8
"""Bytes. An MPEG-4 packet of at most this size may hold no picture, which only the decoder can tell."""


class Mark(NamedTuple):
    """What is kept of a packet.

    pts and dts: presentation and decoding time. key: a keyframe. shown: not discarded or hidden. size: in bytes.
    """

    pts: int
    dts: int
    key: bool
    shown: bool
    size: int

    @classmethod
    def of(cls, packet: Any) -> "Mark":
        """The mark of a PyAV packet. If one of its two times is missing, it is taken from the other."""
        pts = packet.dts if packet.pts is None else packet.pts
        if pts is None:
            raise ClipError(
                "the stream has no timestamps (raw video?): put it into a container, as with ffmpeg -i IN OUT.mp4"
            )
        dts = pts if packet.dts is None else packet.dts
        # VP8 has frames that are used only for prediction; the fifth bit says whether one is shown (RFC 6386, 9.1).
        hidden = packet.stream.codec_context.name == "vp8" and not bytes(packet)[0] & 0x10
        return cls(pts, dts, packet.is_keyframe, not (packet.is_discard or hidden), packet.size)


@dataclass(frozen=True)
class Timeline:
    """The frames of a file, or of a span of it."""

    first: int
    """Number in the file of the first frame listed."""
    pts: np.ndarray
    """int64 N: presentation times in the stream's time base, increasing."""
    times: np.ndarray
    """float64 N: seconds from the first frame of the file."""
    keys: np.ndarray
    """int64 K,2: presentation and decoding times of the keyframes, where decoding can start, increasing."""
    plain: bool
    """The whole file is listed, every packet is one shown frame, and no frame that follows a keyframe is shown before
    it. Then readers that count packets, like decord, are correct."""
    ordered: bool
    """The decoder's presentation times are correct. AVI has none, and FFmpeg's guesses are wrong for some B-frames."""


@contextmanager
def open_container(path: str) -> Iterator[Any]:
    """The file as a PyAV container with a video stream. Raises ClipError that says what else the file is."""
    errors: list[tuple[int, str, str]] = []
    try:
        if Path(path).stat().st_size == 0:
            raise ClipError("the file is empty (0 bytes): copy or download it again")
        with _logged_errors() as errors:
            container = av.open(path, metadata_errors="replace")
    except FileNotFoundError:
        raise ClipError("no such file: was it moved or renamed, or is its name not UTF-8?") from None
    except PermissionError:
        raise ClipError("no permission to read the file") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        if is_text(path):
            raise ClipError("this is a text file, not a video; perhaps the error page of a failed download") from None
        reason = errors[-1][2].strip() if errors else reason_of(error)
        raise ClipError(f"not a video, or a video that was cut off: {reason}") from None
    with container:
        if not container.streams.video:
            raise ClipError("the file holds no video stream")
        yield container


def is_text(path: str) -> bool:
    """Whether a file begins like text."""
    with Path(path).open("rb") as file:
        beginning = file.read(512)
    return beginning.isascii() and b"\0" not in beginning


def reason_of(error: Exception) -> str:
    """FFmpeg's last log message, which says more than its error code."""
    log = getattr(error, "log", None)
    return str(log[2]).strip() if log else str(getattr(error, "strerror", None) or error)


def timeline_of(path: str, start: float | None = None, end: float | None = None) -> Timeline:
    """List the frames of a file; of a long file only those around the span from ``start`` to ``end`` seconds.

    Raises ClipError if the file cannot be opened, has no frames, or is cut off or broken before ``end``.
    """
    with open_container(path) as container:
        stream = container.streams.video[0]
        ordered = "avi" not in container.format.name
        long = Path(path).stat().st_size > LONG_FILE
        if long and ordered and start is not None and end is not None and stream.start_time is not None:
            return _span(stream, start, end)
        packets = _all_packets(stream, np.inf if end is None else end)
        pts, times = _shown(packets, stream)
        plain = len(pts) == len(packets) and _closed(packets, ordered or not stream.codec_context.has_b_frames)
        timeline = Timeline(0, pts, times, _keys(packets), plain, ordered)
    if not ordered and any(packet.size <= UNCODED_PICTURE for packet in packets):
        return _recounted(path, timeline)
    return timeline


def _shown(packets: list[Mark], stream: Any) -> tuple[np.ndarray, np.ndarray]:
    """Presentation times of the shown frames, in the stream's time base and in seconds from the first one."""
    pts = np.sort(np.array([packet.pts for packet in packets if packet.shown], np.int64))
    if len(pts) == 0:
        raise ClipError("the video stream holds no frames: the file is cut off or was never finished")
    return pts, (pts - pts[0]) * float(stream.time_base)


def _keys(packets: list[Mark]) -> np.ndarray:
    """The keyframes' presentation and decoding times."""
    return np.array(sorted((packet.pts, packet.dts) for packet in packets if packet.key), np.int64).reshape(-1, 2)


def _closed(packets: list[Mark], ordered: bool) -> bool:
    """Whether no frame is shown before the keyframe it follows. Such frames are lost if decoding starts there."""
    if not ordered:
        return sum(packet.key for packet in packets) <= 1
    latest = packets[0].pts
    for packet in packets:
        latest = packet.pts if packet.key else latest
        if packet.pts < latest:
            return False
    return True


def _all_packets(stream: Any, end: float) -> list[Mark]:
    """The marks of all packets. Raises ClipError if packets before ``end`` are missing."""
    container = stream.container
    packets: list[Mark] = []
    hole: tuple[int, str] | None = None
    with _logged_errors() as errors:
        checked = 0
        try:
            for packet in container.demux(stream):
                if len(errors) > checked and hole is None:
                    # Only the container's errors: those of the decoder concern single frames, and reading reports them.
                    own = [text for _, source, text in errors[checked:] if source == container.format.name]
                    hole = (len(packets), own[0].strip()) if own else None
                    checked = len(errors)
                if packet.size:
                    packets.append(Mark.of(packet))
        except av.FFmpegError as error:
            hole = hole or (len(packets), reason_of(error))
    if hole is None and stream.frames - len(packets) > MISCOUNT:
        hole = len(packets), f"its header announces {stream.frames} frames"
    if hole is not None:
        _, times = _shown(packets[: hole[0]], stream)
        if times[-1] < end:
            raise ClipError(
                f"the file is cut off or broken after frame {len(times) - 1} ({times[-1]:.2f} s): {hole[1]}; "
                "copy or download it again"
            )
    return packets


@contextmanager
def _logged_errors() -> Iterator[list[tuple[int, str, str]]]:
    """A list to which FFmpeg's errors in this thread are added (level, source, text)."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with Capture() as errors:
            yield errors
    finally:
        av.logging.set_level(level)


def _recounted(path: str, timeline: Timeline) -> Timeline:
    """The timeline of a file with packets that may hold no picture: it is decoded to find out."""
    with open_container(path) as container:
        stream = container.streams.video[0]
        try:
            pts = np.sort(np.array([frame.pts for frame in container.decode(stream)], np.int64))
        except av.FFmpegError:
            return replace(timeline, plain=False)  # damaged: reading will tell where
        times = (pts - pts[0]) * float(stream.time_base)
    return replace(timeline, pts=pts, times=times, plain=len(pts) == len(timeline.pts))


def _span(stream: Any, start: float, end: float) -> Timeline:
    """The timeline around a span of a long file: from the keyframe before it up to its end."""
    origin, base = stream.start_time, stream.time_base
    wanted, stop = origin + int(start / base), origin + int(end / base) + 1
    target, back = wanted, int(1 / base)
    packets = _packets_from(stream, target, stop)
    while target > origin and (not packets or packets[0].pts > wanted):
        # The seek ended after the start of the span, since containers without an index seek only roughly: go back.
        target, back = max(origin, target - back), 2 * back
        packets = _packets_from(stream, target, stop)
    shown = [packet.pts for packet in packets if packet.shown and packet.pts <= stop]
    if not shown or max(shown) < wanted:
        raise ClipError(f"the span {start:g}–{end:g} s lies beyond the end of the video: correct it")
    pts = np.sort(np.array(shown, np.int64))
    return Timeline(_frames_before(stream, packets[0]), pts, (pts - origin) * float(base), _keys(packets), False, True)


def _packets_from(stream: Any, target: int, stop: int) -> list[Mark]:
    """Packets from the keyframe at or before ``target`` up to the last one that is shown by ``stop``."""
    stream.container.seek(target, stream=stream, backward=True)
    packets: list[Mark] = []
    for packet in stream.container.demux(stream):
        if packet.size == 0 or (packet.dts is not None and packet.dts > stop):
            break
        if packets or packet.is_keyframe:
            packets.append(Mark.of(packet))
    return packets


def _frames_before(stream: Any, key: Mark) -> int:
    """The number of frames before a keyframe, in decoding order.

    Exact if the container indexes every frame (MP4, MOV). Matroska and MPEG-TS index keyframes at most; there, the time
    is multiplied by the frame rate, which is exact only if that is constant.
    """
    entries = stream.index_entries
    if any(not entry.is_keyframe for entry in entries):
        return sum(entry.timestamp < key.dts and not entry.is_discard for entry in entries)
    return round((key.pts - stream.start_time) * stream.time_base * stream.average_rate)
