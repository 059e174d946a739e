"""The whole way on real components, small: from drawn videos to recognized actions, through real kills."""

import csv
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import command
from video_files import write_video

MANIFESTS = Path(__file__).resolve().parents[1] / "manifests"
PLUGINS = Path(__file__).resolve().parent / "plugins"
SMALL = [
    "index.clips_per_class=2",
    "index.val_per_class=0",
    "index.test_per_class=1",
    "partition=6",
    "decode.frames=4",
    "decode.reader=own_readers:AbortingReader",
    "cache.size=48",
    "train.epochs=3",
    "train.model.size=32",
    "train.model.width=8",
    "train.threads=1",  # trainings at once would fight for the cores
    "report.samples=1",
]


SMALL_DEMO = ["run", str(MANIFESTS / "demo.yaml"), *(f"--set={setting}" for setting in SMALL)]


def argv(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pipeline", *arguments]


def without(*stages: str) -> list[str]:
    return [f"--set=stages.{stage}=null" for stage in stages]


def run(*arguments: str, check: int = 0) -> str:
    """Run a command in a process; returns what it printed."""
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
    assert done.returncode == check, done.stdout + done.stderr
    return done.stdout + done.stderr


def stored(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the small demo has run undisturbed, with Ray."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setenv("PYTHONPATH", os.pathsep.join([str(PLUGINS), os.environ.get("PYTHONPATH", "")]))
        run(*argv(*SMALL_DEMO))
    return home


@pytest.fixture(autouse=True)
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PLUGINS), os.environ.get("PYTHONPATH", "")]))


def test_the_run_leaves_what_people_open(home: Path) -> None:
    metrics = json.loads((home / "runs/demo/metrics.json").read_text())
    assert (metrics["clips"], metrics["failed"]) == (12, 0)
    assert {"top1", "top5", "mean_class"} <= metrics.keys()
    assert (home / "runs/demo/report.html").stat().st_size > 20_000
    model = {"README.md", "config.json", "model.safetensors", "recognition.json"}
    assert {path.name for path in (home / "runs/demo/model").iterdir()} == model


def test_skeletons_for_other_software(tmp_path: Path) -> None:
    file = tmp_path / "demo.pkl"
    assert command("export", "demo", "--format", "pyskl", "--out", str(file)).stdout == f"{file}: 36 clips\n"
    content = pickle.loads(file.read_bytes())
    assert {split: len(names) for split, names in content["split"].items()} == {"test": 12, "train": 24}
    for clip in content["annotations"]:
        height, width = clip["img_shape"]
        there = clip["keypoint"][clip["keypoint_score"] > 0]
        assert clip["keypoint"].shape[1:] == (clip["total_frames"], 17, 2) == (4, 17, 2)
        assert (np.ptp(there, axis=0) > [width / 20, height / 4]).all()
        assert (there >= -0.5).all() and (there <= [width - 0.5, height - 0.5]).all()


def test_what_the_network_looks_at(tmp_path: Path) -> None:
    explained = command("explain", "demo", "--out", str(tmp_path))
    assert explained.stdout.endswith(f"{tmp_path}/explanation.html\n"), explained
    drawn = [path.name for path in tmp_path.glob("*.png")]
    assert sum("points-1" in name for name in drawn) == sum("joints-1" in name for name in drawn) == 6


def test_the_same_run_again_has_nothing_to_do_and_starts_no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # to import it would be an error
    again = command(*SMALL_DEMO)
    assert again.returncode == 0 and "nothing to do" in again.stdout, again


def test_more_epochs_recompute_training_and_what_follows(home: Path) -> None:
    events = len((home / "runs/demo/events.jsonl").read_text().splitlines())
    longer = command(*SMALL_DEMO, "--set", "train.epochs=4", "--name", "longer", "--executor", "local")
    assert longer.returncode == 0, longer
    started = [json.loads(line) for line in (home / "runs/longer/events.jsonl").read_text().splitlines()]
    assert {event["stage"] for event in started if event["event"] == "finished"} == {
        "train",
        "predict",
        "evaluate",
        "report",
    }
    assert len((home / "runs/demo/events.jsonl").read_text().splitlines()) == events


def test_killed_twice_the_store_is_the_same(home: Path, tmp_path: Path) -> None:
    """SIGKILL to the run and all its processes while they decode and estimate poses, and while it trains."""
    before = stored(home / "store")
    again = argv(*SMALL_DEMO, "--set", f"store={tmp_path}/store", "--set", f"runs={tmp_path}/runs", "--executor")
    events = tmp_path / "runs/demo/events.jsonl"
    for executor, sign in (("ray", '"started", "stage": "pose"'), ("local", '"progress", "stage": "train"')):
        seen = len(events.read_text()) if events.exists() else 0
        process = subprocess.Popen([*again, executor], start_new_session=True, stdout=subprocess.DEVNULL)
        while process.poll() is None and not (events.exists() and sign in events.read_text()[seen:]):
            time.sleep(0.02)
        time.sleep(0.1)  # into the work
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL, "it was still running"
    run(*again, "local")
    assert (tmp_path / "runs/demo/report.html").is_file()
    after = stored(tmp_path / "store")
    assert {name: content for name, content in before.items() if name in after} == after
    assert {name.partition("/")[0] for name in after} == {name.partition("/")[0] for name in before}


