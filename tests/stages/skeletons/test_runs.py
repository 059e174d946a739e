"""Runs from a list to the report with OpenPose's skeletons: beside videos, and alone; then written as COCO's."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from video_files import write_video
from walkers import flat, walker

from pipeline.manifest import load_manifest
from pipeline.runs import Options, Result, run
from stages.commands.skeleton_export import export_run
from stages.skeletons.formats import read_skeletons

MANIFEST = """\
name: it
stages:
  index: {uses: listing, with: {list: clips.csv}}
  train:
    needs: cache
    with: {frames: 4, epochs: 1, batch: 4, val_share: 0, threads: 1, model: {size: 32, width: 4, blocks: 1}}
  predict: {needs: [cache, train]}
  evaluate: {needs: predict}
"""
BESIDE_VIDEOS = """\
  decode: {needs: index, with: {frames: 4}}
  pose: {needs: decode, with: {persons: 1}}
  cache: {needs: [decode, pose], with: {size: 32}}
  report: {needs: [evaluate, train, predict, cache, pose]}
"""
ALONE = """\
  skeletons: {needs: index, with: {frames: 4, persons: 1, size: [128, 96]}}
  cache: {needs: skeletons}
  report: {needs: [evaluate, train, predict, cache, skeletons]}
"""
FRAMES = 40


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve clips of two classes, each with a folder of OpenPose's; one of them lacks its folder."""
    monkeypatch.chdir(tmp_path)
    video = write_video(tmp_path / "video.mp4", count=FRAMES, width=128, height=96).read_bytes()
    lines = ["path,label,split,skeleton"]
    for i in range(12):
        (tmp_path / f"{i}.mp4").write_bytes(video)
        folder = tmp_path / "openpose" / str(i)
        folder.mkdir(parents=True)
        person = walker(FRAMES, 25, start=5, step=1 if i % 2 else 0.2, size=40)
        for frame in range(FRAMES):
            content = {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": flat(person[frame])}]}
            (folder / f"{i}_{frame:012}_keypoints.json").write_text(json.dumps(content))
        lines.append(f"{i}.mp4,{('stand', 'walk')[i % 2]},{'test' if i >= 8 else 'train'},openpose/{i}")
    lines.append("0.mp4,walk,test,openpose/lost".replace("0.mp4", "lost.mp4"))
    (tmp_path / "lost.mp4").write_bytes(video)
    (tmp_path / "clips.csv").write_text("\n".join(lines))
    return tmp_path


def ran(home: Path, stages: str, modality: str) -> Result:
    (home / "it.yaml").write_text(MANIFEST + stages)
    settings = ["max_failed=0.5", f"train.model.modality={modality}"]
    return run(load_manifest(Path("it.yaml"), settings), Options(executor="local"))


def test_beside_videos(home: Path) -> None:
    result = ran(home, BESIDE_VIDEOS, "rgb+pose")
    assert not result.errors
    assert ["lost" in failure.error and "not found" in failure.error for failure in result.failures] == [True]
    rows = [row for path in home.glob("store/pose/*.parquet") for row in pq.read_table(path).to_pylist()]
    [row] = [row for row in rows if row["clip_id"] == "1.mp4"]
    found = np.frombuffer(row["keypoints"], np.float16).reshape(1, 4, 25, 3)
    frames = walker(FRAMES, 25, start=5, step=1, size=40)[[5, 15, 25, 35]]
    np.testing.assert_allclose(found[0, ..., :2], (frames[..., :2] + 0.5) / (128, 96), atol=1e-3)
    assert Path("runs/it/report.html").is_file()
    exported = export_run("it", "coco", None, None)
    assert (exported.file, exported.clips) == (Path("runs/it/skeletons.json"), 12)
    file = read_skeletons(exported.file, "1.mp4")
    np.testing.assert_allclose(file.keypoints, [frames], atol=0.1)
    assert (file.layout.name, file.size) == ("body25", (128, 96))


def test_alone(home: Path) -> None:
    result = ran(home, ALONE, "pose")
    assert not result.errors and len(result.failures) == 1
    assert Path("runs/it/report.html").is_file()
    without_size = ran(home, ALONE.replace(", size: [128, 96]", ""), "pose")
    assert "give size, their width and height" in without_size.failures[0].error
