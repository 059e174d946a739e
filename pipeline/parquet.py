"""Reading the Parquet files of a store, which may have been damaged since they were written."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from pipeline.errors import DamagedResultError


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

    return pq.ParquetFile(file, pre_buffer=False, page_checksum_verification=True)


def read_parquet(file: Any, path: str, columns: list[str] | None = None) -> pa.Table:
    """The table of an open file, or some of its columns. Raises DamagedResultError that names ``path``.

    Arrow's own threads are off: a process that ends while they are starting is aborted with exit status 134, although
    its work is done (github.com/apache/arrow/issues/34314). Each worker has a core of its own anyway.
    """
    with reading(path):
        return open_parquet(file).read(columns, use_threads=False)
