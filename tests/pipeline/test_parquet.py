import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.parquet import read_parquet

READ = """
import os, sys
import pyarrow.parquet
from pipeline.parquet import read_parquet
before = set(os.listdir("/proc/self/task"))
with open(sys.argv[1], "rb") as file:
    assert read_parquet(file).num_rows == 3
print(len(set(os.listdir("/proc/self/task")) - before))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    table = pa.table({"clip_id": ["a", "b", "c"], "frames": [[b"1"], None, [b"2", b"3"]]})
    pq.write_table(table, tmp_path / "table.parquet", row_group_size=1)
    return tmp_path / "table.parquet"


def test_it_is_what_arrow_reads(path: Path) -> None:
    with path.open("rb") as file:
        assert read_parquet(file).equals(pq.read_table(path))
    with path.open("rb") as file:
        assert read_parquet(file, ["frames"]).equals(pq.read_table(path, columns=["frames"]))


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_no_thread_is_started(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "0", done.stderr
