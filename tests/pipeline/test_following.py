"""A run is followed from its events while another process works on it."""

import io
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from pipeline import following
from pipeline.events import EventLog
from pipeline.following import follow_run
from pipeline.status import read_status
from toy_manifest import Toy


@pytest.mark.parametrize("terminal", [True, False])
def test_a_run_is_shown_until_it_ends(terminal: bool, tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    toy.run("index.count=8")  # an earlier run, of which nothing is shown
    worker = threading.Thread(target=toy.run, args=("index.count=40", "double.slow=0.05"))
    events = toy.run_folder / "events.jsonl"
    before = events.read_text().count("\n")
    worker.start()
    while events.read_text().count("\n") < before + 3:
        assert worker.is_alive(), "it has ended without saying anything"
        time.sleep(0.01)
    said = io.StringIO()
    follow_run(toy.run_folder, Console(file=said, force_terminal=terminal, width=100))
    worker.join()
    assert read_status(toy.run_folder).text() == "done"
    assert "double" in said.getvalue() and "summary" in said.getvalue()
    if not terminal:
        lines = said.getvalue().splitlines()
        assert lines[0] == "double: started" and lines[-1].startswith("summary: done in ")
        assert sum(line.startswith("total: done in ") for line in lines) == 1


def test_a_run_that_was_killed_is_followed_until_somebody_ends_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = EventLog(tmp_path)
    log.emit("run_started", stages={"decode": 3})
    log.emit("started", stage="decode", partition=0)

    def pressed(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(following.time, "sleep", pressed)
    said = io.StringIO()
    follow_run(tmp_path, Console(file=said))
    assert said.getvalue() == "decode: started\n"


def test_the_last_line_is_shown_when_it_is_complete(tmp_path: Path) -> None:
    from pipeline.events import follow_events

    log = EventLog(tmp_path)
    log.emit("noted", text="first")
    coming = follow_events(tmp_path)
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"event": "no')
        file.flush()
        first = next(coming)
        assert first is not None and first["text"] == "first"
        assert next(coming) is None
        file.write('ted", "text": "second"}\n')
    second = next(coming)
    assert second is not None and second["text"] == "second"
