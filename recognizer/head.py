"""The classifier, which reads the tokens of the last block."""

import torch
from torch import Tensor, nn

from recognizer.block import Tokens


class Head(nn.Module):
    """Maps the modal tokens, averaged over time and concatenated along the channels, to logits.

    Without modal tokens it averages the RGB tokens and the tokens of present joints instead (Table 5).
    """

    def __init__(self, norm: nn.Module, dropout: float, classifier: nn.Linear) -> None:
        super().__init__()
        self.norm = norm
        self.dropout = nn.Dropout(dropout)
        self.classifier = classifier

    def forward(self, tokens: Tokens) -> Tensor:
        """Return logits, B,classes."""
        parts = [token_BTD.mean(dim=1) for token_BTD in tokens.modal.values()]
        if not parts and tokens.z_BTHWD is not None:
            parts.append(tokens.z_BTHWD.mean(dim=(1, 2, 3)))
        if not tokens.modal and tokens.p_BTJD is not None and tokens.present_BTMR is not None:
            weight_BTJ1 = tokens.present_BTMR.flatten(2)[..., None].to(tokens.p_BTJD.dtype)
            total_BD = (tokens.p_BTJD * weight_BTJ1).sum(dim=(1, 2))
            parts.append(total_BD / weight_BTJ1.sum(dim=(1, 2)).clamp(min=1))
        return self.classifier(self.dropout(torch.cat([self.norm(part) for part in parts], dim=-1)))
