"""What may be removed from a store: results that neither the given manifests nor the runs beside theirs name."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline import claims
from pipeline.claims import Claim, claimed
from pipeline.clean import Garbage, find_garbage
from pipeline.events import Event
from pipeline.manifest import load_manifest
from pipeline.runs import Options, run
from pipeline.writers import SILENCE, writer_name
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


# Runs in progress


def test_what_a_run_in_progress_has_planned_stays_although_its_index_has_changed(toy: Toy, tmp_path: Path) -> None:
    listed, other = tmp_path / "numbers.txt", Toy(tmp_path / "other")
    listed.write_text("".join(f"clip-{i} {i}\n" for i in range(40)))
    settings = [f"index.file={listed}"]
    removed: list[int] = []

    def clean(event: Event) -> None:
        if event["event"] == "finished":
            listed.write_text("".join(f"clip-{i} {i + 1}\n" for i in range(40)))
            # Here the run's own manifest; there one that shares its store, and knows nothing of it.
            shared = load_manifest(other.path, [f"store={toy.folder / 'store'}"])
            for found in (*find_garbage([load_manifest(toy.path, settings)]), *find_garbage([shared])):
                removed.append(len(found.remove))
                found.sweep()

    result = run(load_manifest(toy.path, settings), Options(executor="local"), [clean])
    assert result.errors == [] and set(removed) == {0}
    assert toy.total() == {"total": 1600, "clips": 40}
    assert claimed(result.plan.store) == set()
    assert garbage(toy, *settings).remove.keys() == results(toy), "nothing claims it after the run"


def test_what_is_claimed_after_it_was_found_stays(toy: Toy) -> None:
    plan = toy.run("add.amount=5").plan
    toy.run()
    found = garbage(toy)
    assert found.remove
    with Claim(plan.store) as claim:
        claim.hold(plan)
        found.sweep()
        assert found.remove.keys() <= results(toy)
    found.sweep()
    assert found.remove.keys().isdisjoint(results(toy))


def test_a_killed_run_claims_nothing_and_one_elsewhere_for_a_day(toy: Toy) -> None:
    store = toy.run("add.amount=5").plan.store
    toy.run()
    code = "from pipeline.writers import writer_name; print(writer_name())"
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    planned = [path.removeprefix(f"{store.root}/") for path in garbage(toy).remove]
    for writer, silent, stays in (
        (writer_name(), 0.0, True),
        (dead, 0.0, False),
        ("elsewhere@1.1234", SILENCE - 60, True),
        ("elsewhere@1.1234", SILENCE + 60, False),
    ):
        note = f"{claims.CLAIMS}/{writer}"
        store.write_note(note, json.dumps({"time": time.time() - silent, "planned": planned}))
        assert bool(garbage(toy).remove) is not stays, (writer, silent)
        assert (store.read_note(note) is not None) is stays
        store.remove_note(note)


def test_a_claim_is_written_again_while_its_run_lasts(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = toy.run().plan
    monkeypatch.setattr(claims, "HEARTBEAT", 0.01)
    with Claim(plan.store) as claim:
        claim.hold(plan)
        [name] = plan.store.notes(claims.CLAIMS)
        times = set()
        end = time.monotonic() + 30
        while len(times) < 3 and time.monotonic() < end:
            times.add(json.loads(plan.store.read_note(f"{claims.CLAIMS}/{name}") or "{}")["time"])
        assert len(times) == 3
    assert plan.store.notes(claims.CLAIMS) == []


def test_a_run_computes_again_what_was_removed_under_it(toy: Toy) -> None:
    def remove(event: Event) -> None:
        if event["event"] == "finished" and event["stage"] == "add" and not removed:
            removed.extend((toy.folder / "store" / "add").iterdir())
            removed[0].unlink()

    removed: list[Path] = []
    notes: list[str] = []
    listeners = [remove, lambda event: notes.append(event["text"]) if event["event"] == "noted" else None]
    result = run(load_manifest(toy.path), Options(executor="local"), listeners)
    assert result.errors == [] and toy.total() == {"total": 1600, "clips": 40}
    assert notes == [f"{removed[0]} was removed during the run; what needs it is computed again"]
