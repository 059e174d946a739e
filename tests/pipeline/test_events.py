"""The log of a run: one line an event, also from several processes, also after a crash."""

from pathlib import Path

import pytest

from pipeline.errors import StageError
from pipeline.events import EVENTS, Event, EventLog, read_events


def test_events_are_written_and_told_to_listeners(tmp_path: Path) -> None:
    heard: list[Event] = []
    log = EventLog(tmp_path / "run", heard.append, heard.append)
    log.emit("started", stage="decode", partition=3)
    log.emit("finished", stage="decode", failures=[("ä.mp4", "dunkel")])
    log.close()
    started, finished = read_events(tmp_path / "run")
    assert {name: started[name] for name in started if name != "time"} == {
        "event": "started",
        "stage": "decode",
        "partition": 3,
    }
    assert finished["failures"] == [["ä.mp4", "dunkel"]]
    assert 0 < started["time"] <= finished["time"]
    assert [event["event"] for event in heard] == ["started"] * 2 + ["finished"] * 2


def test_a_later_run_and_one_beside_it_add_to_the_log(tmp_path: Path) -> None:
    one, two = EventLog(tmp_path), EventLog(tmp_path)
    for log, name in ((one, "a"), (two, "b"), (one, "c")):
        log.emit(name)
    one.close()
    two.close()
    assert [event["event"] for event in read_events(tmp_path)] == ["a", "b", "c"]


def test_a_line_that_a_crash_cut_short_is_left_out(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.emit("a")
    log.close()
    with (tmp_path / EVENTS).open("ab") as file:
        file.write(b'{"event": "b", "na\xc3')
    assert [event["event"] for event in read_events(tmp_path)] == ["a"]
    log = EventLog(tmp_path)
    log.emit("c")
    log.close()
    assert [event["event"] for event in read_events(tmp_path)] == ["a", "c"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full to write to")
def test_a_full_disk_is_said_with_the_file_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / EVENTS).symlink_to("/dev/full")
    log = EventLog(tmp_path)
    with pytest.raises(StageError, match=rf"cannot write .*{EVENTS}: No space left.* make room .*--set runs=FOLDER"):
        log.emit("a")
    log.close()


def test_without_a_log_there_are_no_events(tmp_path: Path) -> None:
    assert list(read_events(tmp_path / "none")) == []