def ray_workers(folder: Path) -> list[int]:
    """Ray's worker processes that do jobs of a run in ``folder``."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "cmdline").read_bytes().rstrip(b"\0 ")
            ours = name.startswith(b"ray::") and not name.endswith(b"Agent")  # agents belong to Ray itself
            if ours and (process / "cwd").resolve() == folder:
                found.append(int(process.name))
        except OSError:  # it has ended, or is somebody else's
            continue
    return found


def test_workers_killed_in_decode_and_pose_change_nothing(home: Path, tmp_path: Path) -> None:
    before = stored(home / "store")
    settings = ["--executor", "ray", "--set", f"store={tmp_path}/store", "--set", f"runs={tmp_path}/runs"]
    settings += without("train", "predict", "evaluate", "report")
    process = subprocess.Popen(argv(*SMALL_DEMO, *settings), stdout=subprocess.DEVNULL)
    events = tmp_path / "runs/demo/events.jsonl"
    killed = 0
    for stage in ("decode", "pose"):
        while process.poll() is None and not (
            events.exists() and f'"started", "stage": "{stage}"' in events.read_text() and ray_workers(home)
        ):
            time.sleep(0.02)
        for worker in ray_workers(home):
            os.kill(worker, signal.SIGKILL)
            killed += 1
    assert process.wait(300) == 0
    assert killed >= 2
    assert stored(tmp_path / "store") == {name: before[name] for name in stored(tmp_path / "store")}
    assert (tmp_path / "runs/demo/failures.csv").read_text().splitlines() == ["clip_id,stage,error"]


def test_bad_files_cost_themselves_alone(home: Path, tmp_path: Path) -> None:
    """Truncated, a text, empty, and one that crashes the decoder's process, among good ones."""
    videos = tmp_path / "videos"
    videos.mkdir()
    for source in sorted((home / "demo_videos/test/squat").glob("*.mp4")):
        (videos / source.name).write_bytes(source.read_bytes())
    good = (home / "demo_videos/train/push/0000.mp4").read_bytes()
    (videos / "good.mp4").write_bytes(good)
    (videos / "cut.mp4").write_bytes(good[: len(good) // 2])
    (videos / "text.mp4").write_text("this is no video")
    (videos / "empty.mp4").touch()
    (videos / "notes.txt").write_text("not a video at all")
    write_video(videos / "abort.mp4")
    out = tmp_path / "out"
    printed = run(*argv("recognize", str(videos), "--model", "demo", "--out", str(out), "--window", "0"))
    with (out / "recognitions.csv").open(newline="") as file:
        assert sorted(row["file"] for row in csv.DictReader(file)) == ["0000.mp4", "good.mp4"]
    with (out / "failures.csv").open(newline="") as file:
        failures = {row["clip_id"]: row["error"] for row in csv.DictReader(file)}
    assert failures.keys() == {"cut.mp4", "text.mp4", "empty.mp4", "abort.mp4"}
    assert "crashed its worker" in failures["abort.mp4"]
    for name in (*failures, "notes.txt"):
        assert f"skipped {name}: " in printed


def test_a_video_added_to_a_folder_costs_its_partition(home: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "folder.yaml"
    manifest.write_text(
        f"name: folder\nstore: {tmp_path}/store\nruns: {tmp_path}/runs\npartition: 4\nstages:\n"
        f"  index: {{uses: folder, with: {{root: {tmp_path}/videos}}}}\n"
        "  decode: {needs: index, with: {frames: 2}}\n"
    )
    for i, source in enumerate(sorted((home / "demo_videos").rglob("*.mp4"))[:30]):
        target = tmp_path / "videos" / "ab"[i % 2] / f"{i:02}.mp4"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    assert command("run", str(manifest), "--executor", "local").returncode == 0
    before = set((tmp_path / "store/decode").iterdir())
    (tmp_path / "videos/a/new.mp4").write_bytes(source.read_bytes())
    assert command("run", str(manifest), "--executor", "local").returncode == 0
    assert len(set((tmp_path / "store/decode").iterdir()) - before) <= 2


def test_two_runs_at_once_on_one_store(home: Path, tmp_path: Path) -> None:
    shared = argv(*SMALL_DEMO, "--executor", "local", "--set", f"store={tmp_path}/store")
    shared += without("predict", "evaluate", "report")
    both = [subprocess.Popen([*shared, "--set", f"runs={tmp_path}/{name}"], stdout=subprocess.DEVNULL) for name in "ab"]
    assert [process.wait(300) for process in both] == [0, 0]
    after = stored(tmp_path / "store")
    before = stored(home / "store")
    assert {name: content for name, content in before.items() if name in after} == after
