import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.parquet import ParquetReader
from pipeline.remote_files import AT_MOST, AT_ONCE, BLOCK, KeptRanges, RemoteFile

CONTENT = np.random.default_rng(0).bytes(3 * AT_ONCE)


class Requests:
    """A file somewhere else, and what was asked of it."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content = content
        self.asked: list[tuple[int, int]] = []

    def fetch(self, start: int, stop: int) -> bytes:
        self.asked.append((start, stop))
        return self.content[start:stop]


def test_it_reads_like_any_file() -> None:
    remote, local = RemoteFile(len(CONTENT), Requests().fetch), io.BytesIO(CONTENT)
    rng = np.random.default_rng(1)
    for _ in range(200):
        whence = int(rng.integers(3))
        offset = int(rng.integers(len(CONTENT) + 10)) * (-1 if whence == io.SEEK_END else 1)
        if whence == io.SEEK_CUR:
            offset = max(offset - len(CONTENT) // 2, -local.tell())
        if whence == io.SEEK_END:
            offset = max(offset, -len(CONTENT))
        assert remote.seek(offset, whence) == local.seek(offset, whence)
        size = int(rng.integers(-1, 2 * AT_ONCE)) if rng.random() < 0.5 else int(rng.integers(1000))
        assert remote.read(size) == local.read(size) and remote.tell() == local.tell()


def test_what_is_expected_is_one_request_and_so_is_a_footer() -> None:
    requests = Requests()
    file = RemoteFile(len(CONTENT), requests.fetch)
    file.expect(100, 1000)
    for start in range(100, 1000, 100):
        file.seek(start)
        assert file.read(100) == CONTENT[start : start + 100]
    assert requests.asked == [(100, 1000)]
    for size in (8, 1000, AT_ONCE):
        file.seek(-size, io.SEEK_END)
        assert file.read() == CONTENT[-size:]
    assert requests.asked[1:] == [(2 * AT_ONCE, 3 * AT_ONCE)]


def test_a_small_parquet_file_is_one_request(tmp_path: Path) -> None:
    table = pa.table({"a": range(1000), "b": [bytes(10)] * 1000})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=100)
    requests = Requests((tmp_path / "a.parquet").read_bytes())
    assert ParquetReader(RemoteFile(len(requests.content), requests.fetch)).read() == table
    assert len(requests.asked) == 1


def test_ranges_are_fetched_once_by_any_number_of_threads() -> None:
    requests, kept = Requests(), KeptRanges()
    wanted = [(i, i + 1000) for i in range(0, 100_000, 500)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            for (start, stop), content in zip(
                wanted, pool.map(lambda place: kept.read("a", *place, requests.fetch), wanted), strict=True
            ):
                assert content == CONTENT[start:stop]
    assert sorted(requests.asked) == wanted
    assert kept.read("b", 0, 10, Requests(b"another file").fetch) == b"another fi"


def test_what_there_is_no_room_for_is_fetched_again() -> None:
    requests, kept = Requests(), KeptRanges(at_most=1500)
    for _ in range(2):
        assert kept.read("a", 0, 1000, requests.fetch) == CONTENT[:1000]
        assert kept.read("a", 1000, 2000, requests.fetch) == CONTENT[1000:2000]
    assert requests.asked == [(0, 1000), (1000, 2000), (1000, 2000)]


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert KeptRanges().read("a", 0, 1000, Requests().fetch) and list(tmp_path.iterdir()) == []


def test_a_full_disk_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    requests, kept = Requests(), KeptRanges()
    kept.read("a", 0, 10, requests.fetch)
    assert kept._file is not None
    full = os.open("/dev/full", os.O_RDWR)
    os.dup2(full, kept._file.fileno())
    for _ in range(2):
        assert kept.read("a", 10, 20, requests.fetch) == CONTENT[10:20]
    os.close(full)


def test_where_no_temporary_file_can_be_made_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    kept, requests = KeptRanges(), Requests()
    for _ in range(2):
        assert kept.read("a", 0, 10, requests.fetch) == CONTENT[:10]
    assert requests.asked == [(0, 10)] * 2


def test_in_blocks_a_file_is_fetched_once_however_it_is_read() -> None:
    requests, kept = Requests(), KeptRanges()
    for start, stop in ((10, 20), (0, len(CONTENT)), (AT_ONCE - 5, AT_ONCE + 5), (1, len(CONTENT) - 1)):
        assert kept.read_blocks("a", start, stop, len(CONTENT), requests.fetch) == CONTENT[start:stop]
    assert requests.asked == [(0, BLOCK), (BLOCK, len(CONTENT))]


def test_what_is_read_from_one_end_to_the_other_is_read_in_growing_ranges() -> None:
    requests = Requests(bytes(40 * AT_ONCE))
    file = RemoteFile(len(requests.content), requests.fetch)
    while file.read(32768):
        pass
    sizes = [stop - start for start, stop in requests.asked]
    assert sum(sizes) == len(requests.content) and len(sizes) < 8 and max(sizes) == AT_MOST
