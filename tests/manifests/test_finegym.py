"""FineGYM's manifests from beginning to end, on small copies of its layout."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from finegym_files import Take, drawn_takes, filmed_takes, write_copy
from manifest_runs import run_manifest

from stages.pose.mini import MiniDetector
from stages.pose.stage import Pose
from stages.sources.finegym import FineGym
from stages.video.stage import Decode

SMALL = [
    "partition=64",
    "decode.frames=4",
    "pose.estimator=hrnet_mini",
    "pose.detector=mini",
    "cache.size=48",
    "train.epochs=1",
    "train.warmup_epochs=0",
    "train.batch=4",
    "train.model.size=32",
    "train.model.width=8",
    "train.threads=1",
]


def run(manifest: str, home: Path, *settings: str) -> tuple[Path, str]:
    """Run a manifest with small sizes on ``home/finegym``; returns the run's folder and what was printed."""
    return run_manifest(manifest, home, [*SMALL, *settings], FINEGYM_ROOT=str(home / "finegym"))


@pytest.mark.parametrize(
    ("manifest", "categories", "folder"),
    [("finegym", "gym99", "videos"), ("finegym_gym288", "gym288", "actions")],
)
def test_the_manifests_run(manifest: str, categories: str, folder: str, tmp_path: Path) -> None:
    """Drawn people; one of the files is gone, which costs its clips alone."""
    root = tmp_path / "finegym"
    takes = write_copy(root, drawn_takes(classes=3, per_class=2), [folder], rate=20, categories=categories)
    gone = sorted((root / folder).iterdir())[0]
    gone.unlink()
    lost = [name for name in takes if name.startswith(gone.stem)]
    pictures = 3 if manifest == "finegym" else 1  # of the same report, and they take their time
    out, printed = run(manifest, tmp_path, f"report.samples={pictures}")
    assert re.search(r"^mean class [\d.]+ %, top-1", printed, re.M)
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["clips"], metrics["failed"]) == (3, 0)
    assert len(metrics["classes"]) == 3
    failures = (out / "failures.csv").read_text().splitlines()[1:]
    assert sorted(line.partition(",")[0] for line in failures) == sorted(lost)
    page = (out / "report.html").read_text()
    assert page.index("Mean class accuracy") < page.index("Top-1 accuracy")
    assert page.count("estimated by hrnet_mini") == pictures


def three_films(data: Path) -> list[Take]:
    """In each split enough for a video of two events, of which one has two actions."""
    return filmed_takes(data / "finegym/gifs")[:6]


def decoded(root: Path, folder: str, count: int) -> pa.Table:
    """The frames of all actions, from one of the folders."""
    source = FineGym(root=root)
    others = [path for path in root.iterdir() if path.name not in (folder, "annotations")]
    for path in others:
        path.rename(path.with_name(f"hidden-{path.name}"))
    clips = source.clips()
    for path in others:
        path.with_name(f"hidden-{path.name}").rename(path)
    assert {Path(path).parent.name for path in clips["path"].to_pylist()} == {folder}
    return Decode(frames=count).process(clips, {}, None)


def test_each_folder_gives_the_same_frames(shared_data: Path, tmp_path: Path) -> None:
    """Films of gymnasts as trimmed actions, and joined to events and to long videos."""
    takes = write_copy(tmp_path, three_films(shared_data), ["actions", "frames", "events", "videos"])
    assert len(takes) == 6
    trimmed = decoded(tmp_path, "actions", 8)
    assert trimmed["error"].null_count == len(takes)
    for name, frames in zip(trimmed["clip_id"].to_pylist(), trimmed["frames"].to_pylist(), strict=True):
        wanted = takes[name].frames[int(len(takes[name].frames) * 3.5 / 8)]
        shown = cv2.imdecode(np.frombuffer(frames[3], np.uint8), cv2.IMREAD_COLOR_RGB)
        assert np.abs(shown.astype(int) - wanted).mean() < 4  # as far as JPEG goes
    for folder in ("frames", "events", "videos"):
        longer = decoded(tmp_path, folder, 8)
        assert longer.select(["clip_id", "error", "frames"]) == trimmed.select(["clip_id", "error", "frames"]), folder


def test_films_run_from_beginning_to_end(shared_data: Path, tmp_path: Path) -> None:
    """Long videos; trimmed actions have the same skeletons."""
    takes = write_copy(tmp_path / "finegym", three_films(shared_data), ["actions", "videos"])
    (tmp_path / "finegym/actions").rename(tmp_path / "actions")
    out, _ = run("finegym", tmp_path, "pose.detector=whole_frame")
    assert (out / "report.html").read_text().count("estimated by hrnet_mini") == len(takes) / 2
    (made,) = (pq.read_table(file) for file in (tmp_path / "store/pose").glob("*.parquet"))
    assert made["error"].null_count == len(takes)

    (tmp_path / "actions").rename(tmp_path / "finegym/actions")
    clips = FineGym(root=tmp_path / "finegym").clips()
    assert clips["start"].null_count == len(takes)
    pose = Pose(estimator="hrnet_mini", detector="whole_frame")
    frames = Decode(frames=4).process(clips, {}, None)
    assert pose.process(clips, {"frames": frames}, pose.load({}))["keypoints"] == made["keypoints"]


def test_a_frame_of_two_actions_is_decoded_and_estimated_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two actions that overlap: each frame that both show is the same bytes, and people are looked for in it once."""
    take = drawn_takes(classes=1, per_class=1)[0]
    write_copy(tmp_path, [Take(take.frames, 0, "train"), Take(take.frames, 0, "val")], ["videos"], rate=20)
    file = tmp_path / "annotations/gym99_train_element_v1.0.txt"
    (name,) = (line.split()[0] for line in file.read_text().splitlines())
    times = json.loads((tmp_path / "annotations/finegym_annotation_info_v1.1.json").read_text())
    ((event, entry),) = times[name.partition("_E_")[0]].items()
    ((start, end),) = entry["segments"][name.rpartition("_A_")[2].join(["A_", ""])]["timestamps"]
    entry["segments"]["A_0000_0002"] = {"stages": 1, "timestamps": [[start + 0.1, end + 0.1]]}
    (tmp_path / "annotations/finegym_annotation_info_v1.1.json").write_text(json.dumps(times))
    other = f"{name.partition('_E_')[0]}_{event}_A_0000_0002"
    file.write_text(f"{name} 0\n{other} 0\n")
    clips = FineGym(root=tmp_path).clips()
    clips = clips.filter(pc.equal(clips["split"], "train"))
    frames = Decode(frames=20).process(clips, {}, None)
    first, second = frames["indices"].to_pylist()
    assert [number + 2 for number in first] == second
    early, late = frames["frames"].to_pylist()
    assert early[2:] == late[:18]

    seen: list[int] = []
    detect = MiniDetector.detect
    monkeypatch.setattr(
        MiniDetector, "detect", lambda self, images: [seen.append(len(images)), detect(self, images)][1]
    )
    pose = Pose(estimator="hrnet_mini", detector="mini", detect_every=1)
    pose.process(clips, {"frames": frames}, pose.load({}))
    assert sum(seen) == len({*early, *late}) <= 22
