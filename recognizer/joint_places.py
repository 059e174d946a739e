"""Where joints are, as embeddings: in the frame, in the frames around, and in their own body."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FourierCoordinates(nn.Module):
    """A linear embedding of x, y, their sines and cosines, and of the score."""

    def __init__(self, dim: int, octaves: int = 6) -> None:
        super().__init__()
        self.octaves = octaves
        self.project = nn.Linear(4 * octaves + 3, dim)

    def forward(self, keypoints_BTJ3: Tensor) -> Tensor:
        """Return the embedding, B,T,J,D. Waves have 1/4 to 2^octaves/8 cycles across the frame."""
        octave = torch.arange(self.octaves, device=keypoints_BTJ3.device)
        angle = (keypoints_BTJ3[..., :2, None] * (math.pi / 2 * 2.0**octave)).flatten(-2)
        return self.project(torch.cat([keypoints_BTJ3, angle.sin(), angle.cos()], dim=-1))


class JointMotion(nn.Module):
    """A linear embedding of the way a joint has come since the frame before and goes until the next one."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(4, dim)

    def forward(self, place_BTJ2: Tensor, present_BTJ: Tensor) -> Tensor:
        """Return the embedding, B,T,J,D. The unit is a frame's width a clip, so that the number of frames sampled
        from a clip does not matter; the way is 0 at the clip's ends and where a joint is missing on either side."""
        known_BTJ1 = (present_BTJ[:, 1:] & present_BTJ[:, :-1])[..., None]
        way_BTJ2 = place_BTJ2.diff(dim=1) * known_BTJ1 * place_BTJ2.shape[1]
        come_BTJ2, go_BTJ2 = F.pad(way_BTJ2, (0, 0, 0, 0, 1, 0)), F.pad(way_BTJ2, (0, 0, 0, 0, 0, 1))
        return self.project(torch.cat([come_BTJ2, go_BTJ2], dim=-1))


class JointPosture(nn.Module):
    """A Fourier embedding of where each joint is in its own body, wherever that is in the frame and however large."""

    REACH = 4.0
    """Sizes of the body that count as 1, as the frame's width does for ``FourierCoordinates``."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.embed = FourierCoordinates(dim, octaves=4)

    def forward(self, place_BTJ2: Tensor, present_BTJ: Tensor, persons: int) -> Tensor:
        """Return the embedding, B,T,J,D, J being the joints of ``persons`` persons.

        A body's middle is the mean of its joints that are there, frame by frame; its size is their root mean square
        distance from it over the whole clip, so that a body that folds up is seen to.
        """
        place_BTMR2 = place_BTJ2.unflatten(2, (persons, -1))
        present_BTMR1 = present_BTJ.unflatten(2, (persons, -1))[..., None]
        count_BTM11 = present_BTMR1.sum(dim=3, keepdim=True)
        middle_BTM12 = (place_BTMR2 * present_BTMR1).sum(dim=3, keepdim=True) / count_BTM11.clamp(min=1)
        offset_BTMR2 = (place_BTMR2 - middle_BTM12) * present_BTMR1
        square_B1M11 = offset_BTMR2.square().sum(dim=(1, 3, 4), keepdim=True)
        size_B1M11 = (square_B1M11 / count_BTM11.sum(dim=1, keepdim=True).clamp(min=1)).sqrt()
        posture_BTMR2 = offset_BTMR2 / (self.REACH * size_B1M11).clamp(min=1e-6)
        return self.embed(torch.cat([posture_BTMR2, present_BTMR1], dim=-1).flatten(2, 3))
