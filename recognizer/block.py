"""One transformer block (Fig. 2a): attention among RGB tokens, among pose tokens, then among all over time."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from recognizer.deformable_attention import DeformableAttention
from recognizer.joint_attention import JointAttention
from recognizer.kernels import pad_mask
from recognizer.modal_tokens import Modal, stack, unstack
from recognizer.temporal_attention import TemporalAttention

RGB_SIDE = ("rgb", "cls")
POSE_SIDE = ("pose", "cls")
ALL = ("rgb", "pose", "cls")


class Tokens(NamedTuple):
    """All tokens of a batch of clips. Those of a branch that the network lacks are None."""

    z_BTHWD: Tensor | None
    """RGB tokens."""
    p_BTJD: Tensor | None
    """Pose tokens."""
    present_BTMR: Tensor | None
    """Bool: which joints are present."""
    modal: Modal


class Block(nn.Module):
    """The three attention modules in turn. A module that is None is skipped (Table 4).

    fusion: projects M'_CLS and M*_CLS, the CLS tokens after the RGB side and the pose side, to one (2D to D channels).
    last: temporal stride attention computes only the modal tokens, since the head reads no others.
    """

    def __init__(
        self,
        deformable: DeformableAttention | None,
        joint: JointAttention | None,
        fusion: nn.Linear | None,
        temporal: TemporalAttention | None,
        last: bool,
    ) -> None:
        super().__init__()
        self.deformable = deformable
        self.joint = joint
        self.fusion = fusion
        self.temporal = temporal
        self.last = last

    def forward(self, tokens: Tokens) -> Tokens:
        """Return the tokens after this block."""
        z_BTHWD, p_BTJD, present_BTMR, modal = tokens
        if self.deformable is not None and z_BTHWD is not None:
            z_BTHWD, m_BTKD = self.deformable(z_BTHWD, stack(modal, RGB_SIDE, z_BTHWD.flatten(2, 3)))
            modal = unstack(m_BTKD, modal, RGB_SIDE)
        after_rgb = modal
        if self.joint is not None and p_BTJD is not None:
            p_BTJD, m_BTKD = self.joint(p_BTJD, stack(modal, POSE_SIDE, p_BTJD), present_BTMR)
            modal = unstack(m_BTKD, modal, POSE_SIDE)
        if self.fusion is not None:
            both_BTD = torch.cat([after_rgb["cls"], modal["cls"]], dim=-1)
            modal = modal | {"cls": self.fusion(both_BTD)}
        tokens = Tokens(z_BTHWD, p_BTJD, present_BTMR, modal)
        return tokens if self.temporal is None else self._over_time(self.temporal, tokens)

    def _over_time(self, temporal: TemporalAttention, tokens: Tokens) -> Tokens:
        """Temporal stride attention over N = [Z‖P‖M_RGB‖M_pose‖M_CLS]."""
        z_BTHWD, p_BTJD, present_BTMR, modal = tokens
        branches = [x for x in (None if z_BTHWD is None else z_BTHWD.flatten(2, 3), p_BTJD) if x is not None]
        m_BTKD = stack(modal, ALL, branches[0])
        n_BTND = torch.cat([*branches, m_BTKD], dim=2)
        before = 0 if z_BTHWD is None else branches[0].shape[2]
        after = n_BTND.shape[2] - m_BTKD.shape[2]
        key_mask_BTN = None
        if present_BTMR is not None:
            key_mask_BTN = pad_mask(present_BTMR.flatten(2), before, m_BTKD.shape[2])
        if self.last and modal:
            return Tokens(None, None, None, unstack(temporal(n_BTND, key_mask_BTN, len(modal)), modal, ALL))
        n_BTND = temporal(n_BTND, key_mask_BTN)
        z_BTND, p_BTND, m_BTKD = n_BTND[:, :, :before], n_BTND[:, :, before:after], n_BTND[:, :, after:]
        return Tokens(
            None if z_BTHWD is None else z_BTND.unflatten(2, z_BTHWD.shape[2:4]),
            None if p_BTJD is None else p_BTND,
            present_BTMR,
            unstack(m_BTKD, modal, ALL),
        )
