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
from typing import Any, BinaryIO, cast

AT_ONCE = 1 << 19
"""Bytes that are read at least, or to the end of the file: all columns of a few numbers, or what a footer needs."""
AT_MOST = 1 << 23
"""Bytes that are read ahead where a file is read from one end to the other."""
BLOCK = 1 << 19
"""Bytes; in blocks of this size a file is kept that is not read in the same ranges again."""
KEPT = 32 << 30
"""Bytes that a process keeps at most."""

Fetch = Callable[[int, int], bytes]
"""Reads the bytes from one place to another of a file."""


class RemoteFile(io.BufferedIOBase):
    """A binary file for reading, of which one range at a time is in memory."""

    def __init__(self, size: int, fetch: Fetch, name: str = "") -> None:
        """name: whose extension tells others what is in the file."""
        self.name = name
        self._size, self._fetch, self._ahead = size, fetch, AT_ONCE
        self._position, self._start, self._held = 0, 0, b""

    def again(self) -> "RemoteFile":
        """The same file, opened anew without asking for it."""
        return RemoteFile(self._size, self._fetch, self.name)

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
            goes_on = self._start <= start <= self._start + len(self._held) and self._held
            self._ahead = min(2 * self._ahead, AT_MOST) if goes_on else AT_ONCE
            first = max(0, min(start, self._size - AT_ONCE))
            self.expect(first, max(stop, min(self._size, first + self._ahead)))
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
        self._file: BinaryIO | None = None

    def read(self, name: str, start: int, stop: int, fetch: Fetch) -> bytes:
        """A range of a file, fetched unless it is here."""
        place = self._places.get((name, start, stop))
        if place is not None and self._file is not None:
            return os.pread(self._file.fileno(), stop - start, place)
        content = fetch(start, stop)
        if len(content) == stop - start:
            self._keep((name, start, stop), content)
        return content

    def read_blocks(self, name: str, start: int, stop: int, size: int, fetch: Fetch) -> bytes:
        """The same of a file of so many bytes, of which other ranges may be read the next time."""
        first, last = start // BLOCK, -(-stop // BLOCK)
        missing = [i for i in range(first, last) if not self._has(name, i * BLOCK, min((i + 1) * BLOCK, size))]
        fetched, begin = b"", 0
        if missing:
            begin = missing[0] * BLOCK
            fetched = fetch(begin, min((missing[-1] + 1) * BLOCK, size))

        def of_fetched(start: int, stop: int) -> bytes:
            return fetched[start - begin : stop - begin]

        places = ((i * BLOCK, min((i + 1) * BLOCK, size)) for i in range(first, last))
        content = b"".join(self.read(name, *place, of_fetched) for place in places)
        return content[start - first * BLOCK : stop - first * BLOCK]

    def _has(self, *key: Any) -> bool:
        return key in self._places

    def _keep(self, key: tuple[str, int, int], content: bytes) -> None:
        try:
            with self._lock:
                if key in self._places or not self._has_room(len(content)):
                    return
                if self._file is None:
                    self._file = cast(BinaryIO, tempfile.TemporaryFile(buffering=0))  # noqa: SIM115  (closes with this)
                place, self._end = self._end, self._end + len(content)
            written = os.pwrite(self._file.fileno(), content, place)
        except OSError:  # the disk is full, or there is no folder for temporary files: nothing more is kept
            written, self.at_most = 0, 0
        if written == len(content):
            self._places[key] = place

    def _has_room(self, size: int) -> bool:
        """Whether more stays free on the disk than is kept."""
        end = self._end + size
        return end <= self.at_most and end + size < shutil.disk_usage(tempfile.gettempdir()).free


kept = KeptRanges()
"""This process's."""
