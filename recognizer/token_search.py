"""3D token search (Algorithm A3): tokens are sampled at the points of a regular grid, moved by learned offsets."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recognizer.kernels import conv3d_of_tokens


class TokenSearch(nn.Module):
    """Finds the tokens that 3D deformable attention uses as keys and values (eq. 3).

    kernel: size of the unpadded first convolution; on axes on which a clip is smaller, only its middle taps are used.
    dense: a dense first convolution instead of a depthwise one.
    offset_range: largest offset in cells of the reference grid; None: half of the clip's extent.
    """

    def __init__(self, dim: int, kernel: int, dense: bool, offset_range: float | None) -> None:
        super().__init__()
        self.kernel = kernel
        self.offset_range = offset_range
        self.conv = nn.Conv3d(dim, dim, kernel, groups=1 if dense else dim)
        self.norm = nn.LayerNorm(dim)
        self.offset = nn.Linear(dim, 3, bias=False)
        # The search starts from the regular grid.
        nn.init.zeros_(self.offset.weight)

    def forward(self, z_BTHWD: Tensor) -> Tensor:
        """Return the tokens found, B,T',H',W',D, with T' = T - kernel + 1 (at least 1) and so on."""
        return sample(z_BTHWD, self.points(z_BTHWD))

    def points(self, z_BTHWD: Tensor) -> Tensor:
        """The points at which tokens are sampled, B,T',H',W',3 as (x, y, t); on each axis, -1 and 1 are the outer edges
        of the clip's first and last token."""
        hidden_BTHWD = conv3d_of_tokens(z_BTHWD, self._taps(z_BTHWD.shape[1:4]), self.conv.bias, self.conv.groups)
        offsets_BTHW3 = torch.tanh(self.offset(F.gelu(self.norm(hidden_BTHWD))))
        frames, height, width = offsets_BTHW3.shape[1:4]
        # At least float32, also in mixed precision: half precision cannot point between two tokens.
        wide = torch.promote_types(offsets_BTHW3.dtype, torch.float32)
        reference_THW3 = reference_points(frames, height, width, offsets_BTHW3.device, wide)
        reach_3 = reference_THW3.new_ones(3)
        if self.offset_range is not None:
            # A sum, because exporters follow sizes of tensors, but not numbers that become tensors.
            cells_3 = torch.stack([reference_THW3.new_ones(cells).sum() for cells in (width, height, frames)])
            reach_3 = self.offset_range * 2 / cells_3
        return reference_THW3 + offsets_BTHW3 * reach_3

    def _taps(self, size: torch.Size) -> Tensor:
        """The convolution's weight, cut to its middle on axes on which the clip is smaller than the kernel."""
        weight = self.conv.weight
        for axis, cells in enumerate(size, start=2):
            taps = min(self.kernel, cells)
            weight = weight.narrow(axis, (self.kernel - taps) // 2, taps)
        return weight


def reference_points(
    frames: int,
    height: int,
    width: int,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """The centers of frames × height × width equal cells that fill the clip, T',H',W',3 as (x, y, t) from -1 to 1."""
    t, y, x = (
        (torch.arange(cells, device=device, dtype=dtype) * 2 + 1) / cells - 1 for cells in (frames, height, width)
    )
    return torch.stack(torch.meshgrid(t, y, x, indexing="ij")[::-1], dim=-1)


def sample(z_BTHWD: Tensor, points_BTHW3: Tensor) -> Tensor:
    """Interpolate the tokens at the points trilinearly; beyond the clip the nearest token counts (Algorithm A3)."""
    z_BDTHW = z_BTHWD.movedim(-1, 1).to(points_BTHW3.dtype)
    found_BDTHW = F.grid_sample(z_BDTHW, points_BTHW3, mode="bilinear", padding_mode="border", align_corners=False)
    return found_BDTHW.movedim(1, -1).to(z_BTHWD.dtype)
