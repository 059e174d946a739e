"""Embeddings of a pose token's joint: where it is, how it moves, where it is within the body, and which one it is."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recognizer.position import stretch_time


class FourierCoordinates(nn.Module):
    """A linear embedding of x, y, their sines and cosines, and of the score."""

    def __init__(self, dim: int, octaves: int = 6) -> None:
        super().__init__()
        self.octaves = octaves
        self.project = nn.Linear(4 * octaves + 3, dim)

    def forward(self, keypoints_BTJ3: Tensor) -> Tensor:
        """Return the embedding, B,T,J,D. The waves have 1/4 to 2^octaves/8 cycles across the frame."""
        octave = torch.arange(self.octaves, device=keypoints_BTJ3.device)
        angle = (keypoints_BTJ3[..., :2, None] * (math.pi / 2 * 2.0**octave)).flatten(-2)
        return self.project(torch.cat([keypoints_BTJ3, angle.sin(), angle.cos()], dim=-1))


class JointMotion(nn.Module):
    """A linear embedding of a joint's displacement from the previous frame and to the next one."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(4, dim)

    def forward(self, position_BTJ2: Tensor, present_BTJ: Tensor) -> Tensor:
        """Return the embedding, B,T,J,D.

        Displacements are scaled from one frame to a whole clip, so that they do not depend on how many frames are
        sampled from it. They are 0 at the ends of the clip and where the joint is missing in either frame.
        """
        known_BTJ1 = (present_BTJ[:, 1:] & present_BTJ[:, :-1])[..., None]
        moved_BTJ2 = (position_BTJ2[:, 1:] - position_BTJ2[:, :-1]) * known_BTJ1 * position_BTJ2.shape[1]
        from_previous_BTJ2 = F.pad(moved_BTJ2, (0, 0, 0, 0, 1, 0))
        to_next_BTJ2 = F.pad(moved_BTJ2, (0, 0, 0, 0, 0, 1))
        return self.project(torch.cat([from_previous_BTJ2, to_next_BTJ2], dim=-1))


class JointPosture(nn.Module):
    """A Fourier embedding of each joint's position within its body, wherever the body is and however large."""

    REACH = 4.0
    """How many sizes of the body are scaled to 1, which for ``FourierCoordinates`` is the width of the frame."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.embed = FourierCoordinates(dim, octaves=4)

    def forward(self, position_BTJ2: Tensor, present_BTJ: Tensor, persons: int) -> Tensor:
        """Return the embedding, B,T,J,D, where J are the joints of ``persons`` persons.

        A body's center is the mean of its present joints in each frame. Its size is their root mean square distance
        from the center over the whole clip, so that a body that crouches is not scaled back up.
        """
        position_BTMR2 = position_BTJ2.unflatten(2, (persons, -1))
        present_BTMR1 = present_BTJ.unflatten(2, (persons, -1))[..., None]
        count_BTM11 = present_BTMR1.sum(dim=3, keepdim=True)
        center_BTM12 = (position_BTMR2 * present_BTMR1).sum(dim=3, keepdim=True) / count_BTM11.clamp(min=1)
        offset_BTMR2 = (position_BTMR2 - center_BTM12) * present_BTMR1
        square_B1M11 = offset_BTMR2.square().sum(dim=(1, 3, 4), keepdim=True)
        size_B1M11 = (square_B1M11 / count_BTM11.sum(dim=1, keepdim=True).clamp(min=1)).sqrt()
        posture_BTMR2 = offset_BTMR2 / (self.REACH * size_B1M11).clamp(min=1e-6)
        return self.embed(torch.cat([posture_BTMR2, present_BTMR1], dim=-1).flatten(2, 3))


class JointIdentity(nn.Module):
    """The sum of two learned embeddings: of the joint and of the frame that a pose token belongs to."""

    def __init__(self, frames: int, joints: int, dim: int) -> None:
        super().__init__()
        self.frame_T1D = nn.Parameter(torch.empty(frames, 1, dim))
        self.joint_RD = nn.Parameter(torch.empty(joints, dim))
        # As large as the tokens they are added to: with smaller ones it takes many epochs to tell joints apart.
        nn.init.trunc_normal_(self.frame_T1D, std=0.5)
        nn.init.trunc_normal_(self.joint_RD, std=0.5)

    def forward(self, frames: int, persons: int, joints: int) -> Tensor:
        """Return the embedding of all persons' joints, T,M·R,D. Raises ValueError if R is not the learned number."""
        if joints != self.joint_RD.shape[0]:
            raise ValueError(
                f"the recognizer knows {self.joint_RD.shape[0]} joints per person, but the skeletons have {joints}"
            )
        return stretch_time(self.frame_T1D, frames) + self.joint_RD.repeat(persons, 1)
