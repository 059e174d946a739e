"""Clips of one modality among those of both, so that neither branch of the network comes to lean on the other."""

from torch import Tensor, nn


class ModalityDropout(nn.Module):
    """In training, hides what was seen in the frames of some clips, and the skeletons of others.

    Frames are hidden behind the backbone, whose batch normalization must not see them black. A clip never loses both.
    """

    def __init__(self, chance: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(chance)

    def forward(self, fa_BCTHW: Tensor, fb_BDTHW: Tensor, keypoints_BMTR3: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return F_a and F_b with zeros for hidden frames, and keypoints whose score is 0 in hidden skeletons."""
        if not self.training:
            return fa_BCTHW, fb_BDTHW, keypoints_BMTR3
        shown_B2 = self.dropout(fa_BCTHW.new_ones(len(fa_BCTHW), 2)) > 0
        shown_B2 = shown_B2 | ~shown_B2.any(dim=1, keepdim=True)
        frames_B1111, skeletons_B1111 = shown_B2[:, :, None, None, None, None].unbind(dim=1)
        return fa_BCTHW * frames_B1111, fb_BDTHW * frames_B1111, keypoints_BMTR3 * skeletons_B1111
