"""Runs at URLs: on a real S3 server, and in folders named by ``file://``."""

import io
import json
import shutil
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from pipeline import run_folders
from pipeline.clean import find_garbage
from pipeline.errors import ManifestError, StageError
from pipeline.following import follow_run
from pipeline.logs import log_lines
from pipeline.manifest import load_manifest
from pipeline.run_folders import RunCopy, copies_at
from pipeline.status import find_run, read_status
from pipeline.urls import open_filesystem
from toy_manifest import Toy


@pytest.fixture
def at_url(toy: Toy, s3: str, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A toy in three partitions whose runs and store are on S3. ``move_to`` says which machine this is."""
    text = toy.path.read_text().replace(f"{toy.folder}/", f"{s3}/", 2)
    toy.path.write_text(text.replace("count: 40", "count: 24").replace("partition: 4", "partition: 8"))
    move_to(toy.folder / "a", monkeypatch)
    return toy


def move_to(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be on another machine, as far as copies are concerned."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(machine))


def files_at(url: str) -> set[str]:
    filesystem, root = open_filesystem(url, "runs")
    return {path.removeprefix(f"{root}/") for path in filesystem.find(root)}


def test_a_run_leaves_at_its_url_what_another_one_leaves_in_its_folder(
    at_url: Toy, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = at_url.run()
    assert result.errors == [] and result.place == f"{s3}/runs/toy"
    other = Toy(tmp_path / "other")
    other.run("index.count=24", "partition=8")
    local = {path.relative_to(other.run_folder).as_posix() for path in other.run_folder.rglob("*") if path.is_file()}
    assert files_at(f"{s3}/runs/toy") == local
    assert not (at_url.folder / "runs").exists()
    move_to(tmp_path / "b", monkeypatch)
    folder = find_run(f"{s3}/runs/toy/")
    assert folder.is_relative_to(tmp_path / "b") and read_status(folder).text() == "done"
    assert json.loads((folder / "total.json").read_text()) == other.total()
    assert find_run(str(at_url.path)) == folder, "by the manifest, too"


def test_it_goes_on_on_another_machine_and_the_first_one_sees_it(
    at_url: Toy, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = at_url.run("double.fail=[clip-7]")
    move_to(tmp_path / "b", monkeypatch)
    result = at_url.run(retry_failed=True)
    assert 0 < result.computed < first.computed and result.errors == []
    move_to(at_url.folder / "a", monkeypatch)
    folder = find_run(f"{s3}/runs/toy")
    assert (folder / "failures.csv").read_text().count("\n") == 1
    assert (folder / "events.jsonl").read_text().count("run_started") == 2
    assert at_url.run().computed == 0


def test_it_is_followed_from_another_machine(
    at_url: Toy, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folders, "PAUSE", 0.2)
    worker = threading.Thread(target=at_url.run, args=("double.slow=0.1",))
    worker.start()
    waited = time.monotonic() + 60
    while "events.jsonl" not in files_at(f"{s3}/runs/toy"):
        assert worker.is_alive() and time.monotonic() < waited
        time.sleep(0.05)
    move_to(tmp_path / "b", monkeypatch)
    folder, said = find_run(f"{s3}/runs/toy"), io.StringIO()
    assert not read_status(folder).finished
    follow_run(folder, Console(file=said), lambda: find_run(f"{s3}/runs/toy"))
    worker.join()
    assert "summary: done in " in said.getvalue()


def test_what_was_printed_is_read_from_another_machine(
    at_url: Toy, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_url.run("double.fail=[clip-7]")
    move_to(tmp_path / "b", monkeypatch)
    assert "clip-7" in "\n".join(log_lines(find_run(f"{s3}/runs/toy"), None, False))


def test_a_url_that_cannot_be_written_is_an_error_before_anything_runs(at_url: Toy) -> None:
    with pytest.raises(ManifestError, match=r"runs s3://nowhere/runs/toy cannot be used: .* may you write there"):
        at_url.run("runs=s3://nowhere/runs")
    assert at_url.all_visits() == {"double": 0, "add": 0, "total": 0, "share": 0}


def test_where_no_run_is(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move_to(tmp_path, monkeypatch)
    with pytest.raises(ManifestError, match=f"there is no run at {s3}/runs/none"):
        find_run(f"{s3}/runs/none")
    with pytest.raises(ManifestError, match="names no run"):
        find_run(f"{s3}/..")
    for look in find_run, copies_at:
        with pytest.raises(ManifestError, match="may you read there"):
            look("s3://nowhere/runs")
    assert copies_at(f"{s3}/runs") == []
    (tmp_path / "file").touch()
    move_to(tmp_path / "file", monkeypatch)
    with pytest.raises(ManifestError, match=r"cannot be written to .*/file/.*: Not a directory\. Make room there"):
        find_run(f"{s3}/runs/none")


def test_files_that_cannot_be_sent_stay_and_are_sent_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = Toy(tmp_path / "toy")
    toy.path.write_text(toy.path.read_text().replace("runs: ", "runs: file://"))
    move_to(tmp_path / "a", monkeypatch)
    errors = []

    def work() -> None:
        try:
            toy.run("double.slow=0.05")
        except StageError as error:
            errors.append(str(error))

    worker = threading.Thread(target=work)
    worker.start()
    while not list(tmp_path.glob("a/**/events.jsonl")):
        assert worker.is_alive()
        time.sleep(0.01)
    shutil.rmtree(toy.folder / "runs")
    (toy.folder / "runs").write_text("in the way of a folder")
    worker.join()
    assert len(errors) == 1 and "results are in its store, its files in" in errors[0], errors
    (toy.folder / "runs").unlink()
    assert toy.run().computed == 0
    assert toy.total() == {"total": 1600, "clips": 40}


def test_what_changes_here_or_there_is_copied_and_nothing_else(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_to(tmp_path / "a", monkeypatch)
    url = f"{s3}/runs/x"
    mine = RunCopy(url)
    other = RunCopy(url, with_checkpoints=True)
    for name in ("kept", "changed", "removed", "work/train-1/tensorboard/curve", "work/train-1/checkpoint"):
        (mine.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (mine.folder / name).write_text(name)
    (mine.folder / "changed.host@12.0123abcd").write_text("half")
    (mine.folder / "link").symlink_to("/etc/passwd")
    mine.send()
    assert files_at(url) == {"kept", "changed", "removed", "work/train-1/tensorboard/curve"}
    other.send()
    assert "work/train-1/checkpoint" in files_at(url)
    mine.send()
    assert "work/train-1/checkpoint" not in files_at(url)
    move_to(tmp_path / "b", monkeypatch)
    theirs = RunCopy(url)
    theirs.fetch()
    before = (theirs.folder / "kept").stat()
    (mine.folder / "changed").write_text("another text")
    (mine.folder / "removed").unlink()
    mine.send()
    theirs.fetch()
    assert (theirs.folder / "changed").read_text() == "another text"
    assert not (theirs.folder / "removed").exists() and (theirs.folder / "kept").stat() == before
    assert "removed" not in files_at(url)
    (theirs.folder / "kept").unlink()
    with theirs.running() as runs:
        theirs.fetch()
        assert runs and not (theirs.folder / "kept").exists(), "where it runs, all is newer"
    theirs.fetch()
    assert (theirs.folder / "kept").is_file(), "a cache that was emptied is no wish to remove a run"


def test_what_a_killed_process_has_sent_is_known(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move_to(tmp_path, monkeypatch)
    copy = RunCopy(f"{s3}/runs/x")
    copy.folder.mkdir(parents=True)
    for name in "abc":
        (copy.folder / name).write_text(name)
    sent, put = [], RunCopy._make_folder_for

    def killed_at_the_third(self: RunCopy, name: str) -> None:
        if len(sent) == 2:
            raise SystemExit
        sent.append(name)
        put(self, name)

    monkeypatch.setattr(RunCopy, "_make_folder_for", killed_at_the_third)
    with pytest.raises(SystemExit):
        copy.send()
    monkeypatch.undo()
    move_to(tmp_path, monkeypatch)
    for name in "abc":
        (copy.folder / name).write_text(f"{name}, changed since")
    copy.fetch()
    assert [(copy.folder / name).read_text() for name in "abc"] == [f"{name}, changed since" for name in "abc"]
    copy.send()
    assert files_at(f"{s3}/runs/x") == {"a", "b", "c"}


def test_names_at_a_url_lead_nowhere_else(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move_to(tmp_path / "a", monkeypatch)
    filesystem, root = open_filesystem(f"{s3}/runs/x", "runs")
    for name in ("events.jsonl", "../outside", "deep/../../outside", "folder/"):
        filesystem.call_s3("put_object", Bucket="bucket", Key=f"{root}/{name}".removeprefix("bucket/"), Body=b"{}")
    folder = RunCopy(f"{s3}/runs/x").fetch()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and "copied" not in path.name] == [
        "events.jsonl"
    ]
    assert (folder / "events.jsonl").read_text() == "{}"


def test_what_runs_at_a_url_need_is_not_removed(at_url: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_url.run()
    at_url.run("total.scale=3", "name=other")
    move_to(tmp_path / "b", monkeypatch)
    (garbage,) = find_garbage([load_manifest(at_url.path)])
    assert garbage.remove == {} and len(garbage.keep) > 12
