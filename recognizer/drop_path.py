"""Drop path, or stochastic depth (Huang et al. 2016): in training, a residual branch is left out for some clips.

It gives the bits of ``torchvision.ops.StochasticDepth`` with ``mode="row"``, but importing torchvision would cost each
process that loads a recognizer nearly as much time as importing PyTorch.
"""

from torch import Tensor, nn


class DropPath(nn.Dropout1d):
    """Zeros a clip's part of the input with the probability ``p``, and divides the others by 1 - p."""

    def forward(self, x: Tensor) -> Tensor:
        """x: B,…"""
        if not self.training:
            return x
        return super().forward(x.flatten(1)[None]).view_as(x)  # dropout of channels, each of which is a clip
