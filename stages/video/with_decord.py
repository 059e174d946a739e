"""Frames through decord, which is believed only while its decoder has nothing to complain about.

decord hides damage: it repeats or conceals frames that FFmpeg could not decode. FFmpeg says so in its log, which decord
does not pass on, so that the log is listened to at its source, in the FFmpeg library decord comes with.
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
    """decord 3 loads every library of the ``nvidia`` packages for all to see, NVBLAS among them, which then answers
    for PyTorch's matrix products on the CPU and crashes. Frames are decoded on the CPU here: it must not find them."""
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
"""FFmpeg's log level: messages up to this number are errors."""

_Callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
_complaints: list[str] = []


@_Callback
def _listen(source: int, level: int, text: bytes, values: int) -> None:
    if level <= ERROR:
        _complaints.append(text.decode(errors="replace"))


@cache
def decord_can_be_heard() -> bool:
    """Route the log of decord's FFmpeg to this module; False where its library is not found beside the package."""
    package = Path(decord.__file__).parent
    for folder in (package.parent / "decord2.libs", package / ".dylibs"):
        for file in folder.glob("libavutil*"):
            ctypes.CDLL(str(file)).av_log_set_callback(_listen)
            return True
    return False


class DecordReader(Reader):
    """Reads plain files: one shown frame a packet, no rotation by a quarter (which decord 3 returns misshapen)."""

    name: ClassVar[str] = "decord"

    def __init__(self, path: str, timeline: Timeline) -> None:
        if not timeline.plain or not decord_can_be_heard():
            raise UnreadableError
        self.first, self.times = timeline.first, timeline.times
        _complaints.clear()
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
            if _complaints or frame.shape[2] != 3:
                raise UnreadableError
            yield frame
