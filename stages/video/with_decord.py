"""Frames through decord, for manifests that ask for it: ``reader: stages.video.with_decord:DecordReader``.

decord finds frames by counting packets, which is wrong without a word in containers without an index, with intra
refresh, with edit lists, and where packets hold no picture; and it repeats frames that cannot be decoded. It is no
faster than FFmpeg's decoder read forwards (docs/design.md), so nothing uses it by itself.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, ClassVar, cast

import numpy as np

from stages.video.reader import Reader, UnreadableError


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


class DecordReader(Reader):
    """A file that decord can open, its frames numbered as decord does."""

    name: ClassVar[str] = "decord"

    def __init__(self, path: str, start: float | None, end: float | None) -> None:
        try:
            self._reader: Any = decord.VideoReader(path, num_threads=1)
            self.times = self._reader.get_frame_timestamp(range(len(self._reader)))[:, 0].astype(float)
        except Exception as error:
            raise UnreadableError from error

    def close(self) -> None:
        """Free the decoder."""
        self._reader = None

    def read(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """See Reader."""
        for index in indices:
            try:
                yield self._reader[index].asnumpy()
            except Exception as error:
                raise UnreadableError from error
