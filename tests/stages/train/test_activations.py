from functools import partial
from typing import Any

import pytest
import torch

from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from stages.train.activations import checkpoint_activations


def model(modality: str) -> Recognizer:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"width": 4, "size": 16, "heads": 2, "blocks": 2, "dropout": 0.3, "drop_path": 0.5}
    return Recognizer(RecognizerConfig(class_names=("a", "b"), frames=4, modality=modality, **sizes))


def count(sizes: list[int], tensor: torch.Tensor) -> torch.Tensor:
    sizes.append(tensor.numel())
    return tensor


@pytest.mark.gpu
def test_less_memory_of_a_gpu():
    most = {}
    for frugal in (False, True):
        network = Recognizer(RecognizerConfig(class_names=("a", "b"), frames=4, size=64)).cuda()
        if frugal:
            checkpoint_activations(network)
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        frames, keypoints = torch.rand(4, 3, 4, 64, 64, device="cuda"), torch.rand(4, 2, 4, 17, 3, device="cuda")
        network(frames, keypoints).sum().backward()
        most[frugal] = torch.cuda.max_memory_allocated() - before
    assert most[True] < 0.7 * most[False]


@pytest.mark.parametrize("modality", ["rgb+pose", "rgb", "pose"])
def test_the_same_step_from_less_memory(modality):
    plain, frugal = model(modality), model(modality)
    checkpoint_activations(frugal)
    inputs = (
        torch.rand(3, 3, 4, 16, 16) if "rgb" in modality else None,
        torch.rand(3, 2, 4, 17, 3) if "pose" in modality else None,
    )
    saved = {}
    for network in (plain, frugal):
        torch.manual_seed(1)
        with torch.autograd.graph.saved_tensors_hooks(partial(count, sizes := []), lambda x: x):
            loss = network(*inputs).square().sum()
        loss.backward()
        saved[network] = sum(sizes)
    assert saved[frugal] < saved[plain] / 2
    for one, other in zip(plain.parameters(), frugal.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)
    for one, other in zip(plain.buffers(), frugal.buffers(), strict=True):
        assert torch.equal(one, other), "running statistics count a batch once"
    assert plain.state_dict().keys() == frugal.state_dict().keys()
    with torch.inference_mode():
        assert torch.equal(plain.eval()(*inputs), frugal.eval()(*inputs))
