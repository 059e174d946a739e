"""The command line: what it prints, where, and the exit code.

``pipeline`` is a process, as people start it; ``command`` does the same in this one, where only the command matters.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import command

ROOT = Path(__file__).resolve().parents[2]

MANIFEST = """\
partition: 4
stages:
  index: {uses: "toy_stages:Numbers", with: {count: 20}}
  double: {uses: "toy_stages:Double", needs: index}
  add: {uses: "toy_stages:Add", needs: double}
  total: {uses: "toy_stages:Total", needs: add}
  summary: {uses: "toy_stages:Summary", needs: total}
"""


def pipeline(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | environ,
    )


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("toy.yaml").write_text(MANIFEST)
    return tmp_path


def test_run_twice_then_ask_about_it() -> None:
    first = pipeline("run", "toy.yaml", "--executor", "local")
    assert first.returncode == 0, first.stderr
    assert "double: done" in first.stdout
    assert Path("runs/toy/total.json").is_file()

    again = command("run", "toy.yaml")
    assert again.returncode == 0
    assert again.stdout.startswith("toy: nothing to do, in ")

    plan = command("plan", "toy.yaml", "--set", "total.scale=2")
    assert plan.returncode == 0
    lines = {line.split()[0]: line for line in plan.stdout.splitlines() if line}
    assert lines["add"].endswith("done")
    assert lines["total"].endswith("1 of 1      changed: scale 1 → 2")
    assert lines["toy:"] == "toy: 2 results to compute"

    status = command("status", "toy")
    assert status.returncode == 0
    assert "runs/toy: done" in status.stdout
    failures = command("failures", "runs/toy")
    assert (failures.returncode, failures.stdout) == (0, "0 clips failed\n")
    assert command("status", "toy.yaml").stdout == status.stdout


def test_status_shows_figures_of_the_last_run_alone() -> None:
    assert command("run", "toy.yaml", "--executor", "local").returncode == 0
    figures = Path("runs/toy/metrics.json")
    figures.write_text('{"top1": 0.5}')
    assert "top1 0.5" in command("status", "toy").stdout
    os.utime(figures, (0, 0))  # as if an earlier run had written it, from inputs that have changed since
    assert "top1" not in command("status", "toy").stdout


def test_a_name_and_settings_make_another_run() -> None:
    assert command("run", "toy.yaml", "--name", "other", "--set", "total.scale=3").returncode == 0
    assert json.loads(Path("runs/other/total.json").read_text())["total"] == 3 * (2 * 190 + 20)


def test_failed_clips_are_listed_and_can_be_too_many() -> None:
    failing = ["--set", "double.fail=[clip-3, clip-5]", "--executor", "local"]
    allowed = command("run", "toy.yaml", "--set", "max_failed=0.1", *failing)
    assert allowed.returncode == 0, allowed.stderr
    assert "2 of 20 clips failed: pipeline failures runs/toy" in allowed.stdout
    listed = command("failures", "toy")
    assert "clip-3  double  clip-3 was told to fail" in listed.stdout
    assert listed.stdout.endswith("2 clips failed\n")
    strict = command("run", "toy.yaml", "--name", "strict", *failing)
    assert strict.returncode == 1
    assert strict.stderr == (
        "pipeline: 2 of 20 clips failed, more than max_failed (5%) allows: pipeline failures runs/strict\n"
    )
    stopped = command("run", "toy.yaml", "--name", "stopped", "--set", "total.scale=2", *failing)
    assert stopped.returncode == 1
    assert stopped.stderr.startswith("pipeline: total: 2 of 20 clips failed, more than max_failed (5%) allows")
    assert "Traceback" not in stopped.stderr
    status = command("status", "stopped").stdout
    assert "runs/stopped: failed" in status
    assert "pipeline logs runs/stopped shows what failed" in status
    logs = command("logs", "stopped")
    assert (logs.returncode, "total: failed: 2 of 20 clips failed" in logs.stdout) == (0, True)
    assert "ClipError: clip-3 was told to fail" in command("logs", "toy", "double").stdout
    assert "2 more clips failed in results that other runs have made" in logs.stdout
    unknown = command("logs", "toy", "duoble")
    assert (unknown.returncode, "did you mean 'double'?" in unknown.stderr) == (2, True), unknown.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "none.yaml"], "none.yaml: no such file, and no manifest of this name ships with the package"),
        (
            ["plan", "toy.yaml", "--set", "add.amont=1"],
            "--set add.amont=1: stage 'add': unknown parameter 'amont'; did you mean 'amount'?",
        ),
        (
            ["plan", "toy.yaml", "--set", "index.file=/no/file"],
            "--set index.file=/no/file: stage 'index': /no/file: no such file",
        ),
        (
            ["plan", "toy.yaml", "--set", "amount=1"],
            "--set amount=1: no stage or key is called 'amount'; write add.amount=1",
        ),
        (["plan", "toy.yaml", "--set", "store=toy.yaml"], "store: "),
        (["plan", "toy.yaml", "--set", "store=toy.yaml/below"], "store: "),
        (["run", "toy.yaml", "--set", "store=/proc/none"], "store: cannot write to /proc: "),
        (["run", "toy.yaml", "--set", "store=/sys/kernel"], "store: cannot write to /sys/kernel: "),
        (["run", "toy.yaml", "--set", "runs=/sys/kernel"], "runs: cannot write to /sys/kernel: "),
        (["run", "toy.yaml", "--set", "runs=toy.yaml"], "runs: /"),
        (["run", "toy.yaml", "--set", "store=gs://bucket"], "cannot open the store gs://bucket: Please install gcsfs"),
        (["run", "toy.yaml", "--set", "runs=/proc/none"], "runs: cannot write to /proc: "),
        (["plan", "toy.yaml", "--name", ""], '--set name=""'),
        (["plan", "a" * 5000], "a" * 100 + "…: no such file"),
        (
            ["plan", "toy.yaml", "--set", "add.with.amount=1"],
            "--set add.with.amount=1: parameters need no 'with': write add.amount=1",
        ),
        (
            ["plan", "toy.yaml", "--set", "add.needs=index"],
            "--set add.needs=index: 'needs' is no parameter: write stages.add.needs=index",
        ),
        (["run", "toy.yaml", "--only", "ad"], "toy.yaml: no stage is called 'ad'; did you mean 'add'?"),
        (["run", "toy.yaml", "--only", "add", "--from", "add"], "--from and --only cannot be combined"),
        (["run", "toy.yaml", "--only", "total"], "stage 'add' is not done"),
        (["stages", "trian"], "no stage is called 'trian'; did you mean 'train'?"),
        (["status", "nothing"], "nothing: no run in this folder, and none of this name in runs/"),
        (["report", "nothing"], "nothing: no run in this folder, and none of this name in runs/"),
        (["recognize", "nowhere", "--model", "toy", "--out", "out"], "nowhere: no such file or folder"),
        (
            ["recognize", ".", "--model", "toy", "--out", "out"],
            "toy: no run in this folder, and none of this name in runs/",
        ),
    ],
)
def test_wrong_requests(arguments: list[str], message: str) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"pipeline: {message}")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_wrong_options_exit_with_2_as_well() -> None:
    assert command("run").returncode == 2
    assert command("run", "toy.yaml", "--executor", "slurm").returncode == 2
    assert command("rum").returncode == 2


def test_debug_shows_where() -> None:
    done = pipeline("run", "none.yaml", "--debug")
    assert done.returncode != 0
    assert "Traceback" in done.stderr and "ManifestError" in done.stderr


def test_stages_and_their_parameters() -> None:
    assert re.search(r"^decode +clip by clip +Reads T evenly spaced", command("stages").stdout, re.MULTILINE)
    shown = command("stages", "decode").stdout
    assert "\nshort_side: 480   (whole number)\n    Frames whose shorter side has more pixels" in shown
    assert "root:   (path, required)\n" in command("stages", "folder").stdout


def test_graph() -> None:
    assert "  double         map     doubles      <- index\n" in command("graph", "toy.yaml").stdout
    assert command("graph", "toy.yaml", "--mermaid").stdout.startswith("flowchart LR\n")


def test_clean_asks_and_removes_what_no_manifest_needs() -> None:
    here = ["run", "toy.yaml", "--executor", "local"]
    assert command(*here).returncode == 0
    assert command(*here, "--set", "add.amount=5", "--name", "other").returncode == 0
    assert "nothing to remove" in command("clean", "toy.yaml", "--yes").stdout  # the other run still needs its results
    shutil.rmtree("runs/other")
    Path("store/add/mine.parquet").write_bytes(b"somebody else's")
    files = set(Path("store").rglob("*.parquet"))

    refused = command("clean", "toy.yaml")
    assert refused.returncode == 2
    assert "add --yes to remove them" in refused.stderr
    assert set(Path("store").rglob("*.parquet")) == files

    done = command("clean", "toy.yaml", "--yes")
    assert done.returncode == 0
    assert "removed" in done.stdout
    left = set(Path("store").rglob("*.parquet"))
    assert left < files
    assert Path("store/add/mine.parquet") in left
    assert {path.parent.name for path in files - left} == {"add", "total", "summary"}
    assert command("plan", "toy.yaml").stdout.endswith("toy: 0 results to compute\n")
    assert "nothing to remove" in command("clean", "toy.yaml", "--yes").stdout


@pytest.mark.parametrize(
    "sent,executor", [(signal.SIGINT, "local"), (signal.SIGTERM, "local"), (signal.SIGTERM, "ray")]
)
def test_interrupted_it_says_how_to_go_on(sent: signal.Signals, executor: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", "toy.yaml", "--set", "add.slow=0.3", "--executor", executor],
        # In the background, shells start processes that ignore Ctrl-C; on a terminal they do not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not Path("store/add").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors == "pipeline: interrupted; what is done is kept: run the same command again to resume\n"
    assert "runs/toy: interrupted after" in command("status", "toy").stdout
    assert command("run", "toy.yaml", "--executor", "local").returncode == 0


INTERRUPTED_AT_AN_IMPORT = """
import os, runpy, signal, sys
module, sent, *sys.argv[1:] = sys.argv[1:]
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), int(sent))
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupt())
runpy.run_module("pipeline", run_name="__main__")
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["typer", "pipeline.runs", "toy_stages"])
def test_interrupted_while_it_starts_it_says_so_too(sent: signal.Signals, module: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED_AT_AN_IMPORT, module, str(int(sent)), "run", "toy.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 130
    assert done.stderr == "pipeline: interrupted; what is done is kept: run the same command again to resume\n"
    assert done.stdout == ""


def test_names_cannot_command_the_terminal() -> None:
    Path("clips.txt").write_text("\x1b[2Jclip 1\n")
    options = ["--set", "index.file=clips.txt", "--set", "max_failed=1", "--executor", "local"]
    done = command("run", "toy.yaml", *options, "--set", 'double.fail=["\\x1b[2Jclip"]')
    assert done.returncode == 1, "all clips failed"
    listed = command("failures", "toy")
    assert "\x1b" not in listed.stdout
    assert listed.stdout.splitlines()[1].startswith("\\x1b[2Jclip")


def test_a_terminal_without_unicode_gets_question_marks() -> None:
    Path("clips.txt").write_text("caf\u00e9 1\nother 2\n")
    options = ["--set", "index.file=clips.txt", "--set", "double.fail=[caf\u00e9]", "--set", "max_failed=1"]
    done = pipeline("run", "toy.yaml", *options, "--executor", "local", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "double: caf?: caf? was told to fail" in done.stdout


def test_an_unexpected_error_is_one_line() -> None:
    Path("torn.py").write_text(
        "import toy_stages\n\n\nclass Torn(toy_stages.Numbers):\n    def clips(self):\n        raise KeyError('x')\n"
    )
    Path("torn.yaml").write_text("stages: {index: {uses: 'torn:Torn'}}\n")
    done = pipeline("plan", "torn.yaml")
    assert done.returncode == 1
    assert done.stderr == "pipeline: unexpected KeyError: 'x' (--debug shows where)\n"


def test_help_and_planning_load_nothing_heavy() -> None:
    code = (
        "import sys; from pipeline.cli import app; from pipeline.graph import build_graph;"
        "from pipeline.manifest import load_manifest; build_graph(load_manifest(sys.argv[1]));"
        "print([name for name in ('torch', 'ray', 'cv2', 'av', 'decord', 'scipy', 'timm') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "manifests" / "demo.yaml")], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_every_command_has_an_example() -> None:
    commands = "run plan status graph recognize report failures logs clean stages manifests doctor"
    for name in commands.split():
        done = command(name, "--help")
        assert done.returncode == 0
        assert f"  pipeline {name} " in done.stdout


@pytest.mark.parametrize("output", ["ascii", "cp1252"])
def test_names_that_the_terminal_cannot_show(output: str) -> None:
    Path("tést.yaml").write_text(f"name: größe 日本\n{MANIFEST}", encoding="utf-8")
    environ = {"LC_ALL": "C", "PYTHONIOENCODING": output}
    command = [sys.executable, "-m", "pipeline"]
    for arguments in (
        ["run", "tést.yaml", "--executor", "local"],
        ["status", "größe 日本"],
        ["failures", "größe 日本"],
    ):
        done = subprocess.run([*command, *arguments], capture_output=True, timeout=120, env=os.environ | environ)
        assert done.returncode == 0, done.stderr
    manifest = json.loads(Path("runs/größe 日本/manifest.json").read_text(encoding="utf-8"))
    assert manifest["name"] == "größe 日本"


def test_a_python_that_cannot_name_files_says_what_to_set() -> None:
    Path("toy.yaml").write_text(f"name: größe\n{MANIFEST}", encoding="utf-8")
    done = pipeline("run", "toy.yaml", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (done.returncode, "set PYTHONUTF8=1" in done.stderr) == (2, True), done.stderr
