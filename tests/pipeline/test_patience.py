"""What cannot be read for the moment is read again; what stays unreadable costs its partition alone."""

import errno
import os
from pathlib import Path

import pytest
from flaky_files import FlakyFiles, stale

from pipeline import patience
from pipeline.errors import ClipError, DamagedResultError, StageError, UnreadableError, is_passing
from pipeline.events import Event
from pipeline.manifest import load_manifest
from pipeline.patience import PAUSES, PatientFile, patiently, take_overcome
from pipeline.rows import attempt
from pipeline.runs import Options, Result, run
from pipeline.schedule import UNREADABLE_IN_A_ROW
from toy_manifest import Toy

UNREADABLE = Path("/proc/self/mem")
"""Linux answers EIO to whoever reads its beginning."""


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that are made, without their lengths."""
    made: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", made.append)
    take_overcome()
    return made


def test_pauses_grow_and_end() -> None:
    assert sorted(PAUSES) == list(PAUSES) and sum(PAUSES) < 30


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ECONNRESET])
def test_what_fails_for_the_moment_is_tried_again(pauses: list[float], number: int) -> None:
    errors = [OSError(number, os.strerror(number)) for _ in range(3)]

    def work() -> str:
        if errors:
            raise errors.pop()
        return "read"

    assert patiently("a", work) == "read" and pauses == list(PAUSES[:3])
    assert take_overcome()[0] == f"a: [Errno {number}] {os.strerror(number)}; tried again after 0.5 s"
    assert take_overcome() == ()


def test_what_stays_unreadable_is_an_error_with_its_path(pauses: list[float]) -> None:
    with pytest.raises(UnreadableError, match=r"^/proc/self/mem cannot be read, .*Input/output error") as raised:
        patiently(str(UNREADABLE), UNREADABLE.read_bytes)
    assert pauses == list(PAUSES) and isinstance(raised.value.__cause__, OSError)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "gone"),
        PermissionError(errno.EACCES, "no"),
        OSError("image file is truncated"),
        TimeoutError("took longer than 9 s"),  # our own limit
        ClipError("damaged"),
        StageError("broken"),
        DamagedResultError("a", "truncated"),
        ValueError("wrong"),
    ],
)
def test_nothing_else_is_waited_for(pauses: list[float], error: Exception) -> None:
    def work() -> None:
        raise error

    with pytest.raises(type(error)):
        patiently("a", work)
    assert pauses == [] and not is_passing(error)


def test_a_file_whose_handle_has_become_stale_is_opened_anew(tmp_path: Path, pauses: list[float]) -> None:
    (tmp_path / "a").write_bytes(bytes(range(100)))
    faults = [True, False, True, True, False]
    FlakyFiles.fault = staticmethod(lambda operation, path: stale(path) if faults and faults.pop() else None)
    with PatientFile("a", lambda: FlakyFiles().open(str(tmp_path / "a"), "rb")) as file:
        assert file.read(10) == bytes(range(10))
        file.seek(-5, os.SEEK_END)
        assert file.read() == bytes(range(95, 100)) and file.tell() == 100
    assert len(pauses) == 3 and not faults


# Clips


def test_a_clip_whose_file_cannot_be_read_for_the_moment_is_tried_again(tmp_path: Path, pauses: list[float]) -> None:
    files = [tmp_path / "a", UNREADABLE, UNREADABLE]
    files[0].write_text("content")

    def work() -> dict:
        try:
            return {"text": files.pop().read_text()}
        except OSError as error:  # as readers of skeleton files do
            raise ClipError(f"cannot be read: {error}") from None

    assert attempt("clip", 9, work) == {"clip_id": "clip", "error": None, "text": "content"}
    assert len(pauses) == 2


def test_a_clip_whose_disk_fails_is_an_error_row_and_a_network_that_fails_is_none() -> None:
    row = attempt("clip", 9, lambda: {"text": UNREADABLE.read_text()})
    assert row == {"clip_id": "clip", "error": "the disk fails: [Errno 5] Input/output error"}

    def work() -> dict:
        raise stale("a")

    with pytest.raises(UnreadableError, match=r"^clip cannot be read"):
        attempt("clip", 9, work)


# Runs


def run_flaky(toy: Toy, fault, *settings: str) -> tuple[Result, list[str]]:
    FlakyFiles.fault = staticmethod(fault)
    notes: list[str] = []

    def listen(event: Event) -> None:
        if event["event"] == "noted":
            notes.append(f"{event['stage']}: {event['text']}")

    manifest = load_manifest(toy.path, [f"store=flaky://{toy.folder}/store", *settings])
    return run(manifest, Options(executor="local"), [listen]), notes


def test_a_store_that_fails_now_and_then_costs_nothing_and_is_said(toy: Toy, tmp_path: Path) -> None:
    asked: dict[tuple[str, str], int] = {}

    def every_third(operation: str, path: str) -> OSError | None:
        asked[operation, path] = asked.get((operation, path), 0) + 1
        return stale(path) if asked[operation, path] % 3 == 1 else None

    result, notes = run_flaky(toy, every_third)
    assert result.errors == [] and toy.total() == {"total": 1600, "clips": 40}
    assert any(note.startswith("add: ") and "tried again after 0.5 s" in note for note in notes)
    other = Toy(tmp_path / "other")
    other.run()
    assert toy.stored() == other.stored()


def test_a_result_that_stays_unreadable_costs_its_partition_alone(toy: Toy, tmp_path: Path) -> None:
    lost = toy.plan().nodes["double"].keys[1]
    result, notes = run_flaky(
        toy, lambda operation, path: stale(path) if operation == "read" and lost in path else None
    )
    computing, writing = result.errors
    assert computing.startswith("add: 1 partition could not be computed: ") and lost in computing
    assert writing.startswith("the run's files are not all written: ") and lost in writing
    assert not result.succeeded and not (toy.run_folder / "total.json").exists()
    assert any(note.startswith("add: partition 2 is left out: ") for note in notes)
    partitions = len(toy.plan().nodes["add"].keys)
    assert sum(toy.plan().nodes["add"].done) == partitions - 1, "all others are done"
    toy.all_visits()
    result, _ = run_flaky(toy, lambda operation, path: None)
    assert result.errors == [] and toy.total() == {"total": 1600, "clips": 40}
    assert toy.all_visits()["double"] == 0


def test_a_store_that_is_gone_ends_the_stage_instead_of_waiting_for_every_partition(toy: Toy) -> None:
    result, notes = run_flaky(toy, lambda operation, path: stale(path) if operation == "read" else None, "partition=1")
    assert [error.partition(":")[0] for error in result.errors] == ["add", "the run's files are not all written"]
    assert sum("is left out" in note for note in notes) == UNREADABLE_IN_A_ROW - 1
