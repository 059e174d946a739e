"""What is printed while a process works on a job, together with notes on what went wrong.

A worker process prints into a file of its machine: its Python code, native libraries and the programs that it starts.
The file outlives the worker, so what a crash or a kill has left is read afterwards. The process that a person started
keeps its terminal. There, only what Python prints is kept, and it is shown as before.
"""

import ctypes
import functools
import io
import os
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

LIMIT = 100_000
"""Bytes that are kept of the end of what was printed, if something went wrong."""
LITTLE = 2_000
"""As many if nothing did."""
LOOK = 1.0
"""Seconds between two looks at the size of a file that is being printed into."""
LINE_BUFFERED = 1
"""``_IOLBF`` of C's standard library."""
CUT = "[…]\n"
"""Stands for the beginning of a text that is not kept."""
FORGOTTEN = 24 * 3600.0
"""Seconds after which nobody will ask for the file of a worker that has died."""


class Printed(NamedTuple):
    text: str
    host: str
    until: float
    """When the last of it was printed, in seconds since 1970."""


Take = Callable[[int], Printed | None]
"""Gives the end of what was printed, up to a number of bytes; None if nothing was."""

_sinks: list[Callable[[str], object]] = []
"""Where notes go, the last one first; empty unless this process works on a job."""


def note(text: str) -> None:
    """Add a text to what is printed, without showing it to anybody now."""
    if _sinks:
        _sinks[-1](f"{text.rstrip()}\n")


def note_error(what: str) -> None:
    """Note the exception that is being handled, with its traceback. what: what it happened to."""
    if _sinks:
        note(f"{what}: {traceback.format_exc()}")


@contextmanager
def into_file(name: str) -> Iterator[Take]:
    """Within it, this process prints into a file of this name on this machine; see also ``left_by``."""
    try:
        file = os.open(_folder() / name, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    except OSError:
        file = -1
    if file < 0:  # a full disk must not keep a worker from working
        yield lambda limit: None
        return
    _prepare()
    _flush()
    standard = [os.dup(1), os.dup(2)]
    ended, cutting = threading.Event(), threading.Lock()
    watch = threading.Thread(target=_keep_small, args=(file, ended, cutting), daemon=True)
    sink = _Unfailing(file, "w", closefd=False)
    _sinks.append(lambda text: sink.write(text.encode(errors="replace")))
    try:
        os.dup2(file, 1)
        os.dup2(file, 2)
        watch.start()

        def take(limit: int) -> Printed | None:
            with cutting:
                return _end_of(file, limit)

        yield take
    finally:
        _flush()
        _sinks.pop()
        ended.set()
        watch.join()
        for number, before in zip((1, 2), standard, strict=True):
            os.dup2(before, number)
            os.close(before)
        os.close(file)
    with suppress(OSError):
        (_folder() / name).unlink()


def left_by(name: str) -> Printed | None:
    """What a worker of this machine has printed until it died. name: that of its file, which is removed."""
    try:
        path = _folder() / name
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        path.unlink()
    except OSError:
        return None
    try:
        return _end_of(file, LIMIT)
    finally:
        os.close(file)


@contextmanager
def overheard() -> Iterator[Take]:
    """Within it, what Python code prints in this process is shown as before, and its end is kept."""
    kept = _Kept()
    streams = sys.stdout, sys.stderr
    mine = tuple(stream and _Overheard(stream, kept) for stream in streams)
    sys.stdout, sys.stderr = mine
    _sinks.append(kept.add)
    try:
        yield kept.end
    finally:
        _sinks.pop()
        if (sys.stdout, sys.stderr) == mine:
            sys.stdout, sys.stderr = streams


class _Unfailing(io.FileIO):
    """Loses what a full disk does not take: work goes on without its output."""

    def write(self, content: Any, /) -> int:
        with suppress(OSError):
            return super().write(content)
        return len(content)


class _Kept:
    def __init__(self) -> None:
        self._text = ""
        self._left_out = 0

    def add(self, text: str) -> None:
        self._text += text
        if len(self._text) > 4 * LIMIT:
            self._left_out += len(self._text) - LIMIT
            self._text = self._text[-LIMIT:]

    def end(self, limit: int) -> Printed | None:
        content = self._text.encode(errors="replace")
        return _printed(content[-limit:], len(content) + self._left_out, time.time())


class _Overheard:
    """A standard stream that also keeps what is written to it."""

    def __init__(self, stream: Any, kept: _Kept) -> None:
        self._stream, self._kept = stream, kept

    def write(self, text: str) -> Any:
        self._kept.add(text)
        return self._stream.write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    @property
    def rich_proxied_file(self) -> Any:
        """Where rich writes instead, so that the progress display is not kept."""
        return getattr(self._stream, "rich_proxied_file", self._stream)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # while it is copied, it has no stream yet
            raise AttributeError(name)
        return getattr(self._stream, name)


def _folder() -> Path:
    """A folder on this machine that nobody else may write. Raises OSError if there is none."""
    folder = Path(tempfile.gettempdir()) / f"pipeline-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        return folder
    state = folder.lstat()
    if state.st_uid != os.getuid() or not folder.is_dir() or folder.is_symlink() or state.st_mode & 0o022:
        raise PermissionError(f"{folder} is not a folder of this user alone")
    return folder


def _end_of(file: int, limit: int) -> Printed | None:
    _flush()
    state = os.fstat(file)
    return _printed(os.pread(file, limit, max(0, state.st_size - limit)), state.st_size, state.st_mtime)


def _printed(end: bytes, size: int, until: float) -> Printed | None:
    if not end:
        return None
    text = end.decode(errors="replace")
    return Printed(CUT + text if size > len(end) else text, socket.gethostname(), until)


def _keep_small(file: int, ended: threading.Event, cutting: threading.Lock) -> None:
    """Cut off the beginning of a file now and then, or it might fill the disk. cutting: held while it lacks its end."""
    while not ended.wait(LOOK):
        with suppress(OSError), cutting:
            size = os.fstat(file).st_size
            if size > 4 * LIMIT:
                end = os.pread(file, LIMIT, size - LIMIT)
                os.ftruncate(file, 0)
                os.write(file, CUT.encode() + end)


@functools.cache
def _prepare() -> None:
    """Keep nothing in buffers of this process that would be lost if it died; remove files of which nobody has asked."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        with suppress(OSError, AttributeError, ValueError):
            stream.flush()
            if stream.fileno() == number:  # and nobody has put a stream of their own there
                raw = _Unfailing(number, "w", closefd=False)
                setattr(sys, name, io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True))
    with suppress(OSError, AttributeError, ValueError, TypeError):
        c = ctypes.CDLL(None)
        c.setvbuf(ctypes.c_void_p.in_dll(c, "stdout"), None, LINE_BUFFERED, 0)
    with suppress(OSError):
        for file in _folder().iterdir():
            with suppress(OSError):
                if time.time() - file.stat().st_mtime > FORGOTTEN:
                    file.unlink()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, AttributeError, ValueError):
            stream.flush()
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)
