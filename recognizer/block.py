"""One transformer block (Fig. 2a): RGB tokens, pose tokens, then all of them over time."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from recognizer.deformable_attention import DeformableAttention
from recognizer.joint_attention import JointAttention
from recognizer.modal_tokens import Modal, stack, unstack
from recognizer.temporal_attention import TemporalAttention

RGB_SIDE = ("rgb", "cls")
POSE_SIDE = ("pose", "cls")
ALL = ("rgb", "pose", "cls")


class Tokens(NamedTuple):
    """All tokens of a batch of clips. A branch that the network lacks is None."""

    z_BTHWD: Tensor | None
    """RGB tokens."""
    p_BTJD: Tensor | None
    """Pose tokens."""
    present_BTJ: Tensor | None
    """The pose tokens of joints that are there (bool)."""
    modal: Modal


class Block(nn.Module):
    """The three attention modules in turn. A module that is None is passed by (Table 4).

    fusion: makes one CLS token of M'_CLS and M*_CLS, the two that the RGB and the pose side leave (2D to D channels).
    """

    def __init__(
        self,
        deformable: DeformableAttention | None,
        joint: JointAttention | None,
        fusion: nn.Linear | None,
        temporal: TemporalAttention | None,
    ) -> None:
        super().__init__()
        self.deformable = deformable
        self.joint = joint
        self.fusion = fusion
        self.temporal = temporal

    def forward(self, tokens: Tokens) -> Tokens:
        """Return the tokens after this block."""
        z_BTHWD, p_BTJD, present_BTJ, modal = tokens
        if self.deformable is not None and z_BTHWD is not None:
            z_BTHWD, m_BTKD = self.deformable(z_BTHWD, stack(modal, RGB_SIDE, z_BTHWD.flatten(2, 3)))
            modal = unstack(m_BTKD, modal, RGB_SIDE)
        memorized = modal
        if self.joint is not None and p_BTJD is not None:
            p_BTJD, m_BTKD = self.joint(p_BTJD, stack(modal, POSE_SIDE, p_BTJD), present_BTJ)
            modal = unstack(m_BTKD, modal, POSE_SIDE)
        if self.fusion is not None:
            both_BTD = torch.cat([memorized["cls"], modal["cls"]], dim=-1)
            modal = modal | {"cls": self.fusion(both_BTD)}
        tokens = Tokens(z_BTHWD, p_BTJD, present_BTJ, modal)
        return tokens if self.temporal is None else self._over_time(tokens)

    def _over_time(self, tokens: Tokens) -> Tokens:
        """Temporal stride attention over N = [Z‖P‖M_RGB‖M_pose‖M_CLS]."""
        assert self.temporal is not None
        z_BTHWD, p_BTJD, present_BTJ, modal = tokens
        groups = [x for x in (None if z_BTHWD is None else z_BTHWD.flatten(2, 3), p_BTJD) if x is not None]
        groups.append(stack(modal, ALL, groups[0]))
        key_mask_BTN = None
        if present_BTJ is not None:
            here = [present_BTJ if x is p_BTJD else present_BTJ.new_ones(x.shape[:3]) for x in groups]
            key_mask_BTN = torch.cat(here, dim=2)
        n_BTND = self.temporal(torch.cat(groups, dim=2), key_mask_BTN)
        *parts, m_BTKD = n_BTND.split([x.shape[2] for x in groups], dim=2)
        if z_BTHWD is not None:
            z_BTHWD = parts.pop(0).unflatten(2, z_BTHWD.shape[2:4])
        if p_BTJD is not None:
            p_BTJD = parts.pop(0)
        return Tokens(z_BTHWD, p_BTJD, present_BTJ, unstack(m_BTKD, modal, ALL))
