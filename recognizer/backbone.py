"""MC3-18 up to its third layer: features for joints (F_a) and for RGB tokens (F_b). Time is never strided."""

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models.video import MC3_18_Weights
from torchvision.models.video.resnet import BasicBlock, Conv3DNoTemporal, Conv3DSimple


class MC3(nn.Module):
    """Mixed 3D and 2D convolutions (Tran et al. 2018), with the names of torchvision's ``mc3_18``.

    width: C, channels of the first layer; torchvision's has 64.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv3d(3, width, (3, 7, 7), stride=(1, 2, 2), padding=(1, 3, 3), bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(inplace=True),
        )
        self.layer1 = _layer(width, width, Conv3DSimple, stride=1)
        self.layer2 = _layer(width, 2 * width, Conv3DNoTemporal, stride=2)
        self.layer3 = _layer(2 * width, 4 * width, Conv3DNoTemporal, stride=2)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, frames_BCTHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return F_a, B,C,T,H/2,W/2, and F_b, B,4C,T,H/8,W/8, of normalized frames B,3,T,H,W (sizes rounded up)."""
        if frames_BCTHW.device.type in ("cpu", "cuda"):
            # oneDNN and cuDNN are faster with the channels last, and so the tokens need no copy later.
            frames_BCTHW = frames_BCTHW.contiguous(memory_format=torch.channels_last_3d)
        fa_BCTHW = self.layer1(self.stem(frames_BCTHW))
        return fa_BCTHW, self.layer3(self.layer2(fa_BCTHW))


def _layer(channels_in: int, channels: int, conv: type[nn.Conv3d], stride: int) -> nn.Sequential:
    """Two residual blocks; the first one strides over height and width."""
    shortcut = None
    if stride != 1:
        shortcut = nn.Sequential(
            nn.Conv3d(channels_in, channels, kernel_size=1, stride=(1, stride, stride), bias=False),
            nn.BatchNorm3d(channels),
        )
    return nn.Sequential(
        BasicBlock(channels_in, channels, conv, stride, shortcut),
        BasicBlock(channels, channels, conv),
    )


def load_kinetics400(backbone: MC3, path: str | Path | None = None) -> None:
    """Give the backbone torchvision's Kinetics-400 weights of ``mc3_18``, in place.

    path: torchvision's checkpoint file; None downloads it into torch's cache.
    Raises ValueError where the backbone has another width or the file is no such checkpoint, and OSError, with the
    remedy, where it cannot be read or downloaded.
    """
    width = backbone.stem[0].out_channels
    if width != 64:
        raise ValueError(f"the Kinetics-400 weights have width 64, this recognizer has {width}: set width to 64")
    url = MC3_18_Weights.KINETICS400_V1.url
    if path is None:
        try:
            weights = torch.hub.load_state_dict_from_url(url, map_location="cpu", weights_only=True, check_hash=True)
        except (OSError, RuntimeError) as error:
            raise OSError(f"cannot download {url} ({error}); get the file by other means and give its path") from error
    elif not Path(path).is_file():
        raise FileNotFoundError(f"no backbone weights at {path}; they can be downloaded from {url}")
    else:
        try:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
            raise ValueError(f"{path} is no checkpoint of PyTorch, or a damaged one: {error}") from error
    own = backbone.state_dict()
    missing = sorted(own.keys() - weights.keys())
    if missing:
        raise ValueError(f"{path or url} holds no weights of torchvision's mc3_18: {missing[0]} is not there")
    backbone.load_state_dict({name: weights[name] for name in own})
