"""``pipeline export`` of networks."""

from pathlib import Path

import pytest
import torch
from command_line import command

from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    config = RecognizerConfig(class_names=("sit", "wave"), modality="pose", width=8, frames=6, size=32, blocks=1)
    Recognizer(config).save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def test_a_models_folder_is_exported(saved: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.pt"
    done = command("export", str(saved), "--format", "torchscript", "--frames", "9", "--out", str(file))
    assert (done.returncode, done.stdout.strip()) == (0, str(file))
    keypoints = torch.rand(3, 2, 9, 17, 3)
    expected = Recognizer.from_pretrained(saved)(None, keypoints)
    torch.testing.assert_close(torch.jit.load(str(file))(keypoints), expected, rtol=0, atol=1e-4)


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
