"""A joint layout of one's own, from skeleton files to a model that recognizes, in processes that know nothing of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from command_line import command

from recognizer.config_file import read_config
from recognizer.skeletons import layout

BIRD = {
    "joints": ["head", "left_wing", "right_wing", "tail", "left_foot", "right_foot"],
    "edges": [["head", "tail"], ["head", "left_wing"], ["head", "right_wing"]],
}
STAGES = """
name: birds
stages:
  index: {uses: listing, with: {list: birds.csv}}
  skeletons: {needs: index, with: {frames: 8, persons: 1}}
  cache: {needs: skeletons}
"""
TRAINED = """
  train:
    needs: cache
    with: {epochs: 3, threads: 1, val_share: 0, model: {modality: pose, width: 4, blocks: 1, window_joints: 6}}
"""
SAVED = """
  train: {uses: pretrained, with: {path: runs/birds/model}}
"""
PREDICTED = """
  predict: {needs: [cache, train]}
  evaluate: {needs: predict}
"""


@pytest.fixture
def birds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight clips in which a wing or the tail moves, named in a list; the layout's file lies beside the skeletons."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    Path("bird6.yaml").write_text(yaml.safe_dump(BIRD))
    lines = ["path,skeleton,label,split"]
    for i in range(8):
        keypoints = np.ones((1, 12, 6, 3))
        keypoints[..., :2] = 100 + 50 * rng.random((6, 2))
        keypoints[0, :, 1 + 2 * (i % 2), 0] += np.linspace(0, 40, 12)
        np.savez(f"{i}.npz", keypoints=keypoints, layout="bird6.yaml", size=(256, 256))
        lines.append(f"{i}.npz,{i}.npz,{('flap', 'wag')[i % 2]},{'test' if i > 5 else 'train'}")
    Path("birds.csv").write_text("\n".join(lines))
    return tmp_path


def pipeline(*arguments: str, code: int = 0) -> str:
    line = [sys.executable, "-m", "pipeline", *arguments]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_from_files_to_a_model_that_recognizes_elsewhere(birds: Path) -> None:
    Path("birds.yaml").write_text(STAGES + TRAINED + PREDICTED)
    pipeline("run", "birds.yaml", "--executor", "auto")
    config = read_config(Path("runs/birds/model/config.json").read_text())
    pairs = [["left_wing", "right_wing"], ["left_foot", "right_foot"]]
    assert layout(config.layout).definition() == {"name": "bird6", "pairs": pairs} | BIRD

    # A changed layout is another result; a file that says the same is not.
    os.utime("bird6.yaml", (1, 1))
    assert "birds: 0 results to compute" in command("plan", "birds.yaml").stdout
    Path("bird6.yaml").write_text(yaml.safe_dump(BIRD | {"edges": []}))
    assert "skeletons  1 of 1" in command("plan", "birds.yaml").stdout

    # With the saved model, on skeletons that lack the feet.
    for i in range(8):
        with np.load(f"{i}.npz") as arrays:
            keypoints = arrays["keypoints"][:, :, :4]
        np.savez(f"{i}.npz", keypoints=keypoints, layout="bird4.yaml", size=(256, 256))
    Path("bird4.yaml").write_text(yaml.safe_dump({"joints": BIRD["joints"][:4]}))
    Path("bird6.yaml").unlink()
    Path("again.yaml").write_text((STAGES + SAVED + PREDICTED).replace("name: birds", "name: again"))
    printed = pipeline("run", "again.yaml", "--executor", "local")
    assert "bird4 lacks 2 of the 6 joints of bird6: left_foot, right_foot" in printed
    assert json.loads(Path("runs/again/metrics.json").read_text())["clips"] == 2
