from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.video import mc3_18

from recognizer.backbone import MC3, ConvNorm, load_kinetics400


def test_width_64_is_torchvisions(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = mc3_18(weights=None).eval()
    torch.save(reference.state_dict(), tmp_path / "mc3_18.pth")
    backbone = MC3(64).eval()
    load_kinetics400(backbone, tmp_path / "mc3_18.pth")
    frames = torch.randn(1, 3, 2, 32, 24)
    with torch.no_grad():
        fa, fb = backbone(frames)
        layer1 = reference.layer1(reference.stem(frames))
        torch.testing.assert_close(fa, layer1)
        torch.testing.assert_close(fb, reference.layer3(reference.layer2(layer1)))


@pytest.mark.parametrize("frames,height,width", [(1, 64, 64), (5, 40, 72), (8, 33, 47)])
def test_shapes(frames: int, height: int, width: int) -> None:
    fa, fb = MC3(8).eval()(torch.randn(2, 3, frames, height, width))
    assert fa.shape == (2, 8, frames, -(-height // 2), -(-width // 2))
    assert fb.shape == (2, 32, frames, -(-height // 8), -(-width // 8))


@pytest.mark.parametrize("frames,height,width", [(1, 64, 64), (3, 40, 72), (2, 33, 47)])
def test_a_stem_of_stride_4_keeps_the_tokens(frames: int, height: int, width: int) -> None:
    backbone = MC3(8, stem_stride=4).eval()
    fa, fb = backbone(torch.randn(2, 3, frames, height, width))
    assert fa.shape == (2, 8, frames, -(-height // 4), -(-width // 4))
    assert fb.shape == (2, 32, frames, -(-height // 8), -(-width // 8))
    assert {name: w.shape for name, w in backbone.layer2.named_parameters()} == {
        name: w.shape for name, w in MC3(8).layer2.named_parameters()
    }


@pytest.mark.parametrize("frames", [1, 2, 3, 12])
@pytest.mark.parametrize("stem_stride", [2, 4])
def test_in_bfloat16_features_are_nearly_the_same(frames: int, stem_stride: int) -> None:
    """Gradients too, which oneDNN's convolutions get wrong for two frames."""
    torch.manual_seed(0)
    backbone = MC3(16, stem_stride).eval()
    clips = torch.randn(2, 3, frames, 40, 56)

    def found() -> tuple[list[Tensor], list[Tensor]]:
        features = list(backbone(clips))
        total = torch.stack([feature.float().square().mean() for feature in features]).sum()
        return features, list(torch.autograd.grad(total, backbone.parameters()))

    exact, gradients = found()
    with torch.autocast("cpu", torch.bfloat16):
        mixed, mixed_gradients = found()
        with torch.inference_mode():
            recognized = backbone(clips)
    assert {features.dtype for features in recognized} == {torch.bfloat16}
    assert {features.dtype for features in mixed} == {torch.float32 if frames == 2 else torch.bfloat16}
    for features, *nearly in zip(exact, mixed, recognized, strict=True):
        assert all((found - features).norm() < 0.02 * features.norm() for found in nearly)
    for gradient, nearly in zip(gradients, mixed_gradients, strict=True):
        assert (nearly - gradient).norm() < 0.1 * gradient.norm()


def test_normalization_within_the_convolution_is_the_same() -> None:
    torch.manual_seed(0)
    layer = ConvNorm(3, 4, (3, 3, 3), stride=2).double()
    for _ in range(5):
        layer(torch.randn(2, 3, 4, 8, 8, dtype=torch.float64) * 3 + 1)
    torch.nn.init.normal_(layer[1].weight)
    torch.nn.init.normal_(layer[1].bias)
    x = torch.randn(2, 3, 4, 8, 8, dtype=torch.float64)
    layer.eval()
    torch.testing.assert_close(layer(x), layer[1](layer[0](x)))


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="set width to 64"):
        load_kinetics400(MC3(16))
    with pytest.raises(FileNotFoundError, match=r"can be downloaded from https://"):
        load_kinetics400(MC3(64), tmp_path / "nothing.pth")
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other.pth does not hold the weights of torchvision's mc3_18"):
        load_kinetics400(MC3(64), tmp_path / "other.pth")
    (tmp_path / "garbage.pth").write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match=r"garbage.pth is damaged or not a PyTorch checkpoint"):
        load_kinetics400(MC3(64), tmp_path / "garbage.pth")


def test_normalization_shared_by_gpus_is_folded_too() -> None:
    """Training on several GPUs converts the normalization (``stages.train.data_parallel``)."""
    backbone = MC3(4).eval()
    frames = torch.rand(2, 3, 3, 16, 16)
    expected = backbone(frames)
    shared = nn.SyncBatchNorm.convert_sync_batchnorm(backbone)
    assert any(isinstance(module, nn.SyncBatchNorm) for module in shared.modules())
    torch.testing.assert_close(shared(frames), expected)
