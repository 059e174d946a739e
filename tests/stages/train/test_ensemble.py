"""Several networks in one model: each is the one that would have been trained alone."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch

from pipeline.errors import StageError
from pipeline.kept_work import KeptWork
from pipeline.stage_inputs import StageContext, TableFiles, VariantInputs
from recognizer.model import Recognizer
from stages.train.loop import alike, seed_of
from stages.train.stage import Train

MODEL = {"width": 4, "size": 16, "heads": 2, "blocks": 1, "dropout": 0.1}
RECIPE: dict[str, Any] = {"epochs": 2, "batch": 5, "threads": 1, "device": "cpu", "precision": "fp32", "model": MODEL}
ENSEMBLE = ("pose", "pose")

Made = tuple[pa.Table, TableFiles]


class MachineLostError(Exception):
    pass


def trained(made: Made, context: StageContext, **recipe: Any) -> tuple[Recognizer, list[dict[str, Any]]]:
    clips, files = made
    context.folder.mkdir(exist_ok=True)
    row = Train(**RECIPE | recipe).run([VariantInputs("", clips, {"shards": files})], context).to_pylist()[0]
    return Recognizer.deserialize(row["config"], row["weights"]), json.loads(row["history"])


def context_in(folder: Path) -> StageContext:
    return StageContext(folder, lambda done, total, **figures: None)


def same_weights(one: Recognizer, other: Recognizer) -> bool:
    theirs = other.state_dict()
    own = {name: tensor for name, tensor in one.state_dict().items() if not name.startswith("others.")}
    return own.keys() == theirs.keys() and all(torch.equal(tensor, theirs[name]) for name, tensor in own.items())


def test_each_network_is_the_one_that_would_have_been_trained_alone(made_set, tmp_path: Path) -> None:
    made, shown = made_set(16), list[tuple[float, float, str]]()

    def progress(done: float, total: float, /, **figures: Any) -> None:
        shown.append((done, total, figures["network"]))

    together, history = trained(made, StageContext(tmp_path / "a", progress), ensemble=ENSEMBLE, seed=3)
    alone, own = trained(made, context_in(tmp_path / "b"), seed=3)
    assert same_weights(together, alone)
    for number, network in enumerate(together.others, start=1):
        alone, _ = trained(
            made,
            context_in(tmp_path / f"pose-{number}"),
            model=MODEL | {"modality": "pose"},
            seed=seed_of(3, "network", number),
        )
        assert isinstance(network, Recognizer) and same_weights(alone, network)
    assert len(history) == len(own) and history[0] == own[0]
    assert [one["modality"] for one in history[-1]["ensemble"]["networks"]] == ["rgb+pose", "pose", "pose"]
    assert history[-1]["ensemble"]["networks"][0] == own[-1] | {"modality": "rgb+pose"}
    assert 0 <= history[-1]["ensemble"]["val_accuracy"] <= 1
    total = shown[0][1]
    assert shown[-1] == (total, total, "3 of 3") and shown == sorted(shown)
    assert sorted(path.name for path in (tmp_path / "a" / "tensorboard").glob("network-*")) == [
        "network-2",
        "network-3",
    ]


def test_it_is_calibrated_as_a_whole(made_set, tmp_path: Path) -> None:
    made = made_set(150)
    model, history = trained(made, context_in(tmp_path / "a"), ensemble=["pose"], val_share=0.3)
    single, _ = trained(made, context_in(tmp_path / "b"), val_share=0.3)
    assert model.config.validation_clips == single.config.validation_clips >= 20
    assert model.config.temperature == history[-1]["calibration"]["temperature"] != single.config.temperature


def test_it_goes_on_with_the_network_that_it_was_at(s3: str, made_set, tmp_path: Path) -> None:
    made = made_set(16)
    undisturbed, _ = trained(made, context_in(tmp_path / "a"), ensemble=ENSEMBLE)
    kept = KeptWork(f"{s3}/store", "0" * 32)
    files: list[str] = []

    def keep(file: Path) -> None:
        kept.keep(file)
        files.append(file.name)
        if files.count("checkpoint-2.safetensors") == 1:
            raise MachineLostError

    with pytest.raises(MachineLostError):
        trained(made, StageContext(tmp_path / "b", lambda *_, **__: None, keep), ensemble=ENSEMBLE)
    assert kept.restore(tmp_path / "c")
    again: list[str] = []
    context = StageContext(tmp_path / "c", lambda *_, **__: None, lambda file: again.append(file.name))
    model, _ = trained(made, context, ensemble=ENSEMBLE)
    assert again == ["checkpoint-2.safetensors", *["checkpoint-3.safetensors"] * 2], "and nothing again"
    for name, tensor in undisturbed.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name]), name


def test_networks_that_see_more_are_left_out_and_that_is_said(made_set, tmp_path: Path) -> None:
    stage = Train(**RECIPE | {"model": MODEL | {"modality": "rgb"}, "ensemble": ["pose", "rgb"]})
    assert stage.others == ("rgb",)
    assert "ensemble: networks for pose are left out, as model.modality is rgb" in [
        problem.text for problem in stage.check(made_set(16)[0], {}) if not problem.fatal
    ]


def test_a_network_that_cannot_be_is_refused_before_anything_is_trained(made_set, tmp_path: Path) -> None:
    blind = MODEL | {"joint_attention": False, "temporal_attention": False}
    with pytest.raises(ValueError, match="no modal token of a pose network attends to anything"):
        Train(**RECIPE | {"model": blind, "ensemble": ["pose"]})
    with pytest.raises(ValueError, match="leave it out, or set ensemble of train itself"):
        Train(**RECIPE | {"model": MODEL | {"ensemble": ["pose"]}})
    start, _ = trained(
        made_set(16), context_in(tmp_path / "a"), model=MODEL | {"modality": "rgb", "temporal_attention": False}
    )
    start.save_pretrained(tmp_path / "model")
    with pytest.raises(StageError, match=r"start_from: nothing of .* can be used"):
        trained(made_set(16), context_in(tmp_path / "b"), ensemble=["pose"], start_from=str(tmp_path / "model"))
    assert not list((tmp_path / "b").glob("*.safetensors"))


def test_a_network_starts_from_the_one_that_sees_the_same(made_set, tmp_path: Path) -> None:
    made = made_set(16)
    start, _ = trained(made, context_in(tmp_path / "a"), ensemble=ENSEMBLE)
    assert alike(start, "rgb+pose", 0) is start
    assert alike(start, "pose", 0) is start.others[0]
    assert alike(start, "pose", 2) is start.others[1]
    assert alike(start, "pose", 5) is start.others[0]
    assert alike(start, "rgb", 0) is start
    start.save_pretrained(tmp_path / "model")
    start_from = str(tmp_path / "model")
    _, history = trained(made, context_in(tmp_path / "b"), ensemble=ENSEMBLE, start_from=start_from, epochs=1)
    (epoch,) = history
    assert len(epoch["ensemble"]["networks"]) == 3
    for network in epoch["ensemble"]["networks"]:
        found = network["start"]
        assert found["taken"] == found["of"] and found["unused"] == []
