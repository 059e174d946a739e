import pytest
import torch

from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from stages.train.optimizer import depths, learning_rate, parameter_groups


def model(**changes: object) -> Recognizer:
    fields = {"class_names": ("a", "b"), "frames": 4, "width": 4, "size": 16, "heads": 2, "blocks": 2} | changes
    return Recognizer(RecognizerConfig.model_validate(fields))


def test_learning_rate_rises_and_falls():
    rates = [learning_rate(step, 100, 10, 1.0) for step in range(100)]
    assert rates[0] == pytest.approx(1 / 11) and rates[10] == 1.0 and rates[-1] < 0.001
    assert rates[:11] == sorted(rates[:11]) and rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.5)


def test_only_matrices_and_kernels_decay():
    network = model(joint_identity=True)
    decaying, others = parameter_groups(network, 0.1)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    assert {names[id(p)] for p in others["params"]} >= {
        "modal_tokens.token_TKD",
        "position.place_1DHW",
        "head.norm.bias",
    }
    assert all(isinstance(p, torch.nn.Parameter) and p.ndim > 1 for p in decaying["params"])
    assert len(decaying["params"]) + len(others["params"]) == len(names)
    assert decaying["weight_decay"] == 0.1 and others["weight_decay"] == 0


def test_each_part_learns_slower_than_the_part_behind_it():
    network = model()
    shares = {id(p): group["lr_share"] for group in parameter_groups(network, 0.1, 0.5) for p in group["params"]}
    found = {name: shares[id(parameter)] for name, parameter in network.named_parameters()}
    assert found["head.classifier.bias"] == 1
    assert found["blocks.1.temporal.residual.norm.weight"] == 0.5
    assert found["blocks.0.temporal.residual.norm.weight"] == 0.25
    assert {share for name, share in found.items() if name.startswith(("position", "joint_", "modal"))} == {0.125}
    assert found["backbone.layer3.0.conv1.0.weight"] == 0.0625
    assert found["backbone.stem.0.weight"] == 0.5**7


@pytest.mark.parametrize("modality", ["rgb+pose", "rgb", "pose"])
def test_every_parameter_has_its_part(modality):
    network = model(modality=modality, joint_coordinates=True)
    assert len(depths(network)) == (4 if "rgb" in modality else 0) + 1 + 2 + 1
    groups = parameter_groups(network, 0.1, 0.9)
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
