"""Frames through decord, which is trusted only while its decoder logs no errors.

decord hides damage: it repeats or conceals frames that FFmpeg could not decode. FFmpeg logs such errors, but decord
does not pass the log on; so it is captured in the FFmpeg library that ships with decord.
"""

import ctypes
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, cast

import numpy as np

from stages.video.reader import Reader, UnreadableError
from stages.video.timeline import Timeline


@contextmanager
def _nvidia_hidden() -> Iterator[None]:
    """Keep decord from finding the ``nvidia`` packages, which it does not need for decoding on the CPU.

    decord 3 loads all of their libraries with global symbols. One of them, NVBLAS, would then take over PyTorch's
    matrix products on the CPU, and crash.
    """
    before = sys.modules.get("nvidia")
    sys.modules["nvidia"] = cast(ModuleType, None)
    try:
        yield
    finally:
        if before is None:
            del sys.modules["nvidia"]
        else:
            sys.modules["nvidia"] = before


with _nvidia_hidden():
    import decord

ERROR = 16
"""FFmpeg's log level of errors; smaller numbers are more severe."""

_Callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
_errors: list[str] = []


@_Callback
def _record(source: int, level: int, text: bytes, values: int) -> None:
    if level <= ERROR:
        _errors.append(text.decode(errors="replace"))


@cache
def decord_log_is_captured() -> bool:
    """Route the log of decord's FFmpeg to this module. False if its library is not found beside the package."""
    package = Path(decord.__file__).parent
    for folder in (package.parent / "decord2.libs", package / ".dylibs"):
        for file in folder.glob("libavutil*"):
            ctypes.CDLL(str(file)).av_log_set_callback(_record)
            return True
    return False


class DecordReader(Reader):
    """Reads plain files: one visible frame per packet, not rotated by 90 degrees (which decord 3 returns distorted)."""

    name: ClassVar[str] = "decord"

    def __init__(self, path: str, timeline: Timeline) -> None:
        if not timeline.plain or not decord_log_is_captured():
            raise UnreadableError
        self.first, self.times = timeline.first, timeline.times
        _errors.clear()
        try:
            self._reader: Any = decord.VideoReader(path, num_threads=1)
        except Exception as error:
            raise UnreadableError from error
        if len(self._reader) != len(timeline.pts):
            raise UnreadableError

    def close(self) -> None:
        """Free the decoder."""
        self._reader = None

    def read(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """See Reader."""
        for index in indices:
            try:
                frame = self._reader[index].asnumpy()
            except Exception as error:
                raise UnreadableError from error
            if _errors or frame.shape[2] != 3:
                raise UnreadableError
            yield frame
