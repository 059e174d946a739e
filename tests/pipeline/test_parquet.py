import errno
import io
import pickle
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import DamagedResultError
from pipeline.parquet import SEAL, ParquetReader, parquet_content, read_parquet, reading
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


@pytest.mark.parametrize("compression", [None, "zstd"])
def test_no_changed_bit_changes_what_is_read(compression: str | None) -> None:
    lists = [[b"1"], None, [b"2", b"3"], [], [b"4" * 30], [b"5"]]
    numbers = pa.array([0.5, None, 1.0, 2.0, 3.0, 4.0], pa.float32())
    table = pa.table({"clip_id": [*"abcdef"], "frames": lists, "score": numbers})
    content = bytes(parquet_content(table, 3, compression))
    unnoticed = []
    for i in range(8 * len(content)):
        changed = bytearray(content)
        changed[i // 8] ^= 1 << i % 8
        try:
            assert read_parquet(io.BytesIO(changed), "").equals(table)
            unnoticed.append(i // 8)
        except DamagedResultError:
            pass
    mark = content.index(SEAL)
    assert {*unnoticed} == {0, 1, 2, 3, *range(mark, mark + 4)}, "what says PAR1 and CRC3, and nothing else"


def test_other_readers_see_no_seal(tmp_path: Path) -> None:
    table = pa.table({"clip_id": ["a", "b", "c"], "frames": [[b"1"], None, [b"2", b"3"]]})
    (tmp_path / "table.parquet").write_bytes(parquet_content(table, 2, "zstd"))
    assert pq.read_table(tmp_path / "table.parquet").equals(table)
    assert pd.read_parquet(tmp_path / "table.parquet")["clip_id"].tolist() == ["a", "b", "c"]


def test_arrays_have_no_statistics() -> None:
    arrays = pa.array([bytes(range(256)) * 12] * 8, pa.large_binary())
    frames = [[b"1" * 2000]] * 8
    table = pa.table({"clip_id": [*"abcdefgh"], "keypoints": arrays, "frames": frames, "times": [[0.5]] * 8})
    content = parquet_content(table, 1, None)
    assert len(content) < 1.3 * 8 * (3072 + 2000)
    group = pq.read_metadata(io.BytesIO(content)).row_group(3)
    chunks = {chunk.path_in_schema: chunk.statistics for chunk in map(group.column, range(group.num_columns))}
    assert [chunks[name] for name in chunks if name.startswith(("keypoints", "frames"))] == [None, None]
    assert (chunks["clip_id"].min, chunks["clip_id"].max) == ("d", "d"), "by which clips are found without reading them"
    assert [one.min for name, one in chunks.items() if name.startswith("times")] == [0.5]


def test_a_footer_that_is_known_is_not_read_again() -> None:
    table = pa.table({"clip_id": [*"abc"], "frames": [[b"1" * 500], None, [b"2"]]})
    content = bytes(parquet_content(table, 1, None))
    footer = ParquetReader(io.BytesIO(content)).footer
    end = content.index(SEAL)
    again = ParquetReader(io.BytesIO(content[:end]), footer)
    assert again.read_row_group(2, ["frames"]).to_pylist() == [{"frames": [b"2"]}]
    changed = bytearray(content)
    changed[content.index(b"1" * 500) + 70] ^= 1
    again = ParquetReader(io.BytesIO(changed), footer)
    assert again.read_row_group(2, ["frames"]).num_rows == 1
    with pytest.raises(pa.ArrowInvalid, match="have changed since it was written"):
        again.read_row_group(0, ["frames"])


def test_files_of_earlier_versions_are_read_as_they_are(path: Path) -> None:
    changed = path.read_bytes().replace(b"frames", b"grames")
    assert read_parquet(io.BytesIO(changed), "").column_names == ["clip_id", "grames"], "they know no better"


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
