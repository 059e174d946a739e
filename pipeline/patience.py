"""Reading again what could not be read for the moment, as happens on network file systems."""

import io
import time
from collections.abc import Callable
from typing import Any, TypeVar

from pipeline.errors import UnreadableError, is_passing

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 12.0)
"""Seconds between two attempts, 27.5 together."""

T = TypeVar("T")

_overcome: list[str] = []


def patiently(path: str, work: Callable[[], T]) -> T:
    """The result of ``work``, which is tried again after growing pauses while its error may pass.

    Raises UnreadableError that names ``path`` if it does not. All other errors are raised at once.
    """
    for pause in PAUSES:
        try:
            return work()
        except Exception as error:
            if not is_passing(error):
                raise
            _overcome.append(f"{path}: {error}; tried again after {pause:g} s")
        time.sleep(pause)
    try:
        return work()
    except Exception as error:
        if not is_passing(error):
            raise
        raise UnreadableError(path, str(error)) from error


def take_overcome() -> tuple[str, ...]:
    """What was read again in this process since the last call, in words for people."""
    taken = tuple(_overcome)
    del _overcome[: len(taken)]
    return taken


class PatientFile(io.BufferedIOBase):
    """A binary file for reading, which is opened anew where reading fails for the moment."""

    def __init__(self, path: str, open_file: Callable[[], Any]) -> None:
        self._path, self._open = path, open_file
        self._file: Any = patiently(path, open_file)
        self._position = 0

    def read(self, size: int | None = -1, /) -> bytes:
        content = patiently(self._path, lambda: self._read(size))
        self._position += len(content)
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._position = patiently(self._path, lambda: self._opened().seek(offset, whence))
        return self._position

    def tell(self) -> int:
        return self._position

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        super().close()
        self._forget()

    def _read(self, size: int | None) -> bytes:
        try:
            return bytes(self._opened().read(size))
        except Exception:
            self._forget()  # a handle that has become stale stays so
            raise

    def _opened(self) -> Any:
        if self._file is None:
            self._file = self._open()
            self._file.seek(self._position)
        return self._file

    def _forget(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()
