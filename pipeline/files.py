"""Writes local files so that at any moment, even after a power failure, either the old or the whole new file exists;
and says whether a file is still the same."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pipeline.errors import ManifestError
from pipeline.writers import writer_name

PROBE = 2**16
"""Bytes without which a disk is full."""


def replace_file(path: Path, content: bytes | memoryview, temporary: Path | None = None) -> None:
    """Write a file with this content (see ``replacing``)."""
    with replacing(path, temporary) as file:
        file.write(content)


@contextmanager
def replacing(path: Path, temporary: Path | None = None) -> Iterator[BinaryIO]:
    """A file under a temporary name, which is flushed to disk and renamed at the end, unless something is raised.
    Creates missing folders.

    temporary: folder of the half-written file, on the same file system; None: the folder of the file.
    """
    folder = temporary or path.parent
    folder.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    half_written = folder / f"{path.name}.{writer_name()}"
    try:
        with half_written.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        half_written.replace(path)
    except BaseException:
        half_written.unlink(missing_ok=True)
        raise


def check_writable(folder: Path, what: str, remedy: str) -> None:
    """Raises ManifestError if files cannot be written to a folder, which may not exist yet and is not made.

    what: the folder's part in a run, for the message. remedy: how to choose another one.
    """
    there = next(parent for parent in (folder, *folder.absolute().parents) if os.path.lexists(parent))
    if not there.is_dir():
        raise ManifestError(f"{what}: {there} is not a folder: remove it, or choose another folder ({remedy})")
    probe = there / f".{writer_name()}"
    try:
        try:
            with probe.open("wb") as file:
                file.write(bytes(PROBE))
                file.flush()
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise ManifestError(
            f"{what}: cannot write to {there}: {error.strerror or error}. Make room there or change its permissions, "
            f"or choose another folder ({remedy})"
        ) from error


class FileState(NamedTuple):
    """Where a file is, and what changes when its content does."""

    path: str
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    """Unlike the time of modification, nobody can set it: copying another file here with its old time is noticed."""
    inode: int = 0


def state_of(path: Path) -> FileState:
    """The state of a file, which has no size and no times if it does not exist."""
    resolved = path.resolve()
    try:
        stat = resolved.stat()
    except FileNotFoundError:
        return FileState(str(resolved))
    return FileState(str(resolved), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
