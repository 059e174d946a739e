from pathlib import Path

import pytest
import torch
from torchvision.models.video import mc3_18

from recognizer.backbone import MC3, load_kinetics400


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


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="set width to 64"):
        load_kinetics400(MC3(16))
    with pytest.raises(FileNotFoundError, match=r"can be downloaded from https://"):
        load_kinetics400(MC3(64), tmp_path / "nothing.pth")
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other.pth holds no weights of torchvision's mc3_18"):
        load_kinetics400(MC3(64), tmp_path / "other.pth")
    (tmp_path / "garbage.pth").write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match=r"garbage.pth is no checkpoint of PyTorch"):
        load_kinetics400(MC3(64), tmp_path / "garbage.pth")
