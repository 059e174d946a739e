"""MC3-18 up to its third layer: features for joints (F_a) and for RGB tokens (F_b). Time is never strided."""

import pickle
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recognizer.kernels import channels_last, conv3d, safe_autocast


class MC3(nn.Module):
    """Mixed 3D and 2D convolutions (Tran et al. 2018), with the names of torchvision's ``mc3_18``.

    width: C, channels of the first layer; torchvision's has 64.
    stem_stride: pixels between the cells of F_a: 2 as in torchvision, or 4. The cells of F_b are 8 pixels apart
    either way.
    """

    def __init__(self, width: int, stem_stride: int = 2) -> None:
        super().__init__()
        self.stem = ConvNorm(3, width, (3, 7, 7), stem_stride)
        self.layer1 = _layer(width, width, (3, 3, 3), 1)
        self.layer2 = _layer(width, 2 * width, (1, 3, 3), 2)
        self.layer3 = _layer(2 * width, 4 * width, (1, 3, 3), 4 // stem_stride)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, frames_BCTHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return F_a, B,C,T,H/2,W/2 (at a stem stride of 4 H/4,W/4), and F_b, B,4C,T,H/8,W/8, of normalized frames
        B,3,T,H,W. Sizes are rounded up."""
        with safe_autocast(frames_BCTHW):
            fa_BCTHW = self.layer1(F.relu(self.stem(channels_last(frames_BCTHW)), inplace=True))
            return fa_BCTHW, self.layer3(self.layer2(fa_BCTHW))


class ConvNorm(nn.Sequential):
    """A padded convolution that strides over height and width, and batch normalization.

    In evaluation the normalization is folded into the convolution's weights: one pass over the features, not two.
    """

    def __init__(self, channels_in: int, channels: int, kernel: tuple[int, int, int], stride: int) -> None:
        frames, height, width = kernel
        padding = frames // 2, height // 2, width // 2
        conv = nn.Conv3d(channels_in, channels, kernel, (1, stride, stride), padding, bias=False)
        super().__init__(conv, nn.BatchNorm3d(channels))

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        conv, norm = self
        assert isinstance(conv, nn.Conv3d) and isinstance(norm, nn.BatchNorm3d | nn.SyncBatchNorm)
        if norm.training or norm.running_mean is None or norm.running_var is None:
            return norm(conv(x_BCTHW))
        assert isinstance(conv.padding, tuple)
        scale_C = norm.weight * (norm.running_var + norm.eps).rsqrt()
        weight = conv.weight * scale_C[:, None, None, None, None]
        return conv3d(x_BCTHW, weight, norm.bias - norm.running_mean * scale_C, conv.stride, conv.padding)


class ResidualBlock(nn.Module):
    """Two convolutions and a skip connection."""

    def __init__(self, channels_in: int, channels: int, kernel: tuple[int, int, int], stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(channels_in, channels, kernel, stride)
        self.conv2 = ConvNorm(channels, channels, kernel, 1)
        same = stride == 1 and channels_in == channels
        self.downsample = None if same else ConvNorm(channels_in, channels, (1, 1, 1), stride)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        skip_BCTHW = x_BCTHW if self.downsample is None else self.downsample(x_BCTHW)
        out_BCTHW = self.conv2(F.relu(self.conv1(x_BCTHW), inplace=True))
        return F.relu(out_BCTHW.add_(skip_BCTHW), inplace=True)


def _layer(channels_in: int, channels: int, kernel: tuple[int, int, int], stride: int) -> nn.Sequential:
    """Two residual blocks; the first one strides over height and width."""
    return nn.Sequential(
        ResidualBlock(channels_in, channels, kernel, stride), ResidualBlock(channels, channels, kernel, 1)
    )


def load_kinetics400(backbone: MC3, path: str | Path | None = None) -> None:
    """Give the backbone torchvision's Kinetics-400 weights of ``mc3_18``, in place.

    path: torchvision's checkpoint file; None downloads it into torch's cache.
    Raises ValueError if the backbone has another width or the file is not that checkpoint, and OSError, which says
    what to do, if it cannot be read or downloaded.
    """
    from torchvision.models.video import MC3_18_Weights  # takes long to import: see recognizer.drop_path

    width = backbone.stem[0].out_channels
    if width != 64:
        raise ValueError(f"the Kinetics-400 weights have width 64, but this recognizer has {width}: set width to 64")
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
            raise ValueError(f"{path} is damaged or not a PyTorch checkpoint: {error}") from error
    own = backbone.state_dict()
    missing = sorted(own.keys() - weights.keys())
    if missing:
        raise ValueError(f"{path or url} does not hold the weights of torchvision's mc3_18: {missing[0]} is missing")
    backbone.load_state_dict({name: weights[name] for name in own})
