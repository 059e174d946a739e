import errno
import pickle
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import DamagedResultError
from pipeline.parquet import read_parquet, reading
from pipeline.stage import Table
from pipeline.store import Store

READ = """
import os, sys
import pyarrow.parquet
from pipeline.parquet import read_parquet
before = set(os.listdir("/proc/self/task"))
with open(sys.argv[1], "rb") as file:
    assert read_parquet(file, "").num_rows == 3
print(len(set(os.listdir("/proc/self/task")) - before))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    table = pa.table({"clip_id": ["a", "b", "c"], "frames": [[b"1"], None, [b"2", b"3"]]})
    pq.write_table(table, tmp_path / "table.parquet", row_group_size=1)
    return tmp_path / "table.parquet"


def test_it_is_what_arrow_reads(path: Path) -> None:
    with path.open("rb") as file:
        assert read_parquet(file, "").equals(pq.read_table(path))
    with path.open("rb") as file:
        assert read_parquet(file, "", ["frames"]).equals(pq.read_table(path, columns=["frames"]))


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_no_thread_is_started(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "0", done.stderr


@pytest.mark.parametrize("kind", ["truncated", "emptied", "overwritten", "one bit"])
def test_a_damaged_file_is_named(kind: str, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    table = pa.table({"clip_id": ["a", "b"], "image": [bytes(range(256)) * 40, b"x" * 9000]})
    store.write("decode", "1" * 32, table, Table("toy", table.schema, row_group=1, compression=None))
    path = Path(store.path("decode", "1" * 32))
    assert store.read(str(path)).equals(table)
    content = bytearray(path.read_bytes())
    match kind:
        case "truncated":
            content = content[: len(content) // 2]
        case "emptied":
            content = bytearray()
        case "overwritten":
            content = bytearray(len(content))
        case "one bit":
            content[content.index(b"xxxxx") + 4000] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedResultError, match="The next run sets it aside") as error:
        store.read(str(path))
    assert error.value.path == str(path)
    assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)
    aside = store.set_aside(str(path))
    assert aside and Path(aside).read_bytes() == content and not path.exists()
    assert store.set_aside(str(path)) is None


def test_an_error_of_the_disk_is_no_damage(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Input/output error"), reading("x.parquet"):
        raise OSError(errno.EIO, "Input/output error")
