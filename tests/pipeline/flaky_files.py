"""A file system that fails on purpose: local files under ``flaky://``, as a store on a network gives them."""

import errno
import os
from collections.abc import Callable
from typing import Any, ClassVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

Fault = Callable[[str, str], BaseException | None]


class FlakyFiles(LocalFileSystem):
    """Asks ``fault`` before each operation what shall go wrong."""

    protocol: ClassVar[str] = "flaky"
    fault: ClassVar[Fault] = staticmethod(lambda operation, path: None)

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        return super()._strip_protocol(os.fspath(path).removeprefix("flaky://"))

    def ls(self, path: str, *args: Any, **options: Any) -> Any:
        self._go_wrong("ls", path)
        return super().ls(path, *args, **options)

    def pipe_file(self, path: str, *args: Any, **options: Any) -> Any:
        self._go_wrong("write", path)
        os.makedirs(os.path.dirname(self._strip_protocol(path)), exist_ok=True)  # noqa: PTH103, PTH120
        return super().pipe_file(path, *args, **options)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        self._go_wrong("open", path)
        self._go_wrong("read", path)
        with super().open(path, "rb") as file:
            return file.read()[start:end]

    def info(self, path: str, *args: Any, **options: Any) -> Any:
        self._go_wrong("size", path)
        return super().info(path, *args, **options)

    def open(self, path: str, mode: str = "rb", *args: Any, **options: Any) -> Any:
        if mode != "rb":
            return super().open(path, mode, *args, **options)
        self._go_wrong("open", path)
        return _FlakyFile(super().open(path, mode, *args, **options), lambda: self._go_wrong("read", path))

    @classmethod
    def _go_wrong(cls, operation: str, path: str) -> None:
        if error := cls.fault(operation, path):
            raise error


class _FlakyFile:
    def __init__(self, file: Any, before_reading: Callable[[], None]) -> None:
        self._file, self._before_reading = file, before_reading

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "_FlakyFile":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def read(self, size: int | None = -1) -> bytes:
        self._before_reading()
        return self._file.read(size)


def stale(path: str) -> OSError:
    """What NFS answers when a file's handle means nothing any more."""
    return OSError(errno.ESTALE, os.strerror(errno.ESTALE), path)


fsspec.register_implementation("flaky", FlakyFiles, clobber=True)
