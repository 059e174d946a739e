"""Learned position embeddings, interpolated for clips of another length or size."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def stretch_time(x_TND: Tensor, frames: int) -> Tensor:
    """Interpolate linearly along time to ``frames`` frames."""
    if not isinstance(frames, torch.SymInt) and x_TND.shape[0] == frames:
        return x_TND
    x_1NDT = x_TND.permute(1, 2, 0).flatten(0, 1).unsqueeze(0)
    out_1NDT = F.interpolate(x_1NDT, size=frames, mode="linear", align_corners=False)
    return out_1NDT[0].unflatten(0, x_TND.shape[1:]).permute(2, 0, 1)


class GridPosition(nn.Module):
    """The position embedding of the RGB tokens: the sum of one for the place in the grid and one for the frame."""

    def __init__(self, frames: int, side: int, dim: int) -> None:
        super().__init__()
        self.frame_T1D = nn.Parameter(torch.empty(frames, 1, dim))
        self.place_1DHW = nn.Parameter(torch.empty(1, dim, side, side))
        nn.init.trunc_normal_(self.frame_T1D, std=0.02)
        nn.init.trunc_normal_(self.place_1DHW, std=0.02)

    def forward(self, frames: int, height: int, width: int) -> Tensor:
        """Return the embedding of a grid, T,H,W,D."""
        place_1DHW: Tensor = self.place_1DHW
        if place_1DHW.shape[-2:] != (height, width):
            place_1DHW = F.interpolate(place_1DHW, size=(height, width), mode="bilinear", align_corners=False)
        return place_1DHW.permute(0, 2, 3, 1) + stretch_time(self.frame_T1D, frames).unsqueeze(1)
