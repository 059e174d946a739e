"""The whole network written out from its parts: which tokens attend to which in each module, and what the head gets."""

from typing import Literal

import pytest
import torch
from torch import Tensor

from recognizer.attention import Residual
from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer


def residual(module: Residual, before: dict[str, Tensor], attended: dict[str, Tensor]) -> dict[str, Tensor]:
    """Eq. 6 and 7, token by token."""
    after = {name: before[name] + x for name, x in attended.items()}
    return {name: x + module.feed_forward(module.feed_forward_norm(x)) for name, x in after.items()}


def together(tokens: dict[str, Tensor]) -> Tensor:
    return torch.cat([x.flatten(1, -2) for x in tokens.values()], dim=1)


def apart(joined: Tensor, like: dict[str, Tensor]) -> dict[str, Tensor]:
    parts = joined.split([x.flatten(1, -2).shape[1] for x in like.values()], dim=1)
    return {name: part.view_as(x) for part, (name, x) in zip(parts, like.items(), strict=True)}


def written_out(recognizer: Recognizer, frames: Tensor, keypoints: Tensor) -> Tensor:
    """Logits module by module as in the paper's Fig. 2, for windows that contain all joints and frames."""
    assert recognizer.backbone and recognizer.position and recognizer.joint_tokens
    fa, fb = recognizer.backbone((frames - recognizer.mean_3111) / recognizer.std_3111)
    clips, length = fb.shape[0], fb.shape[2]
    position = recognizer.position
    z = torch.stack(
        [
            torch.stack([fb[:, :, t, :, w] + position.place_1DHW[..., w] for w in range(fb.shape[4])], dim=3)
            + position.frame_T1D[t, 0][:, None, None]
            for t in range(length)
        ],
        dim=1,
    ).movedim(2, -1)
    tokens = {"z": z, "p": recognizer.joint_tokens(fa, keypoints)[0]}
    names = recognizer.config.modal_names
    for i, name in enumerate(names):
        assert recognizer.modal_tokens
        tokens[name] = recognizer.modal_tokens.token_TKD[:, i].expand(clips, -1, -1)

    def of(*wanted: str) -> dict[str, Tensor]:
        return {name: tokens[name] for name in wanted if name in tokens}

    for block in recognizer.blocks:
        deformable, joint, temporal = block.deformable, block.joint, block.temporal
        own = of("z", "rgb", "cls")
        normed = {name: deformable.residual.norm(x) for name, x in own.items()}
        found = together(normed | {"z": deformable.search(normed["z"])})
        tokens |= residual(deformable.residual, own, apart(deformable.attention(together(normed), found), own))
        after_rgb = tokens.get("cls")

        own = of("p", "pose", "cls")
        normed = {name: joint.residual.norm(x) for name, x in own.items()}
        attended = joint.windows.attention(together(normed), together(normed))
        tokens |= residual(joint.residual, own, apart(attended, own))
        if after_rgb is not None:
            both = torch.cat([after_rgb, tokens["cls"]], dim=-1)
            tokens["cls"] = both @ block.fusion.weight.mT + block.fusion.bias

        normed = {name: temporal.residual.norm(x) for name, x in tokens.items()}
        attended = temporal.windows.attention(together(normed), together(normed))
        tokens = residual(temporal.residual, tokens, apart(attended, tokens))

    read = [tokens[name].mean(dim=1) for name in names] or [
        tokens["z"].mean(dim=(1, 2, 3)),
        tokens["p"].mean(dim=(1, 2)),
    ]
    head = recognizer.head
    return torch.cat([head.norm(x) for x in read], dim=-1) @ head.classifier.weight.mT + head.classifier.bias


@pytest.mark.parametrize("modal_tokens", ["cross", "shared", "none"])
def test_the_network_written_out(modal_tokens: Literal["cross", "shared", "none"]) -> None:
    torch.manual_seed(0)
    config = RecognizerConfig(
        class_names=("sit", "stand", "wave"),
        width=8,
        frames=3,
        size=24,
        search_kernel=2,
        window_joints=99,
        window_frames=99,
        modal_tokens=modal_tokens,
    )
    recognizer = Recognizer(config).double().eval()
    with torch.no_grad():
        for parameter in recognizer.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        frames, keypoints = torch.rand(2, 3, 3, 24, 24).double(), 0.1 + 0.9 * torch.rand(2, 2, 3, 17, 3).double()
        torch.testing.assert_close(
            recognizer(frames, keypoints), written_out(recognizer, frames, keypoints), rtol=1e-5, atol=1e-6
        )
