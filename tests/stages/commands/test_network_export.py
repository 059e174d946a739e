"""``pipeline export`` of networks."""

import resource
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import command

from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    small: dict[str, Any] = {"modality": "pose", "width": 8, "frames": 6, "size": 32, "blocks": 1}
    quick: dict[str, Any] = {"joint_attention": False, "temporal_attention": False, "modal_tokens": "none"}
    Recognizer(RecognizerConfig(class_names=("sit", "wave"), **small, **quick)).save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def test_a_models_folder_is_exported(saved: Path, tmp_path: Path) -> None:
    file = tmp_path / "made" / "for it" / "own.pt"
    for _ in range(2):  # the second file replaces the first
        done = command("export", str(saved), "--format", "torchscript", "--frames", "9", "--out", str(file))
        assert (done.returncode, done.stdout.strip()) == (0, str(file))
    keypoints = torch.rand(3, 2, 9, 17, 3)
    expected = Recognizer.from_pretrained(saved)(None, keypoints)
    torch.testing.assert_close(torch.jit.load(str(file))(keypoints), expected, rtol=0, atol=1e-4)
    assert list(file.parent.iterdir()) == [file]


def test_a_folder_that_cannot_be_written_is_named(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    for file, reason in ((tmp_path / "taken" / "own.pt", "File exists"), (Path("/proc/own.pt"), "")):
        done = command("export", str(saved), "--format", "torchscript", "--out", str(file))
        assert done.returncode == 2 and f"--out: {file} cannot be written: {reason}" in done.stderr


@pytest.mark.parametrize("form", ["torchscript", "torch-export"])
def test_a_file_that_is_there_survives_a_failure(
    saved: Path, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "out" / "own"
    file.parent.mkdir()
    file.write_text("good")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Python would keep half of what it compiles
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, limits[1]))  # as a disk that is full halfway
    try:
        done = command("export", str(saved), "--format", form, "--out", str(file))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert done.returncode == 2 and f"--out: {file} cannot be written: File too large" in done.stderr
    assert file.read_text() == "good" and list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    "arguments,message",
    [
        (["--format", "torchscript", "--frames", "many"], "--frames: a number or dynamic, not 'many'"),
        (["--format", "torchscript", "--variant", "a=1"], "name the variant's folder"),
        (["--format", "pyskl", "--frames", "3"], "--frames: is for networks"),
        (["--format", "tflite"], "there are: pyskl, coco, onnx, torchscript, torch-export"),
    ],
)
def test_what_is_wrong_is_said(saved: Path, arguments: list[str], message: str) -> None:
    done = command("export", str(saved), *arguments)
    assert done.returncode != 0 and message in " ".join(done.stderr.split())
