"""A local file system that fails on purpose: ``faulty:///folder``.

How often is said in environment variables, from 0 to 1: FAULTY_READS, FAULTY_WRITES. FAULTY_SEED makes it repeatable.
"""

import errno
import os
import random
from typing import Any

from fsspec.implementations.local import LocalFileSystem

_CHOICE = random.Random(f"{os.environ.get('FAULTY_SEED')}/{os.getpid()}")
_READS = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT)
_WRITES = (errno.EIO, errno.ENOSPC)


class FaultyFileSystem(LocalFileSystem):
    """Opening a file, or giving it its final name, may fail."""

    protocol = "faulty"
    cachable = False

    def __init__(self, **options: Any) -> None:
        super().__init__(auto_mkdir=True, **options)

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return LocalFileSystem._strip_protocol(str(path).removeprefix("faulty://"))

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        _fail("FAULTY_READS" if "r" in mode else "FAULTY_WRITES", path)
        return super()._open(path, mode, **options)

    def mv(self, path1: str, path2: str, **options: Any) -> None:
        _fail("FAULTY_WRITES", path2)
        super().mv(path1, path2, **options)


def _fail(name: str, path: str) -> None:
    if _CHOICE.random() < float(os.environ.get(name, 0)):
        number = _CHOICE.choice(_READS if name == "FAULTY_READS" else _WRITES)
        raise OSError(number, os.strerror(number), path)
