"""Tables while a recognition runs, and folders into which files keep coming: real files, a real process."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from trained_model import RGB, save_model, trained, write_video

from pipeline.errors import ManifestError
from pipeline.runs import Options, run
from stages.commands import watching as watching_module
from stages.commands.live import LiveTables
from stages.commands.recognition import Windows, recognition_manifest
from stages.commands.watching import watch_folder
from stages.sources.videos import Videos


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("videos").mkdir()
    trained("demo.yaml", [*RGB, "partition=1"])
    save_model()


def files_in(table: str) -> list[str]:
    with Path(table).open(newline="") as file:
        return [row["file"] for row in csv.DictReader(file)]


def test_rows_are_there_as_soon_as_their_video_is_done() -> None:
    for name in ("a", "b", "c"):
        write_video(Path(f"videos/{name}.mp4"), 100)
    Path("videos/broken.mp4").write_text("no video")
    seen: list[list[str]] = []

    class Watched(LiveTables):
        def _write(self) -> None:
            super()._write()
            self._due = 0.0
            seen.append(files_in("out/windows.csv"))

    manifest = recognition_manifest(Path("videos"), "it", Path("out"), Windows(2.0))
    result = run(manifest, Options(executor="local"), watch=lambda plan: Watched(plan, print))
    assert not result.errors
    assert seen[0] == ["a.mp4"] * 3
    assert {len(files) for files in seen} == {3, 6, 9}, "whole videos only"
    assert seen[-1] == files_in("out/windows.csv") == ["a.mp4"] * 3 + ["b.mp4"] * 3 + ["c.mp4"] * 3
    events = [json.loads(line) for line in Path("out/events.jsonl").read_text().splitlines()]
    order = [event["stage"] for event in events if event["event"] == "finished"]
    assert order[:4] == ["train-model", "decode", "cache", "predict"], "not all videos are decoded first"


def test_tables_that_cannot_be_written_cost_nothing_else() -> None:
    write_video(Path("videos/a.mp4"), 100)
    Path("out/windows.parquet").mkdir(parents=True)
    Path("out/windows.parquet/in the way").touch()
    manifest, said = recognition_manifest(Path("videos"), "it", Path("out"), Windows(2.0)), list[str]()
    result = run(manifest, Options(executor="local"), watch=lambda plan: LiveTables(plan, said.append))
    assert [line.partition(":")[0] for line in said] == ["the tables cannot be written for now"]
    assert len(result.errors) == 1 and "the run's files are not all written" in result.errors[0]
    shutil.rmtree("out/windows.parquet")
    again = run(manifest, Options(executor="local"))
    assert not again.errors and files_in("out/windows.csv") == ["a.mp4"] * 3


def test_what_was_done_before_is_there_from_the_beginning() -> None:
    write_video(Path("videos/a.mp4"), 100)
    run(recognition_manifest(Path("videos"), "it", Path("out"), Windows(2.0)), Options(executor="local"))
    shutil.rmtree("out")
    write_video(Path("videos/b.mp4"), 100)
    first: list[list[str]] = []

    def watch(plan):
        tables = LiveTables(plan, print)
        first.append(files_in("out/windows.csv"))
        return tables

    run(recognition_manifest(Path("videos"), "it", Path("out"), Windows(2.0)), Options(executor="local"), watch=watch)
    assert first == [["a.mp4"] * 3]
    assert files_in("out/windows.csv") == ["a.mp4"] * 3 + ["b.mp4"] * 3


@pytest.fixture
def watching() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "pipeline", "recognize", "videos", "--model", "it", "--out", "out", "--watch"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    yield process
    process.kill()
    process.wait(30)


def wait_for(files: list[str], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if Path("out/windows.csv").exists() and files_in("out/windows.csv") == files:
            return
        time.sleep(0.2)
    process.kill()
    pytest.fail(f"{files} were not recognized: {process.communicate()[0]}")


def test_files_that_arrive_later_are_taken_when_they_are_complete(watching: subprocess.Popen[str]) -> None:
    write_video(Path("made/late.mp4"), 20)
    content = Path("made/late.mp4").read_bytes()
    write_video(Path("made/first.mp4"), 20)
    Path("videos/broken.mp4").write_text("no video")
    shutil.copy2("made/first.mp4", "videos/first.mp4")
    os.utime("videos/first.mp4", (1, 1))  # a copy of an old file is young all the same
    wait_for(["first.mp4"], watching)
    with Path("videos/late.mp4").open("wb") as file:
        for part in (content[:1000], content[1000:]):
            file.write(part)
            file.flush()
            assert files_in("out/windows.csv") == ["first.mp4"]
            time.sleep(3)
    wait_for(["first.mp4", "late.mp4"], watching)
    assert len(Path("out/failures.csv").read_text().splitlines()[1:]) == 1
    while '"run_finished"' not in Path("out/events.jsonl").read_text().splitlines()[-1]:
        time.sleep(0.2)
    watching.send_signal(signal.SIGTERM)  # as Ctrl-C, which a shell keeps from processes in the background
    said = watching.communicate(timeout=60)[0]
    assert watching.returncode == 0, said
    assert "stopped watching" in said
    assert said.count("skipped broken.mp4: ") == 1, said


def test_a_folder_that_is_emptied_and_an_error_do_not_end_the_watching(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching_module, "POLL", 0.05)
    video, said = Path("videos/a.mp4"), list[str]()
    calls: list[list[str]] = []
    errors = [ManifestError("the folder was emptied"), OSError("no space left")]

    def recognize(executor: object) -> None:
        calls.append(sorted(path.name for path in Path("videos").iterdir()))
        if len(calls) == 1:
            video.unlink()
            threading.Timer(0.5, video.write_text, ["another"]).start()
        elif errors:
            threading.Timer(0.5, video.write_text, [f"number {len(calls)}"]).start()
            raise errors.pop(0)
        else:
            raise KeyboardInterrupt

    video.write_text("the first")
    with pytest.raises(KeyboardInterrupt):
        watch_folder(Videos(root=Path("videos")), recognize, True, said.append)
    assert calls == [["a.mp4"]] * 4, "never for an empty folder"
    assert said == ["not recognized: the folder was emptied", "not recognized: no space left"]


def test_an_error_at_the_beginning_ends_the_watching() -> None:
    def recognize(executor: object) -> None:
        raise ManifestError("no weights")

    Path("videos/a.mp4").write_text("the first")
    with pytest.raises(ManifestError, match="no weights"):
        watch_folder(Videos(root=Path("videos")), recognize, True, print)
