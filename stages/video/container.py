"""Video files as FFmpeg opens them, and what a file is instead where it is no film."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
from av.logging import Capture

from pipeline.errors import ClipError, is_passing
from pipeline.output import note
from pipeline.urls import is_url
from stages.places import opened, size_of

HIGHEST_RATE = 1000
"""Frames per second from which on a file's rate is a mistake: units of time."""
USUAL_RATE = 25
"""Frames per second where a file says none."""
NOTED = 50
"""So many of the last messages of FFmpeg about a file are noted."""
ESCAPED = re.compile(rb"\\x([89a-f][0-9a-f])")
"""How an index shows a byte of a name that is not UTF-8."""
ATTACHED_PICTURE = 0x0400
"""FFmpeg's disposition of a cover picture."""


def open_container(path: str) -> Any:
    """The file as a PyAV container. Raises ClipError that says what the file is instead."""
    errors: list[tuple[int, str, str]] = []
    try:
        if (is_url(path) or Path(path).is_file()) and size_of(path) == 0:
            raise ClipError("the file is empty (0 bytes): copy or download it again")
        with logged_errors() as errors:
            return av.open(opened(path) if is_url(path) else path, metadata_errors="replace")
    except FileNotFoundError:
        raise ClipError(_why_missing(path)) from None
    except IsADirectoryError:
        raise ClipError("this is a folder, not a video") from None
    except PermissionError:
        raise ClipError("no permission to read the file") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        check_disk(path, error)
        reason = errors[-1][2].strip() if errors else reason_of(error)
    if is_text(path):
        raise ClipError("this is a text file, not a video; perhaps the error page of a failed download")
    raise ClipError(f"not a video, or a video that was cut off: {reason}")


def _why_missing(path: str) -> str:
    """Why there is no file of this name."""
    if Path(path).is_symlink():
        target = os.fsencode(Path(path).readlink())
        return f"a link that leads nowhere: {target.decode(errors='backslashreplace')}"
    listed = ESCAPED.sub(lambda byte: bytes.fromhex(byte[1].decode()), os.fsencode(path))
    if Path(os.fsdecode(listed)).exists():
        return "its name is not UTF-8: rename it"
    return "no such file: was it moved or renamed?"


def check_disk(path: str, error: Exception) -> None:
    """Raises OSError if the disk or network is at fault for FFmpeg's error. FFmpeg calls much that is wrong with a
    file's content an error of reading, too; so the file is then read without it."""
    if is_passing(error):
        if is_url(path):
            raise error  # what FFmpeg calls so has then been raised by what it reads through
        with Path(path).open("rb") as file:
            while file.read(2**20):
                pass


def seconds_per_frame(stream: Any) -> float:
    """By the rate that the stream says; some say units of time in place of it."""
    rates = (rate for rate in (stream.average_rate, stream.guessed_rate) if rate and rate < HIGHEST_RATE)
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
    with opened(path) as file:
        beginning = file.read(512)
    return beginning.isascii() and b"\0" not in beginning


def reason_of(error: Exception) -> str:
    """FFmpeg's last log message, which says more than its error code."""
    log = getattr(error, "log", None)
    return str(log[2]).strip() if log else str(getattr(error, "strerror", None) or error)


@contextmanager
def logged_errors() -> Iterator[list[tuple[int, str, str]]]:
    """FFmpeg's error messages (level, source, text) from this thread, also those that were heard before."""
    errors: list[tuple[int, str, str]] = []
    level, skips = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    try:
        with Capture() as errors:
            yield errors
    finally:
        for _, source, text in errors[-NOTED:]:
            note(f"FFmpeg, {source}: {text}")
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skips)
