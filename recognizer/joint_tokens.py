"""Pose tokens: features gathered under a Gaussian at each joint (eq. 1 and 2).

The Gaussian of eq. 2 is the product of one in x and one in y. So the sum over the grid is a sum over rows and then one
over columns, and the heatmaps themselves, J per frame, are never computed.
"""

import math

import torch
from torch import Tensor, nn

from recognizer.joint_embeddings import FourierCoordinates, JointIdentity, JointMotion, JointPosture

SIGMA_GRID = 112
"""Cells per side of the grid that sigma refers to."""


class JointTokens(nn.Module):
    """Turns keypoints and a feature map into one token per joint and frame.

    sigma: standard deviation of the heatmaps, in cells of a grid of 112×112; scales with the grid's shorter side.
    coordinates, motion, posture, identity: embeddings that are added to the tokens, or None.
    """

    def __init__(
        self,
        channels: int,
        dim: int,
        sigma: float,
        coordinates: FourierCoordinates | None = None,
        motion: JointMotion | None = None,
        posture: JointPosture | None = None,
        identity: JointIdentity | None = None,
    ) -> None:
        super().__init__()
        self.sigma = sigma
        self.project = nn.Linear(channels, dim)
        # Eq. 1 is a sum, not a mean: without a norm the tokens would grow with sigma squared.
        self.norm = nn.LayerNorm(dim)
        self.coordinates = coordinates
        self.motion = motion
        self.posture = posture
        self.identity = identity

    def forward(self, features: Tensor, keypoints_BMTR3: Tensor) -> tuple[Tensor, Tensor]:
        """Return the pose tokens B,T,J,D, and bool B,T,M,R, which joints are present.

        features: F_a, B,C,T,H,W, or one map C,H,W for all frames.
        keypoints: x and y relative to the frame, and score. A joint whose score is not positive, or one of whose
        values is not finite, is missing: its heatmap is zero.
        """
        persons, joints = keypoints_BMTR3.shape[1], keypoints_BMTR3.shape[3]
        # Heatmaps are float32 in mixed precision too: half precision cannot tell neighboring cells apart.
        keypoints_BTJ3 = keypoints_BMTR3.float().transpose(1, 2).flatten(2, 3)
        present_BTJ = (keypoints_BTJ3[..., 2] > 0) & keypoints_BTJ3.isfinite().all(dim=-1)
        keypoints_BTJ3 = torch.where(present_BTJ[..., None], keypoints_BTJ3, 0.0)

        height, width = features.shape[-2:]
        sigma = self.sigma * min(height, width) / SIGMA_GRID
        rows_BTJH = gaussian(keypoints_BTJ3[..., 1], height, sigma) * present_BTJ[..., None]
        columns_BTJW = gaussian(keypoints_BTJ3[..., 0], width, sigma)
        p_BTJC = gather(features, rows_BTJH, columns_BTJW)

        p_BTJD = self.norm(self.project(p_BTJC))
        if self.coordinates is not None:
            p_BTJD = p_BTJD + self.coordinates(keypoints_BTJ3)
        if self.motion is not None:
            p_BTJD = p_BTJD + self.motion(keypoints_BTJ3[..., :2], present_BTJ)
        if self.posture is not None:
            p_BTJD = p_BTJD + self.posture(keypoints_BTJ3[..., :2], present_BTJ, persons)
        if self.identity is not None:
            p_BTJD = p_BTJD + self.identity(p_BTJD.shape[1], persons, joints)
        return p_BTJD, present_BTJ.unflatten(2, (persons, joints))


def gaussian(position_BTJ: Tensor, cells: int, sigma: float) -> Tensor:
    """One axis of eq. 2: exp(-(i - x)² / 2σ²) for each cell i of the axis, B,T,J,cells.

    position: relative to the axis, 0 to 1. Cell i covers i / cells to (i + 1) / cells.
    """
    cell = torch.arange(cells, device=position_BTJ.device, dtype=position_BTJ.dtype)
    distance = cell - (position_BTJ[..., None] * cells - 0.5)
    return torch.exp(-0.5 * (distance / sigma).square())


def gather(features: Tensor, rows_BTJH: Tensor, columns_BTJW: Tensor) -> Tensor:
    """Eq. 1: the sum over the grid of features times heatmap, B,T,J,C. features: B,C,T,H,W or C,H,W."""
    axes = "bcthw" if features.ndim == 5 else "chw"
    # Rows first: in channels-last memory they are the outer dimension, so the features need no copy.
    gathered_BTJWC = torch.einsum(f"{axes},btjh->btjwc", features, rows_BTJH.to(features.dtype))
    return torch.einsum("btjwc,btjw->btjc", gathered_BTJWC, columns_BTJW.to(gathered_BTJWC.dtype))


def fourier_map(channels: int, height: int, width: int, device: torch.device | None = None) -> Tensor:
    """The feature map of a network without video, C,H,W: sines and cosines of x and y.

    The C/4 wavelengths decrease from four times the frame to 1/16 of it by equal ratios; the heatmaps would average
    out shorter ones.
    """
    waves = channels // 4
    cycles = torch.logspace(math.log2(0.25), math.log2(16), waves, base=2, device=device)
    x_W = (torch.arange(width, device=device) + 0.5) / width
    y_H = (torch.arange(height, device=device) + 0.5) / height
    x_FHW = (2 * math.pi * cycles[:, None, None] * x_W).expand(waves, height, width)
    y_FHW = (2 * math.pi * cycles[:, None, None] * y_H[:, None]).expand(waves, height, width)
    return torch.cat([x_FHW.sin(), x_FHW.cos(), y_FHW.sin(), y_FHW.cos()])
