"""Folders of weights that somebody else made: nothing in them is executed, and what is wrong is said."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.errors import StageError
from stages.pose.transformers_detector import RTDETR
from stages.pose.transformers_model import beside, json_object, load


def small(**changes: Any) -> dict[str, Any]:
    """The config.json of a ViTPose."""
    backbone = {"model_type": "vitpose_backbone", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    return {"model_type": "vitpose", "backbone_config": backbone | {"out_indices": [1]} | changes}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    from transformers import VitPoseConfig, VitPoseForPoseEstimation

    VitPoseForPoseEstimation(VitPoseConfig.from_dict(small())).save_pretrained(tmp_path)
    return tmp_path


def loaded(path: Path, described: dict[str, Any]) -> Any:
    from transformers import VitPoseConfig, VitPoseForPoseEstimation

    return load(VitPoseForPoseEstimation, VitPoseConfig, described, path, "cpu")


def test_a_network_is_loaded_with_all_its_weights(folder: Path) -> None:
    from safetensors.torch import load_file

    stored = load_file(folder / "model.safetensors")
    state = loaded(folder / "model.safetensors", small()).state_dict()
    assert stored.keys() == state.keys()
    assert all(torch.equal(stored[name], state[name]) for name in stored)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"auto_map": {"AutoConfig": "mine.Config"}}, "has auto_map: code or kernels of other origin are never loaded"),
        ({"backbone_config": [{"trust_remote_code": True}]}, "has trust_remote_code"),
        ({"backbone_config": {"_attn_implementation": "someone/kernel"}}, "has _attn_implementation"),
        ({"backbone": "someone/network"}, "only names its backbone, 'someone/network'"),
        ({"backbone_config": {"num_hidden_layers": 10**9}}, "num_hidden_layers is 1000000000, more than any model has"),
        ({"size": [1e300]}, r"size is 1e\+300, more than any model has"),
        (["vitpose"], "is not a JSON object"),
    ],
)
def test_settings_that_ask_for_too_much_are_refused(tmp_path: Path, content: Any, message: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(content))
    with pytest.raises(StageError, match=rf"config\.json:? {message}"):
        json_object(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 200_000, "cannot be read as JSON"),
        (b"{", "cannot be read as JSON"),
        (b'{"a": "\xff"}', "cannot be read as JSON"),
        (b" " * 2_000_000, "is too large"),
    ],
)
def test_files_that_are_no_settings_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(StageError, match=message):
        json_object(path)


def test_numbers_that_json_does_not_have_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"size": NaN}')
    with pytest.raises(StageError, match="size is nan"):
        json_object(tmp_path / "config.json")


class Trap:
    """A pickle that makes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_pickles_are_not_read_whatever_they_are_called(folder: Path, name: str) -> None:
    trap = folder / "sprung"
    (folder / name).write_bytes(pickle.dumps(Trap(trap)))
    with pytest.raises(StageError, match=rf"{name} is not a safetensors file, the only kind that is read"):
        loaded(folder / name, small())
    assert not trap.exists()
    pickle.loads((folder / name).read_bytes())
    assert trap.exists()


def test_a_pickle_beside_the_weights_is_not_read(folder: Path) -> None:
    trap = folder / "sprung"
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(trap)))
    loaded(folder / "model.safetensors", small())
    (folder / "model.safetensors").unlink()
    with pytest.raises(StageError, match=r"model\.safetensors is not a safetensors file"):
        loaded(folder / "model.safetensors", small())
    assert not trap.exists()


def test_a_description_that_needs_more_than_the_file_has_is_refused_before_it_takes_memory(folder: Path) -> None:
    with pytest.raises(StageError, match=r"model\.safetensors does not fit .* fewer weights than the 1,\d{3},"):
        loaded(folder / "model.safetensors", small(hidden_size=10_000))
    # As many weights, but others.
    with pytest.raises(StageError, match=r"model\.safetensors does not fit the vitpose that is described: .*mismatch"):
        loaded(folder / "model.safetensors", small(patch_size=[8, 32]))


def test_weights_that_are_missing_are_named(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    state["head.other"] = state.pop("head.conv.weight")
    save_file(state, folder / "model.safetensors")
    with pytest.raises(StageError, match=r"model\.safetensors does not fit .* it lacks head\.conv\.weight"):
        loaded(folder / "model.safetensors", small())


def test_only_files_that_are_there_are_beside_the_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    assert beside(path, "config.json", "preprocessor_config.json") == [folder / "config.json"]
    assert beside(None, "config.json") == []
    assert RTDETR.files(path) == [folder / "config.json"]
