"""HRNet for pose estimation (Sun et al. 2019) on timm's backbones; reads checkpoints of MMPose and of the authors."""

from pathlib import Path

import timm
import torch
from torch import nn

from pipeline.errors import StageError
from stages.pose.checkpoints import load_checkpoint

_HEADS = ("head.final_layer.", "keypoint_head.final_layer.", "final_layer.")
"""What MMPose ≥ 1, MMPose < 1 and the authors' code call the last convolution."""


class HRNet(nn.Module):
    """The highest-resolution branch of an HRNet, and one heatmap per joint.

    Input: float32 B,3,H,W, normalized with ImageNet's mean and standard deviation. Output: B,R,H/4,W/4.
    """

    def __init__(self, body: str, joints: int) -> None:
        super().__init__()
        self.backbone = timm.create_model(
            body, pretrained=False, features_only=True, feature_location="", out_indices=(1,)
        )
        last = self.backbone.stage4[-1]
        last.fuse_layers = last.fuse_layers[:1]  # pose networks use only one branch at the end
        self.final_layer = nn.Conv2d(self.backbone.feature_info.channels()[0], joints, kernel_size=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.final_layer(self.backbone(image)[0])


def load_hrnet(body: str, checkpoint: Path, joints: int) -> HRNet:
    """``body`` (hrnet_w32, hrnet_w48) with the weights of ``checkpoint``, in eval mode.

    Raises StageError if the file is not a checkpoint of that network.
    """
    model = HRNet(body, joints)
    content = load_checkpoint(checkpoint)
    state = pose_state(content.get("state_dict", content))
    expected = {name: value for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    missing = sorted(expected.keys() - state.keys())
    wrong = sorted(name for name in expected.keys() & state.keys() if expected[name].shape != state[name].shape)
    if missing or wrong:
        what = f"lacks {missing[0]}" if missing else f"has {wrong[0]} in shape {tuple(state[wrong[0]].shape)}"
        raise StageError(f"{checkpoint} is not a checkpoint of {body} with {joints} joints: it {what}")
    model.load_state_dict({name: state[name] for name in expected}, strict=False)
    return model.eval()


def pose_state(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A checkpoint's parameters, renamed as in ``HRNet``."""
    renamed = {}
    for name, value in state.items():
        name = name.removeprefix("module.")
        for head in _HEADS:
            if name.startswith(head):
                name = "final_layer." + name.removeprefix(head)
                break
        else:
            name = "backbone." + name.removeprefix("backbone.")
        renamed[name] = value
    return renamed
