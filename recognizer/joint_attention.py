"""Local joint stride attention (Algorithm A1): windows of joints, each over all frames."""

import torch
from torch import Tensor, nn

from recognizer.attention import Residual
from recognizer.windows import WindowAttention


class JointAttention(nn.Module):
    """Attention among the joints of a window in all frames; every window also contains all modal tokens.

    Persons who are absent from all frames are left out of the windows.
    """

    def __init__(self, windows: WindowAttention, residual: Residual) -> None:
        super().__init__()
        self.windows = windows
        self.residual = residual

    def forward(self, p_BTJD: Tensor, m_BTKD: Tensor, present_BTMR: Tensor) -> tuple[Tensor, Tensor]:
        """Return the pose tokens B,T,J,D and the modal tokens B,T,K,D (pose and CLS, if the network has them).

        present: bool, the joints that may be keys.
        """
        frames, joints = p_BTJD.shape[1:3]
        count = frames * joints
        present_BJT = present_BTMR.flatten(2).transpose(1, 2)
        valid_BJ = present_BTMR.any(dim=(1, 3), keepdim=True).expand_as(present_BTMR)[:, 0].flatten(1)

        def attend(x_BND: Tensor) -> Tensor:
            p_BJTD = x_BND[:, :count].unflatten(1, (joints, frames))
            p_BJTD, m_BND = self.windows(p_BJTD, x_BND[:, count:], present_BJT, valid_BJ)
            return torch.cat([p_BJTD.flatten(1, 2), m_BND], dim=1)

        x_BND = torch.cat([p_BTJD.transpose(1, 2).flatten(1, 2), m_BTKD.flatten(1, 2)], dim=1)
        x_BND = self.residual(x_BND, attend)
        p_BJTD, m_BND = x_BND[:, :count].unflatten(1, (joints, frames)), x_BND[:, count:]
        return p_BJTD.transpose(1, 2), m_BND.unflatten(1, m_BTKD.shape[1:3])
