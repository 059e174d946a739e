"""Reading Parquet files."""

from typing import Any

import pyarrow as pa


def read_parquet(file: Any, columns: list[str] | None = None) -> pa.Table:
    """The table of an open file, or some of its columns.

    Arrow's own threads are off: a process that ends while they are starting is aborted with exit status 134, although
    its work is done (github.com/apache/arrow/issues/34314). Each worker has a core of its own anyway.
    """
    import pyarrow.parquet as pq

    return pq.ParquetFile(file, pre_buffer=False).read(columns, use_threads=False)
