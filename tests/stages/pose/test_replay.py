"""Networks as CUDA graphs."""

import numpy as np
import pytest
import torch
from torch import nn

from recognizer.skeletons import COCO17
from stages.pose.estimators import EstimatorSettings
from stages.pose.hrnet import HRNetW32
from stages.pose.hrnet_network import HRNet
from stages.pose.replay import Replayed

pytestmark = pytest.mark.gpu


def test_inputs_of_several_shapes_in_any_order() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 2, 3)).eval().requires_grad_(False).cuda()
    replayed = Replayed(network)
    for batch in (2, 5, 2, 1, 5):
        x = torch.rand(batch, 3, 16, 16, device="cuda")
        torch.testing.assert_close(replayed(x), network(x))


def test_hrnet_on_a_gpu_finds_what_it_finds_on_a_cpu(exact_gpu: None, tmp_path) -> None:
    torch.manual_seed(0)
    weights = tmp_path / "hrnet.pth"
    torch.save(HRNet("hrnet_w32", 17).state_dict(), weights)
    cpu, gpu = (HRNetW32(EstimatorSettings(weights, (256, 192), COCO17, 0.3, device)) for device in ("cpu", "cuda"))
    rng = np.random.default_rng(0)
    for _ in range(2):
        crops = rng.integers(0, 256, (2, 256, 192, 3), np.uint8)
        expected = cpu.heatmaps(crops)
        assert np.abs(gpu.heatmaps(crops) - expected).max() < 1e-3 * np.abs(expected).max()
