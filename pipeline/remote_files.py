"""Files of a store at a URL, read in few requests: one takes as long as a local disk needs for a megabyte.

What may be read again, as shards are in each epoch of a training, is kept in a temporary file. That has no name, so
it is gone when its process ends, however it ends.
"""

import io
import os
import shutil
import tempfile
import threading
from collections.abc import Callable

AT_ONCE = 1 << 19
"""Bytes that are read at least, or to the end of the file: all columns of a few numbers, or what a footer needs."""
KEPT = 32 << 30
"""Bytes that a process keeps at most."""
LEFT_FREE = 0.2
"""Share of the disk that stays free."""

Fetch = Callable[[int, int], bytes]
"""Reads the bytes from one place to another of a file."""


class RemoteFile(io.BufferedIOBase):
    """A binary file for reading, of which one range at a time is in memory."""

    def __init__(self, size: int, fetch: Fetch) -> None:
        self._size, self._fetch = size, fetch
        self._position, self._start, self._held = 0, 0, b""

    def again(self) -> "RemoteFile":
        """The same file, opened anew without asking for it."""
        return RemoteFile(self._size, self._fetch)

    def expect(self, start: int, stop: int) -> None:
        """Read these bytes in one request. What is read next is then taken from them."""
        if start < self._start or stop > self._start + len(self._held):
            self._start, self._held = start, self._fetch(start, stop)

    def read(self, size: int | None = -1, /) -> bytes:
        start, stop = self._position, self._size
        if size is not None and size >= 0:
            stop = min(stop, start + size)
        if start >= stop:
            return b""
        if start < self._start or stop > self._start + len(self._held):
            first = max(0, min(start, self._size - AT_ONCE))
            self.expect(first, max(stop, min(self._size, first + AT_ONCE)))
        content = self._held[start - self._start : stop - self._start]
        self._position += len(content)
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._position = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence])
        return self._position

    def tell(self) -> int:
        return self._position

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


class KeptRanges:
    """Ranges of files, for all threads of a process. A file is named by its path and its state, as a damaged one is
    computed again."""

    def __init__(self, at_most: int = KEPT) -> None:
        self.at_most = at_most
        self._places: dict[tuple[str, int, int], int] = {}
        self._lock = threading.Lock()
        self._end = 0
        self._file: int | None = None

    def read(self, name: str, start: int, stop: int, fetch: Fetch) -> bytes:
        """A range of a file, fetched unless it is here."""
        place = self._places.get((name, start, stop))
        if place is not None and self._file is not None:
            return os.pread(self._file, stop - start, place)
        content = fetch(start, stop)
        if len(content) == stop - start:
            self._keep((name, start, stop), content)
        return content

    def _keep(self, key: tuple[str, int, int], content: bytes) -> None:
        with self._lock:
            if key in self._places or not self._has_room(len(content)):
                return
            if self._file is None:
                with tempfile.TemporaryFile() as file:
                    self._file = os.dup(file.fileno())
            place, self._end = self._end, self._end + len(content)
        try:
            written = os.pwrite(self._file, content, place)
        except OSError:  # the disk is full, for others perhaps: nothing more is kept
            written, self.at_most = 0, 0
        if written == len(content):
            self._places[key] = place

    def _has_room(self, size: int) -> bool:
        if self._end + size > self.at_most:
            return False
        disk = shutil.disk_usage(tempfile.gettempdir())
        return disk.free - size > LEFT_FREE * disk.total


kept = KeptRanges()
"""This process's."""
