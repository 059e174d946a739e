"""Cross-modal tokens: for each frame one learned token per modality, and a CLS token that connects the modalities."""

import torch
from torch import Tensor, nn

from recognizer.position import stretch_time

Modal = dict[str, Tensor]
"""The modal tokens of a clip by name ("cls", "rgb", "pose"), each B,T,D."""


class ModalTokens(nn.Module):
    """The learned tokens, one per name and frame."""

    def __init__(self, names: tuple[str, ...], frames: int, dim: int) -> None:
        super().__init__()
        self.names = names
        self.token_TKD = nn.Parameter(torch.empty(frames, len(names), dim))
        nn.init.trunc_normal_(self.token_TKD, std=0.02)

    def forward(self, clips: int, frames: int) -> Modal:
        """Return the tokens of ``clips`` clips of ``frames`` frames."""
        token_TKD = stretch_time(self.token_TKD, frames)
        return {name: token_TKD[:, i].expand(clips, -1, -1) for i, name in enumerate(self.names)}


def stack(modal: Modal, names: tuple[str, ...], like_BTND: Tensor) -> Tensor:
    """Those of the named tokens that the network has, B,T,K,D, in the order of ``names``; K may be 0."""
    chosen = [modal[name] for name in names if name in modal]
    return torch.stack(chosen, dim=2) if chosen else like_BTND[:, :, :0]


def unstack(m_BTKD: Tensor, modal: Modal, names: tuple[str, ...]) -> Modal:
    """``modal`` with the tokens that ``stack`` took from it replaced by ``m``."""
    return modal | dict(zip([name for name in names if name in modal], m_BTKD.unbind(dim=2), strict=True))
