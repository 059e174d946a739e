import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile, is_zipfile

import pytest
import torch
from torch import Tensor

from recognizer.config import RecognizerConfig
from recognizer.export import FORMATS, describe, export, fewest_frames
from recognizer.model import Recognizer

Network = Callable[[dict[str, Tensor]], Tensor]


def small(**changes: Any) -> Recognizer:
    """A small recognizer with fixed weights, whose offsets, biases and statistics are not new ones."""
    fields = {
        "class_names": ("sit", "stand", "wave"),
        "width": 8,
        "frames": 6,
        "size": 32,
        "search_kernel": 3,
        "blocks": 1,
    }
    fields |= {"joint_coordinates": True, "joint_identity": True, "joint_motion": True, "joint_posture": True}
    torch.manual_seed(0)
    recognizer = Recognizer(RecognizerConfig.model_validate(fields | changes)).eval()
    with torch.no_grad():
        for parameter in recognizer.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        for name, buffer in recognizer.named_buffers():
            if "running" in name:
                buffer.add_(torch.rand_like(buffer))
    return recognizer


def clips(config: RecognizerConfig, count: int, frames: int) -> dict[str, Tensor]:
    """Random clips, as far as the network sees them. Of the last, the first person and a joint are missing."""
    generator = torch.Generator().manual_seed(count * 100 + frames)
    found = {}
    if config.uses_rgb:
        found["frames"] = torch.rand(count, 3, frames, config.size, config.size, generator=generator)
    if config.uses_pose:
        found["keypoints"] = torch.rand(count, config.persons, frames, config.joints, 3, generator=generator)
        found["keypoints"][-1, 0] = 0
        found["keypoints"][-1, :, 2, 3, 2] = 0
    return found


def opened(file: Path, form: str) -> tuple[Network, dict[str, Any]]:
    """What an exported file computes, and its description."""
    if form == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

        def run(given: dict[str, Tensor]) -> Tensor:
            (logits,) = session.run(["logits"], {name: tensor.numpy() for name, tensor in given.items()})
            return torch.from_numpy(logits)

        return run, json.loads(session.get_modelmeta().custom_metadata_map["recognizer"])
    extra: dict[str, Any] = {"recognizer.json": ""}
    if form == "torchscript":
        loaded: Any = torch.jit.load(str(file), _extra_files=extra)
    else:
        loaded = torch.export.load(str(file), extra_files=extra).module()
    return lambda given: loaded(*given.values()), json.loads(extra["recognizer.json"])


def members(file: Path) -> dict[str, bytes]:
    """What an exported file is made of, not compressed."""
    if not is_zipfile(file):
        return {file.name: file.read_bytes()}
    with ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize(
    "form,modality,frames,ensemble",
    [
        # Each format, each modality, and both kinds of length; ONNX and frames alone are in test_export_doc.py, too.
        # All of them together would take minutes, nearly all of it for PyTorch's conversions.
        ("onnx", "rgb+pose", None, []),
        ("torch-export", "pose", None, []),
        ("torchscript", "rgb", None, []),
        ("torchscript", "rgb+pose", 6, ["pose"]),
    ],
)
@torch.no_grad()
def test_logits_are_those_of_the_recognizer(
    tmp_path: Path, form: str, modality: str, frames: int | None, ensemble: list[str]
) -> None:
    if form == "onnx":
        pytest.importorskip("onnxscript")
    recognizer = small(modality=modality, ensemble=ensemble, temperature=1.5, validation_clips=20)
    file = tmp_path / f"model{FORMATS[form]}"
    export(recognizer, file, form, frames)
    network, description = opened(file, form)
    assert description == json.loads(json.dumps(describe(recognizer.config, frames)))
    for name, content in members(file).items():
        for folder in (Path(__file__).parents[2], Path(torch.__file__).parent):
            assert str(folder).encode() not in content, name
    assert description["temperature"] == 1.5 and description["output"]["logits"]["values"].startswith("divided by the")
    lengths = [frames] if frames else [5, 6, 7, 12, 31]
    assert lengths[0] == description["frames"]["fewest"]
    for count, length in [(count, length) for count in (1, 2, 5) for length in lengths]:
        given = clips(recognizer.config, count, length)
        expected = recognizer(given.get("frames"), given.get("keypoints"))
        assert expected.std() > 0.01  # a comparison of logits that are all the same would say nothing
        torch.testing.assert_close(network(given), expected, rtol=0, atol=1e-4)


def test_what_is_wrong_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no format is called 'tflite'; there are: onnx, torchscript, torch-export"):
        export(small(), tmp_path / "model", "tflite", None)
    with pytest.raises(ValueError, match="at least 1 is needed, not 0"):
        export(small(), tmp_path / "model", "torchscript", 0)
    monkeypatch.setitem(sys.modules, "onnxscript", None)  # as where it is not installed
    with pytest.raises(ImportError, match=r"needs onnxscript, which is not installed: pip install"):
        export(small(), tmp_path / "model.onnx", "onnx", None)
    assert not list(tmp_path.iterdir())


def test_the_fewest_frames_are_more_than_a_window_and_a_kernel() -> None:
    assert fewest_frames(small(search_kernel=7).config) == 8
    assert fewest_frames(small(search_kernel=7, modality="pose").config) == 5
