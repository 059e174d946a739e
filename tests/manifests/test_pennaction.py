"""PennAction's manifests from beginning to end, on a small copy of its layout."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from manifest_runs import run_manifest
from scipy.io import savemat
from video_files import numbered_frame

SMALL = ["partition=64", "train.epochs=1", "train.batch=4", "train.model.width=8", "train.model.blocks=1"]
SMALL += ["report.samples=1"]
SMALL_IMAGES = ["decode.frames=4", "decode.short_side=64", "cache.size=32", "train.frames=4", "train.warmup_epochs=0"]
SMALL_IMAGES += ["train.model.size=28", "train.model.search_kernel=2"]


def write_clip(root: Path, number: int, action: str, train: int, images: bool, count: int = 12) -> None:
    """A clip of 128 x 96 pixels, in which all joints move down or up."""
    rng = np.random.default_rng(number)
    steps = np.arange(count)[:, None] * (3 if action == "squat" else -3)
    labels = {
        "action": action,
        "train": train,
        "x": rng.uniform(40, 80, 13) + 0 * steps,
        "y": rng.uniform(40, 60, 13) + steps,
        "visibility": np.ones((count, 13), np.uint8),
        "dimensions": np.array([[96, 128, count]], np.uint16),
    }
    (root / "labels").mkdir(parents=True, exist_ok=True)
    savemat(root / f"labels/{number:04}.mat", labels)
    if images:
        (root / f"frames/{number:04}").mkdir(parents=True)
        for i in range(count):
            cv2.imwrite(str(root / f"frames/{number:04}/{i + 1:06}.jpg"), numbered_frame(i))


@pytest.mark.parametrize(
    ("manifest", "settings"),
    [("pennaction", SMALL_IMAGES), ("pennaction_pose", ["skeletons.frames=8", "train.frames=8"])],
)
def test_the_manifests_run(manifest: str, settings: list[str], tmp_path: Path) -> None:
    root = tmp_path / "Penn_Action"
    for number in range(1, 17):
        action = ("squat", "pullup")[number % 2]
        write_clip(root, number, action, -1 if number > 10 else 1, images=manifest == "pennaction")
    out, _ = run_manifest(manifest, tmp_path, [*SMALL, *settings], PENNACTION_ROOT=str(root))
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["clips"], metrics["failed"], len(metrics["classes"])) == (6, 0, 2)
    assert "ground truth" in (out / "report.html").read_text()
