"""The Parquet files of a store, which may be damaged after they were written.

Parquet has checksums of its pages, but none of what says how they are to be read: their headers, and the footer with
the names and places of the columns. So a file has a seal just before the footer, where other readers do not look. All
its numbers have 4 bytes, little-endian:

    CRC-32 of each column chunk, row group by row group; their count; CRC-32 of all that and of the footer; "CRC3"

Files of earlier versions have none, and are read as they are.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zlib import crc32

import pyarrow as pa

from pipeline.errors import DamagedResultError

SEAL = b"CRC3"
ENDING = 8
"""Bytes at the end of a Parquet file: the length of the footer before them, in 4 bytes, and "PAR1"."""


def parquet_content(table: pa.Table, row_group: int, compression: str | None) -> memoryview:
    """A table as the content of a file, with a seal."""
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(
        table,
        buffer,
        row_group_size=row_group,
        compression=compression or "none",
        use_dictionary=False,
        write_page_checksum=True,
    )
    start, metadata = _start_of_footer(buffer), pq.read_metadata(buffer)
    with buffer.getbuffer() as content:
        sums = [crc32(content[first : first + length]) for first, length in _chunks(metadata)]
        footer = bytes(content[start:])
    checksums = b"".join(map(_bytes, [*sums, len(sums)]))
    buffer.seek(start)
    buffer.write(checksums + _bytes(crc32(checksums + footer)) + SEAL + footer)
    return buffer.getbuffer()


def _chunks(metadata: Any) -> Iterator[tuple[int, int]]:
    """Start and length of each column chunk of a file."""
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for chunk in map(group.column, range(group.num_columns)):
            yield chunk.data_page_offset, chunk.total_compressed_size


def _bytes(number: int) -> bytes:
    return number.to_bytes(4, "little")


def _number(content: bytes) -> int:
    return int.from_bytes(content, "little")


def _start_of_footer(file: Any) -> int:
    end = file.seek(-ENDING, io.SEEK_END)
    return int(end - _number(file.read(4)))


def _checksums(file: Any) -> list[int]:
    """Of the column chunks; none if the file has no seal, or is too short to be one of Parquet's, as Arrow will say.

    Raises ArrowInvalid if the footer is not the one that was written.
    """
    if file.seek(0, io.SEEK_END) < ENDING or (start := _start_of_footer(file)) < 12:
        return []
    file.seek(start - 12)
    count, written, seal = _number(file.read(4)), _number(file.read(4)), file.read(4)
    if seal != SEAL:
        return []
    footer = file.read()
    if start - 12 - 4 * count < 0:
        raise pa.ArrowInvalid("its checksums have changed since it was written")
    file.seek(start - 12 - 4 * count)
    checksums = file.read(4 * count + 4)
    if crc32(checksums + footer) != written:
        raise pa.ArrowInvalid("its footer has changed since it was written")
    return [_number(checksums[4 * i : 4 * i + 4]) for i in range(count)]


class _Checked(io.BufferedIOBase):
    """A file of which Arrow reads a column chunk at a time, each of which is compared with its checksum."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.expected: dict[tuple[int, int], int] = {}
        """CRC-32 by start and length."""

    def read(self, size: int | None = -1, /) -> bytes:
        start = self._file.tell()
        content: bytes = self._file.read(size)
        if self.expected.get((start, len(content)), -1) not in (-1, crc32(content)):
            raise pa.ArrowInvalid(f"bytes {start} to {start + len(content)} have changed since it was written")
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Raises DamagedResultError that names the file where Arrow finds it truncated or changed."""
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowSerializationError) as error:
        raise DamagedResultError(path, str(error)) from error
    except OSError as error:
        if error.errno is not None:
            raise  # the disk or the network, not the file's content
        raise DamagedResultError(path, str(error)) from error


def open_parquet(file: Any) -> Any:
    """An open file as a ``pyarrow.parquet.ParquetFile`` that checks what it reads against the stored checksums."""
    import pyarrow.parquet as pq

    checksums = _checksums(file)
    checked = _Checked(file)
    parquet = pq.ParquetFile(checked, pre_buffer=False, page_checksum_verification=not checksums)
    checked.expected = dict(zip(_chunks(parquet.metadata), checksums, strict=bool(checksums)))
    return parquet


def read_parquet(file: Any, path: str, columns: list[str] | None = None) -> pa.Table:
    """The table of an open file, or some of its columns. Raises DamagedResultError that names ``path``.

    Arrow's own threads are off: a process that ends while they are starting is aborted with exit status 134, although
    its work is done (github.com/apache/arrow/issues/34314). Each worker has a core of its own anyway.
    """
    with reading(path):
        return open_parquet(file).read(columns, use_threads=False)
