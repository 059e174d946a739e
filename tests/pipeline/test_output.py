"""What is printed is kept where it can be, and otherwise costs nothing."""

import copy
import subprocess
import sys

FULL = """
import resource, signal, sys
from pipeline.output import into_file, note
with into_file("full") as take:
    print("before", flush=True)
    limit = 20_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    for _ in range(1000):
        print("x" * 100)
        note("y" * 100)
    kept = take(100_000)
assert kept and kept.text.startswith("before") and len(kept.text) <= limit, kept
print("done")
"""

CUT_MEANWHILE = """
import os, threading, time
from pipeline import output
cut, beginning = os.ftruncate, threading.Event()
def slow_cut(file, length):
    cut(file, length)
    beginning.set()
    time.sleep(0.5)
os.ftruncate, output.LOOK = slow_cut, 0.01
with output.into_file("cut") as take:
    print("x" * 5 * output.LIMIT)
    print("the end", flush=True)
    assert beginning.wait(30)
    kept = take(100)
assert kept and kept.text.endswith("the end\\n"), kept
"""

SILENT = """
import sys
from pipeline.output import note, overheard
sys.stdout = None
with overheard() as take:
    print("nobody sees this")
    note("a note")
    assert take(1000).text == "a note\\n"
"""


def said(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-B", "-c", code], check=True, capture_output=True, text=True, timeout=60
    ).stdout


def test_a_disk_that_is_full_stops_no_work() -> None:
    assert said(FULL) == "done\n"


def test_the_end_is_there_while_the_beginning_is_cut_off() -> None:
    said(CUT_MEANWHILE)


def test_a_process_without_output() -> None:
    said(SILENT)


def test_a_stream_that_is_overheard_can_be_copied() -> None:
    from pipeline.output import overheard

    with overheard():
        assert copy.copy(sys.stdout).write("") == 0
