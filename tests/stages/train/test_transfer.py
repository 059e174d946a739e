from typing import Any

import pytest
import torch

from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from recognizer.position import stretch_time
from recognizer.skeletons import layout
from stages.train.transfer import take_weights

CLASSIFIER = ["head.classifier.weight", "head.classifier.bias"]


def network(*class_names: str, **change: Any) -> Recognizer:
    """A small network, all of whose weights are random."""
    sizes = {"frames": 4, "width": 4, "size": 16, "heads": 2, "blocks": 1, "joint_identity": True}
    model = Recognizer(RecognizerConfig(class_names=class_names, **sizes | change))
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_()
    return model


def test_of_the_same_network_all_is_taken():
    start, model = network("a", "b"), network("a", "b")
    taken = take_weights(model, start)
    assert taken["taken"] == taken["of"] > 50
    assert [taken[name] for name in ("interpolated", "partly", "new", "unused", "differs")] == [[]] * 5
    for name, weight in start.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], weight, rtol=0, atol=0)


def test_classes_of_the_same_name_keep_their_rows_and_new_ones_have_new_rows():
    start, model = network("a", "b", "c"), network("b", "c", "d")
    fresh = model.head.classifier.weight.detach().clone()
    taken = take_weights(model, start)
    assert taken["partly"] == CLASSIFIER and taken["classes"] == ["b", "c"] and taken["new"] == []
    assert model.head.classifier.weight[:2].equal(start.head.classifier.weight[1:])
    assert model.head.classifier.bias[:2].equal(start.head.classifier.bias[1:])
    assert model.head.classifier.weight[2].equal(fresh[2])

    model = network("x", "y", "z")  # of the same shape, but of other classes
    taken = take_weights(model, start)
    assert taken["new"] == CLASSIFIER == taken["unused"] and taken["classes"] == []
    assert not model.head.classifier.weight.equal(start.head.classifier.weight)


def test_of_a_model_for_poses_a_model_for_both_takes_what_it_has():
    start, model = network("a", "b", modality="pose"), network("a", "b")
    fresh = model.head.classifier.weight.detach().clone()
    taken = take_weights(model, start)
    assert taken["unused"] == [] and all("joint_tokens" not in name for name in taken["new"])
    assert {name.partition(".")[0] for name in taken["new"]} == {"backbone", "position", "blocks"}
    assert taken["partly"] == ["modal_tokens.token_TKD", "head.classifier.weight"]
    tokens, dim = model.modal_tokens.token_TKD, model.config.dim  # of CLS, RGB and pose
    assert tokens[:, [0, 2]].equal(start.modal_tokens.token_TKD)
    weight = model.head.classifier.weight
    assert weight[:, :dim].equal(start.head.classifier.weight[:, :dim])
    assert weight[:, 2 * dim :].equal(start.head.classifier.weight[:, dim:])
    assert weight[:, dim : 2 * dim].equal(fresh[:, dim : 2 * dim])


def test_the_token_of_one_modality_is_not_taken_for_that_of_another():
    start, model = network("a", "b", modality="rgb"), network("a", "b", modality="pose")
    fresh = model.modal_tokens.token_TKD.detach().clone()
    assert "modal_tokens.token_TKD" in take_weights(model, start)["partly"]
    assert model.modal_tokens.token_TKD[:, 0].equal(start.modal_tokens.token_TKD[:, 0])
    assert model.modal_tokens.token_TKD[:, 1].equal(fresh[:, 1])


def test_joints_are_taken_by_name():
    start, model = network("a", "b", layout="ntu25"), network("a", "b")
    fresh = model.joint_tokens.identity.joint_RD.detach().clone()
    taken = take_weights(model, start)
    assert taken["partly"] == ["joint_tokens.identity.joint_RD"]
    assert taken["differs"] == ["layout is ntu25 there and coco17 here"]
    ours, theirs = layout("coco17").joints, layout("ntu25").joints
    for i, joint in enumerate(ours):
        known = joint in theirs
        expected = start.joint_tokens.identity.joint_RD[theirs.index(joint)] if known else fresh[i]
        assert model.joint_tokens.identity.joint_RD[i].equal(expected)
    assert {"left_elbow"} < set(ours) & set(theirs) and "left_ear" not in theirs


def test_other_lengths_and_sizes_are_interpolated_as_the_network_does_for_clips():
    start, model = network("a", "b"), network("a", "b", frames=6, size=32)
    taken = take_weights(model, start)
    assert taken["taken"] == taken["of"]
    assert taken["interpolated"] == [
        "position.frame_T1D",
        "position.place_1DHW",
        "joint_tokens.identity.frame_T1D",
        "modal_tokens.token_TKD",
    ]
    assert model.modal_tokens.token_TKD.equal(stretch_time(start.modal_tokens.token_TKD, 6))
    clip = torch.rand(1, 3, 6, 32, 32), torch.rand(1, 2, 6, 17, 3)
    torch.testing.assert_close(model.eval()(*clip), start.eval()(*clip))


def test_a_model_of_which_nothing_fits_says_what_differs():
    with pytest.raises(ValueError, match="no matrix of its weights fits, as width is 8 there and 4 here"):
        take_weights(network("a", "b"), network("a", "b", width=8))
