"""What may be removed from a store: results that neither the given manifests nor the runs beside theirs name."""

import shutil
from pathlib import Path

from pipeline.clean import Garbage, find_garbage
from pipeline.manifest import load_manifest
from toy_manifest import Toy


def garbage(toy: Toy, *settings: str) -> Garbage:
    [found] = find_garbage([load_manifest(toy.path, settings)])
    return found


def results(toy: Toy) -> set[str]:
    return {str(path) for path in (toy.folder / "store").rglob("*.parquet")}


def test_a_finished_run_has_nothing_to_remove(toy: Toy) -> None:
    toy.run()
    assert garbage(toy).remove == {}
    assert garbage(toy).keep.keys() == results(toy)


def test_what_a_manifest_named_before_it_was_changed_can_be_removed(toy: Toy) -> None:
    toy.run("add.amount=5")
    before = results(toy)
    toy.run()
    found = garbage(toy)
    assert found.by_folder().keys() == {"add", "total", "share", "summary"}
    assert found.remove.keys() < before
    assert found.remove.keys() | found.keep.keys() == results(toy)
    files, size = found.by_folder()["add"]
    paths = [Path(path) for path in found.remove if "/add/" in path]
    assert (files, size) == (len(paths), sum(path.stat().st_size for path in paths))
    found.sweep()
    assert results(toy) == found.keep.keys()
    assert toy.run().computed == 0


def test_the_results_of_the_last_run_stay_when_its_manifest_has_changed(toy: Toy) -> None:
    toy.run()
    assert garbage(toy, "add.amount=5").remove == {}


def test_runs_beside_it_keep_their_results(toy: Toy) -> None:
    toy.run()
    toy.run("name=other", "add.amount=5")
    assert garbage(toy).remove == {}
    shutil.rmtree(toy.folder / "runs" / "other")
    assert garbage(toy).by_folder().keys() == {"add", "total", "share", "summary"}


def test_intermediate_results_that_are_not_needed_at_the_moment_stay(toy: Toy) -> None:
    toy.run()
    for path in (toy.folder / "store" / "add").iterdir():
        path.unlink()
    assert garbage(toy).remove == {}
    assert any("/double/" in path for path in garbage(toy).keep)


def test_other_files_in_the_store_are_left_alone(toy: Toy) -> None:
    toy.run()
    (toy.folder / "store" / "add" / "mine.parquet").write_bytes(b"")
    (toy.folder / "store" / "notes.txt").write_text("")
    assert garbage(toy).remove == {}


def test_each_store_has_its_own_garbage(toy: Toy, tmp_path: Path) -> None:
    toy.run()
    other = Toy(tmp_path / "other")
    other.run("add.amount=5")
    other.run()
    found = find_garbage([load_manifest(toy.path), load_manifest(other.path)])
    assert [one.store.root for one in found] == [str(toy.folder / "store"), str(other.folder / "store")]
    assert [bool(one.remove) for one in found] == [False, True]


def test_results_that_were_set_aside_as_damaged_can_be_removed(toy: Toy) -> None:
    result = toy.run()
    path = result.plan.nodes["total"].path(result.plan.store)
    Path(path).write_bytes(Path(path).read_bytes()[:-9])
    assert toy.run().errors == []
    found = garbage(toy)
    assert {Path(one).parent.name for one in found.remove} == {"damaged"} and found.by_folder()["damaged"][0] == 1
    found.sweep()
    assert results(toy) == found.keep.keys()
