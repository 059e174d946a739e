"""The script in docs/export.md, on an exported model and drawn clips."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from command_line import command
from trained_model import RGB, trained

from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer

DOC = Path(__file__).parents[1] / "docs" / "export.md"
COLORS = {"red": (0, 0, 255), "green": (0, 255, 0), "white": (255, 255, 255)}


def save(folder: Path) -> None:
    """A model whose random weights are large enough to tell clips apart."""
    torch.manual_seed(0)
    names = ("sit", "stand", "wave")
    sizes = {"frames": 4, "size": 32, "width": 8, "blocks": 1, "search_kernel": 3, "temporal_attention": False}
    config = RecognizerConfig(
        class_names=names, modality="rgb", temperature=0.5, validation_clips=20, preprocessing={"scale": 0.85}, **sizes
    )
    recognizer = Recognizer(config)
    with torch.no_grad():
        for parameter in recognizer.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    recognizer.save_pretrained(folder)


def draw(file: Path, color: tuple[int, int, int]) -> None:
    """A square of this color, which moves to the right."""
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 25, (96, 72))
    for number in range(21):
        image = np.full((72, 96, 3), 90, np.uint8)
        cv2.rectangle(image, (20 + 2 * number, 20), (45 + 2 * number, 50), color, -1)
        writer.write(image)
    writer.release()


def test_the_script_recognizes_what_the_pipeline_recognizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxscript")
    monkeypatch.chdir(tmp_path)
    model = Path("runs/it/model")
    trained("demo.yaml", [*RGB, "cache.size=48", "predict.views=1"])
    save(model)
    (script,) = re.findall(r"```python\n(.*?)```", DOC.read_text(), re.DOTALL)
    Path("recognize.py").write_text(script)
    Path("videos").mkdir()
    for name, color in COLORS.items():
        draw(Path("videos", f"{name}.mp4"), color)
    done = command("recognize", "videos", "--model", str(model), "--out", "out", "--executor", "local")
    assert done.returncode == 0, done.stderr
    with Path("out/windows.csv").open() as file:
        windows = {Path(row["file"]).stem: row for row in csv.DictReader(file)}
    assert command("export", str(model), "--format", "onnx", "--out", "it.onnx").returncode == 0
    scores = []
    for name in COLORS:
        line = [sys.executable, "recognize.py", "it.onnx", f"videos/{name}.mp4"]
        label, score = subprocess.run(line, capture_output=True, text=True, check=True).stdout.split()
        assert max(("sit", "stand", "wave"), key=lambda one: float(windows[name][one])) == label
        assert float(score) == pytest.approx(float(windows[name][label]), abs=0.05)
        scores.append((label, round(float(score), 1)))
    assert len(set(scores)) > 1  # agreement on clips that are all the same would say nothing
