"""Tables of many files, as whole stages read them."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.stage import Table
from pipeline.stage_inputs import TableFiles
from pipeline.store import Store

NUMBERS = Table("numbers", pa.schema([("clip_id", pa.string()), ("number", pa.int64())]))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path))


def files(store: Store, *partitions: dict[str, int]) -> TableFiles:
    paths = []
    for i, rows in enumerate(partitions):
        key = f"{i:032}"
        table = pa.table({"clip_id": list(rows), "number": list(rows.values())}, schema=NUMBERS.schema)
        store.write("numbers", key, table, NUMBERS)
        paths.append(store.path("numbers", key))
    return TableFiles(paths, store.open, NUMBERS.schema)


def test_a_table_is_all_of_its_files_in_order(store: Store) -> None:
    table = files(store, {"a": 1, "b": 2}, {"c": 3}).read()
    assert table.to_pydict() == {"clip_id": ["a", "b", "c"], "number": [1, 2, 3]}


def test_some_columns_may_be_read_alone(store: Store) -> None:
    both = files(store, {"a": 1, "b": 2}, {"c": 3})
    assert both.read(["number"]).to_pydict() == {"number": [1, 2, 3]}
    assert both.read_one(both.paths[1], ["clip_id"]).to_pydict() == {"clip_id": ["c"]}


def test_one_file_is_read_at_a_time(store: Store) -> None:
    both = files(store, {"a": 1}, {"b": 2})
    opened: list[str] = []

    def counted(path: str) -> object:
        opened.append(path)
        return store.open(path)

    tables = iter(TableFiles(both.paths, counted))
    assert next(tables)["clip_id"].to_pylist() == ["a"]
    assert opened == both.paths[:1]
    assert next(tables)["clip_id"].to_pylist() == ["b"]
    assert next(tables, None) is None


def test_without_files_the_table_is_empty_and_has_its_columns(store: Store) -> None:
    assert files(store).read() == NUMBERS.schema.empty_table()
    assert files(store).read(["number"]).schema.names == ["number"]
    assert list(files(store)) == []


def test_rows_of_other_clips_do_not_belong_to_the_table(store: Store) -> None:
    both = files(store, {"a": 1, "b": 2}, {"c": 3})
    chosen = TableFiles(both.paths, store.open, NUMBERS.schema, frozenset("bc"))
    assert chosen.read().to_pydict() == {"clip_id": ["b", "c"], "number": [2, 3]}
    assert [table["number"].to_pylist() for table in chosen] == [[2], [3]]
    assert chosen.read_one(both.paths[0], ["number"]).to_pydict() == {"number": [2]}
    assert (chosen.holds("a"), chosen.holds("b"), both.holds("a")) == (False, True, True)
