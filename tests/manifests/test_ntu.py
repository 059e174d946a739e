"""NTU RGB+D's manifests from beginning to end, on a small copy of what the archives unpack to."""

import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from manifest_runs import run_manifest
from ntu_files import sample_name, skeleton_text, write_small_set

SMALL = ["partition=64", "train.epochs=1", "train.warmup_epochs=0", "train.batch=4", "train.model.width=8"]
SMALL_VIDEO = ["decode.frames=4", "decode.short_side=64", "cache.size=32", "train.frames=4"]
SMALL_VIDEO += ["train.model.size=28", "train.model.blocks=1", "train.model.search_kernel=2"]
MINI = ["pose.estimator=hrnet_mini", "pose.detector=whole_frame"]


def run(manifest: str, root: Path, settings: list[str]) -> Path:
    """Run a manifest, and return its folder."""
    return run_manifest(manifest, root.parent, [*SMALL, *settings], NTU_ROOT=str(root))[0]


def skeletons(home: Path, stage: str) -> dict[str, tuple[int, str]]:
    """Number of people and estimator of each clip that has skeletons."""
    rows = pa.concat_tables(pq.read_table(file) for file in sorted((home / "store" / stage).glob("*.parquet")))
    return {row["clip_id"]: (row["persons"], row["estimator"]) for row in rows.to_pylist() if row["error"] is None}


@pytest.mark.parametrize(
    ("manifest", "second_action", "train", "test"),
    [
        ("ntu60_xsub", 60, 12, 12),
        ("ntu60_xview", 60, 16, 8),
        ("ntu120_xsub", 120, 12, 12),
        ("ntu120_xset", 120, 12, 12),
    ],
)
def test_the_protocols_run(manifest: str, second_action: int, train: int, test: int, tmp_path: Path) -> None:
    root = tmp_path / "nturgbd"
    names = write_small_set(root, actions=(1, second_action))
    pictures = manifest == "ntu60_xsub"  # of the same report, so one is enough
    out = run(manifest, root, [*SMALL_VIDEO, f"report.samples={int(pictures)}"])
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["clips"], metrics["failed"], len(metrics["classes"])) == (test, 0, 2)
    found = skeletons(tmp_path, "pose")
    assert len(found) == train + test
    for name in names:
        assert found[name] == (1 if name.endswith("A001") else 2, "ground truth")
    assert ("ground truth" in (out / "report.html").read_text()) == pictures


def test_what_is_missing_costs_its_clip_alone(tmp_path: Path) -> None:
    """A recording without bodies, one without a video, and one that the authors' list leaves out."""
    root = tmp_path / "nturgbd"
    names = write_small_set(root)
    empty, alone, listed = (sample_name(3, 2, 1, replication, 1) for replication in (1, 2, 3))
    for name in (empty, listed):
        (root / f"nturgb+d_rgb/{name}_rgb.avi").write_bytes((root / f"nturgb+d_rgb/{names[0]}_rgb.avi").read_bytes())
    for name in (empty, alone, listed):
        (root / f"nturgb+d_skeletons/{name}.skeleton").write_text(skeleton_text([{}] * 16))
    (root / "NTU_RGBD_samples_with_missing_skeletons.txt").write_text(f"Samples:\n\n{listed}\n")
    out = run("ntu60_xsub", root, [*SMALL_VIDEO, "max_failed=0.1", "report.samples=0"])
    failures = (out / "failures.csv").read_text().splitlines()[1:]
    assert {line.split(",")[0] for line in failures} == {empty, alone}
    assert any(f"{empty}.skeleton has no body in any of 16 frames" in line for line in failures)


def test_poses_are_estimated_although_there_are_skeletons(tmp_path: Path) -> None:
    root = tmp_path / "nturgbd"
    names = write_small_set(root)
    run("ntu60_xsub_hrnet", root, [*SMALL_VIDEO, *MINI, "report.samples=0"])
    assert skeletons(tmp_path, "pose") == dict.fromkeys(names, (1, "hrnet_mini"))


def test_poses_come_from_one_file(tmp_path: Path) -> None:
    """As PYSKL writes it, with two people in each clip."""
    root = tmp_path / "nturgbd"
    names = write_small_set(root)
    rng = np.random.default_rng(0)
    annotations = [
        {
            "frame_dir": name,
            "label": int(name[-3:]) - 1,
            "img_shape": (1080, 1920),
            "original_shape": (1080, 1920),
            "total_frames": 16,
            "keypoint": rng.uniform(300, 800, (2, 16, 17, 2)).astype(np.float16),
            "keypoint_score": np.ones((2, 16, 17), np.float16),
        }
        for name in names
    ]
    with (tmp_path / "ntu60_hrnet.pkl").open("wb") as file:
        pickle.dump({"split": {"xsub_train": names, "xsub_val": []}, "annotations": annotations}, file)
    run("ntu60_xsub_hrnet", root, [*SMALL_VIDEO, "index.skeletons=ntu60_hrnet.pkl", "report.samples=0"])
    assert skeletons(tmp_path, "pose") == dict.fromkeys(names, (2, "ground truth"))


def test_skeletons_alone(tmp_path: Path) -> None:
    root = tmp_path / "nturgbd"
    names = write_small_set(root)
    for video in (root / "nturgb+d_rgb").iterdir():
        video.unlink()
    out = run("ntu60_xsub_pose", root, ["skeletons.frames=16", "train.frames=8", "report.samples=1"])
    assert json.loads((out / "metrics.json").read_text())["clips"] == 12
    found = skeletons(tmp_path, "skeletons")
    assert {name: persons for name, (persons, _) in found.items()} == {
        name: 1 if name.endswith("A001") else 2 for name in names
    }
