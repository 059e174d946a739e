"""``pipeline models`` and ``pipeline models get``."""

from pathlib import Path

import pytest
from command_line import Done, command

from stages.commands.models import models
from stages.pose.detectors import DETECTORS
from stages.pose.estimators import ESTIMATORS


def pipeline(*arguments: str, home: Path) -> Done:
    nowhere = "http://127.0.0.1:9"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"TORCH_HOME": str(home), "http_proxy": nowhere, "https_proxy": nowhere}.items():
            patch.setenv(name, value)
        return command("models", *arguments)


def test_every_model_is_listed_with_what_it_costs(tmp_path: Path) -> None:
    done = pipeline(home=tmp_path)
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    assert head.split()[:2] == ["model", "kind"]
    names = [tuple(line.split()[:2]) for line in lines]
    assert names == [*((name, "estimator") for name in ESTIMATORS), *((name, "detector") for name in DETECTORS)]
    [thunder] = [line for line in lines if line.startswith("movenet_thunder")]
    assert "12.6 MB" in thunder and "Apache-2.0" in thunder and "COCO AP 72.0" in thunder and "ms a person" in thunder
    assert thunder.endswith("not here")
    onnx = [line for line in lines if line.startswith("onnx")]
    assert [line.split()[1] for line in onnx] == ["estimator", "detector"]
    assert all(line.endswith("your file") for line in onnx)


def test_published_weights_have_a_card_and_a_hash_of_every_file() -> None:
    for model in models():
        if model.published:
            assert model.cls.card is not None
            assert all(len(file.hash) in (8, 64) for file in model.published.files)


def test_weights_travel_to_a_machine_without_a_network(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data.parent / "weights" / "movenet"
    if not folder.is_dir():
        pytest.skip(f"MoveNet not found in {folder}")
    stick, home = tmp_path / "stick", tmp_path / "home"
    names = ("movenet_lightning", "movenet_multipose")
    files = [f"{name.replace('_', '-')}.{suffix}" for name in names for suffix in ("json", "bin")]
    done = pipeline("get", *names, "--from", str(folder), "--to", str(stick), home=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(stick / file) for file in files]
    done = pipeline("get", *names, "--from", str(stick), home=home)
    assert done.stdout.splitlines() == [str(home / "hub" / "checkpoints" / file) for file in files]
    listed = {line.split()[0]: line for line in pipeline(home=home).stdout.splitlines()}
    assert listed["movenet_lightning"].endswith("downloaded") and listed["movenet_thunder"].endswith("not here")
    # What is here and genuine needs no network.
    assert pipeline("get", *names, home=home).returncode == 0

    (stick / files[1]).write_bytes(b"cut off")
    done = pipeline("get", *names, "--from", str(stick), home=tmp_path / "other")
    assert done.returncode == 1
    assert done.stderr.startswith(f"pipeline: {stick / files[1]} is damaged or another file")


def test_what_cannot_be_had_is_said_with_the_remedy(tmp_path: Path) -> None:
    done = pipeline("get", "nanodet", home=tmp_path)
    assert done.returncode == 1
    assert "could not download https://cdn.jsdelivr.net/" in done.stderr
    assert f"copy those files to {tmp_path / 'hub' / 'checkpoints'}" in done.stderr
    done = pipeline("get", "nanodet", "movenet_tunder", home=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no model is called 'movenet_tunder'; did you mean 'movenet_thunder'?" in done.stderr
    done = pipeline("get", "onnx", home=tmp_path)
    assert (done.returncode, done.stderr) == (2, "pipeline: onnx has no weights to download\n")
    done = pipeline("get", "nanodet", "--from", str(tmp_path), home=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"pipeline: {tmp_path} lacks nanodet.json, " in done.stderr
    assert f"pipeline models get nanodet --to {tmp_path} brings what is missing" in done.stderr
