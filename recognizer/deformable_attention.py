"""3D deformable attention (eq. 3 to 7): from all RGB tokens to those that the 3D token search finds."""

import torch
from torch import Tensor, nn

from recognizer.attention import Attention, Residual
from recognizer.token_search import TokenSearch


class DeformableAttention(nn.Module):
    """Queries are [Z‖modal tokens], keys and values [Z~‖modal tokens], where Z~ = 3DTS(Z)."""

    def __init__(self, search: TokenSearch, attention: Attention, residual: Residual) -> None:
        super().__init__()
        self.search = search
        self.attention = attention
        self.residual = residual

    def forward(self, z_BTHWD: Tensor, m_BTKD: Tensor) -> tuple[Tensor, Tensor]:
        """Return the RGB tokens B,T,H,W,D and the modal tokens B,T,K,D (RGB and CLS, if the network has them)."""
        grid = z_BTHWD.shape[1:4]
        z_BND = z_BTHWD.flatten(1, 3)
        cells = z_BND.shape[1]

        def attend(x_BND: Tensor) -> Tensor:
            found_BND = self.search(x_BND[:, :cells].unflatten(1, grid)).flatten(1, 3)
            return self.attention(x_BND, torch.cat([found_BND, x_BND[:, cells:]], dim=1))

        x_BND = self.residual(torch.cat([z_BND, m_BTKD.flatten(1, 2)], dim=1), attend)
        return x_BND[:, :cells].unflatten(1, grid), x_BND[:, cells:].unflatten(1, m_BTKD.shape[1:3])
