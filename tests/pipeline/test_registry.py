"""Stages are found by name or class, near names are suggested, and extras are known from the package's metadata."""

import sys
from pathlib import Path

import pytest

from pipeline.errors import ManifestError
from pipeline.registry import did_you_mean, how_to_get, known_stages, load_stage, makers, resolve


def test_every_known_stage_can_be_imported_and_makes_a_table() -> None:
    for name, target in known_stages().items():
        assert resolve(name) == target
        assert load_stage(target).makes.name


def test_makers() -> None:
    assert makers("frames") == ["decode"]
    assert makers("models") == ["train", "pretrained"]
    assert makers("nothing") == []


def test_near_names() -> None:
    assert did_you_mean("Framse", ["frames", "size"]) == "; did you mean 'frames'?"
    assert did_you_mean("joint", ["joint_attention", "size"]) == "; did you mean 'joint_attention'?"
    assert did_you_mean("x", ["frames", "size"]) == "; there are: frames, size"
    assert did_you_mean("x", ["frames", "size"], most=1) == ""


def test_extras() -> None:
    assert how_to_get("onnxruntime") == "; pip install 'action-pipeline[onnx]'"
    assert how_to_get("ultralytics.nn") == "; pip install 'action-pipeline[yolo]'"
    assert how_to_get("something") == "; install it in this environment"


def test_a_stage_beside_the_data_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside.py").write_text("from toy_stages import Numbers as Mine\n")
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(ManifestError, match="was not found from"):
        load_stage("beside:Mine")
    monkeypatch.chdir(tmp_path)
    assert load_stage("beside:Mine").__name__ == "Numbers"
