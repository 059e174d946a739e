"""Reading Parquet files."""

from typing import Any

import pyarrow as pa


def read_parquet(file: Any, columns: list[str] | None = None) -> pa.Table:
    """The table of an open file, or some of its columns.

    Without Arrow's own threads: a process that ends while they start is aborted, with exit status 134, after its work
    is done (github.com/apache/arrow/issues/34314). And every worker has a core of its own already.
    """
    import pyarrow.parquet as pq

    return pq.ParquetFile(file, pre_buffer=False).read(columns, use_threads=False)
