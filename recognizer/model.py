"""The recognizer as a whole: from a clip's frames and keypoints to logits."""

import math

import torch
from torch import Tensor, nn

from recognizer.block import Tokens
from recognizer.build import (
    build_backbone,
    build_blocks,
    build_head,
    build_joint_tokens,
    build_modal_tokens,
    build_position,
)
from recognizer.config import RecognizerConfig
from recognizer.joint_tokens import fourier_map
from recognizer.saving import Savable


class Recognizer(Savable):
    """The cross-modal transformer of Fig. 2, with fresh weights drawn from torch's global random state.

    ``Recognizer.from_pretrained`` returns one with saved weights. A part that the configuration leaves out is None. If
    the configuration asks for an ensemble, ``others`` has its further networks.
    """

    mean_3111: Tensor
    std_3111: Tensor

    def __init__(self, config: RecognizerConfig) -> None:
        super().__init__(config)
        self.backbone = build_backbone(config)
        self.position = build_position(config)
        self.joint_tokens = build_joint_tokens(config)
        self.modal_tokens = build_modal_tokens(config)
        self.blocks = build_blocks(config)
        self.head = build_head(config)
        self.register_buffer("mean_3111", torch.tensor(config.mean).reshape(3, 1, 1, 1), persistent=False)
        self.register_buffer("std_3111", torch.tensor(config.std).reshape(3, 1, 1, 1), persistent=False)
        self.others = nn.ModuleList(Recognizer(other) for other in config.networks[1:])

    def forward(self, frames: Tensor | None, keypoints: Tensor | None) -> Tensor:
        """Return logits, B,classes, in the order of ``config.class_names``; those of an ensemble are the logarithms of
        its probabilities.

        frames: B,3,T,H,W, red, green and blue in [0, 1]; None for a network for pose alone.
        keypoints: B,M,T,R,3, x and y relative to the frame, and score, 0 where a joint or person is missing; None for
        a network for RGB alone.
        T, H, W and M need not be those of the configuration. Raises ValueError if frames and keypoints do not fit the
        network or each other.
        """
        logits = self._own_logits(frames, keypoints)
        if not self.others:
            return logits
        each = torch.stack([logits, *(other(frames, keypoints) for other in self.others)]).log_softmax(-1)
        return each.logsumexp(0) - math.log(len(each))

    def _own_logits(self, frames: Tensor | None, keypoints: Tensor | None) -> Tensor:
        z_BTHWD = p_BTJD = present_BTMR = features = None
        if self.backbone is not None and self.position is not None:
            frames = _checked(frames, "frames", "B,3,T,H,W", 1)
            clips, length = frames.shape[0], frames.shape[2]
            mean = frames.mean(dim=2, keepdim=True) if self.config.frame_motion else self.mean_3111
            features, fb_BDTHW = self.backbone((frames - mean) / self.std_3111)
            z_BTHWD = fb_BDTHW.movedim(1, -1)
            z_BTHWD = z_BTHWD + self.position(*z_BTHWD.shape[1:4])
        if self.joint_tokens is not None:
            keypoints = _checked(keypoints, "keypoints", "B,M,T,R,3", 4)
            if features is None:
                clips, length = keypoints.shape[0], keypoints.shape[2]
                side = self.config.size // 2
                features = fourier_map(self.config.width, side, side, keypoints.device)
            elif (clips, length) != (keypoints.shape[0], keypoints.shape[2]):
                raise ValueError(
                    f"keypoints {tuple(keypoints.shape)} do not match the {clips} clips of {length} frames"
                )
            p_BTJD, present_BTMR = self.joint_tokens(features, keypoints)
        modal = {} if self.modal_tokens is None else self.modal_tokens(clips, length)
        tokens = Tokens(z_BTHWD, p_BTJD, present_BTMR, modal)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(tokens)


def _checked(tensor: Tensor | None, name: str, dims: str, channels: int) -> Tensor:
    """The tensor, if it is given and has 3 channels where ``dims`` says so."""
    if tensor is None:
        raise ValueError(f"this recognizer needs {name} ({dims}), but got none")
    if tensor.ndim != 5 or tensor.shape[channels] != 3:
        raise ValueError(f"{name} must be {dims}, not {tuple(tensor.shape)}")
    return tensor
