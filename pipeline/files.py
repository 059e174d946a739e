"""Writes local files so that at any moment, even after a power failure, either the old or the whole new file exists."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pipeline.writers import writer_name


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
