"""The Parquet files of a store, which may be damaged after they were written.

Parquet has checksums of its pages, but none of what says how they are to be read: their headers, and the footer with
the names and places of the columns. So a file has a seal just before the footer, where other readers do not look. All
its numbers have 4 bytes, little-endian:

    CRC-32 of each column chunk, row group by row group; their count; CRC-32 of all that and of the footer; "CRC3"

Files of earlier versions have none, and are read as they are.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import pyarrow as pa

from pipeline.errors import DamagedResultError

SEAL = b"CRC3"
ENDING = 8
"""Bytes at the end of a Parquet file: the length of the footer before them, in 4 bytes, and "PAR1"."""
NO_CHECKSUMS = np.empty(0, "<u4")


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
        write_statistics=[place for field in table.schema if (place := _place_of_values(field))],
    )
    start, metadata = _start_of_footer(buffer), pq.read_metadata(buffer)
    with buffer.getbuffer() as content:
        chunks = _chunks(metadata, range(metadata.num_row_groups))
        sums = [crc32(content[first : first + length]) for first, length in chunks]
        footer = bytes(content[start:])
    checksums = b"".join(map(_bytes, [*sums, len(sums)]))
    buffer.seek(start)
    buffer.write(checksums + _bytes(crc32(checksums + footer)) + SEAL + footer)
    return buffer.getbuffer()


def _place_of_values(field: pa.Field) -> str | None:
    """The path of a column's values in Parquet's schema. None for arrays and images, whose least and greatest say
    nothing: of skeletons, where each row has its row group, they would be three quarters of the file."""
    kind, place = (field.type.value_type, ".list.element") if pa.types.is_list(field.type) else (field.type, "")
    return None if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) else field.name + place


def _chunks(metadata: Any, groups: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Start and length of each column chunk of some row groups."""
    for group in map(metadata.row_group, groups):
        for chunk in map(group.column, range(group.num_columns)):
            yield chunk.data_page_offset, chunk.total_compressed_size


def _bytes(number: int) -> bytes:
    return number.to_bytes(4, "little")


def _number(content: bytes) -> int:
    return int.from_bytes(content, "little")


def _start_of_footer(file: Any) -> int:
    end = file.seek(-ENDING, io.SEEK_END)
    return int(end - _number(file.read(4)))


def _checksums(file: Any) -> np.ndarray:
    """Of the column chunks; none if the file has no seal, or is too short to be one of Parquet's, as Arrow will say.

    Raises ArrowInvalid if the footer is not the one that was written.
    """
    if file.seek(0, io.SEEK_END) < ENDING or (start := _start_of_footer(file)) < 12:
        return NO_CHECKSUMS
    file.seek(start - 12)
    count, written, seal = _number(file.read(4)), _number(file.read(4)), file.read(4)
    if seal != SEAL:
        return NO_CHECKSUMS
    footer = file.read()
    if start - 12 - 4 * count < 0:
        raise pa.ArrowInvalid("its checksums have changed since it was written")
    file.seek(start - 12 - 4 * count)
    checksums = file.read(4 * count + 4)
    if crc32(checksums + footer) != written:
        raise pa.ArrowInvalid("its footer has changed since it was written")
    return np.frombuffer(checksums, NO_CHECKSUMS.dtype, count)


class _Checked(io.BufferedIOBase):
    """A file of which Arrow reads a column chunk at a time, each of which is compared with its checksum."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.expected: dict[tuple[int, int], int] = {}
        """CRC-32 by start and length."""

    def read(self, size: int | None = -1, /) -> bytes:
        start = self._file.tell()
        content: bytes = self._file.read(size)
        if self.expected.get((start, len(content))) not in (None, crc32(content)):
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


class Footer(NamedTuple):
    """What must be known of a file before anything in it can be read. It takes longer to read than a clip."""

    metadata: Any
    """A ``pyarrow.parquet.FileMetaData``."""
    checksums: np.ndarray
    """Of its column chunks, row group by row group; empty: the file has no seal."""


class ParquetReader:
    """An open file, whose column chunks are compared with their checksums when they are read.

    Arrow's own threads are off: a process that ends while they are starting is aborted with exit status 134, although
    its work is done (github.com/apache/arrow/issues/34314). Each worker has a core of its own anyway.
    """

    def __init__(self, file: Any, footer: Footer | None = None) -> None:
        """footer: the file's, if it has been opened before."""
        import pyarrow.parquet as pq

        checksums = footer.checksums if footer else _checksums(file)
        self._checked = _Checked(file)
        self._parquet = pq.ParquetFile(
            self._checked,
            metadata=footer.metadata if footer else None,
            pre_buffer=False,
            page_checksum_verification=not len(checksums),
        )
        self.footer = footer or Footer(self._parquet.metadata, checksums)

    @property
    def metadata(self) -> Any:
        return self.footer.metadata

    def read(self, columns: list[str] | None = None) -> pa.Table:
        """The whole table, or some of its columns."""
        self._expect(range(self.metadata.num_row_groups))
        return self._parquet.read(columns, use_threads=False)

    def read_row_group(self, group: int, columns: list[str]) -> pa.Table:
        """Some columns of a row group."""
        self._expect([group])
        return self._parquet.read_row_group(group, columns, use_threads=False)

    def _expect(self, groups: Sequence[int]) -> None:
        metadata, checksums = self.footer
        if len(groups) and len(checksums):
            sums = checksums[groups[0] * metadata.num_columns : (groups[-1] + 1) * metadata.num_columns].tolist()
            self._checked.expected |= zip(_chunks(metadata, groups), sums, strict=True)


def read_parquet(file: Any, path: str, columns: list[str] | None = None) -> pa.Table:
    """The table of an open file, or some of its columns. Raises DamagedResultError that names ``path``."""
    with reading(path):
        return ParquetReader(file).read(columns)
