"""The cost of the paper's network: ``python -m recognizer`` prints the parameters and multiply-adds of its parts."""

import argparse

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer


def costs(recognizer: Recognizer, persons: int = 1) -> dict[str, tuple[int, int]]:
    """Parameters, and multiply-adds per clip, by the name of the part ("" is the whole network).

    recognizer: built on the device "meta", where nothing is computed or stored.
    """
    config = recognizer.config
    frames = torch.empty(1, 3, config.frames, config.size, config.size, device="meta")
    keypoints = torch.empty(1, persons, config.frames, config.joints, 3, device="meta")
    recognizer.eval().requires_grad_(False)
    with FlopCounterMode(display=False) as counter:
        recognizer(frames, keypoints)
    counted = counter.get_flop_counts()

    def cost(name: str, module: nn.Module) -> tuple[int, int]:
        path = f"{type(recognizer).__name__}.{name}".rstrip(".")
        return sum(p.numel() for p in module.parameters()), sum(counted.get(path, {}).values()) // 2

    return {name: cost(name, module) for name, module in recognizer.named_modules()}


def main() -> None:
    argparse.ArgumentParser(prog="python -m recognizer", description=__doc__.partition(": ")[0]).parse_args()
    config = RecognizerConfig(class_names=tuple(f"class {i}" for i in range(15)), layout="pennaction13")
    with torch.device("meta"):
        recognizer = Recognizer(config)
    parts = costs(recognizer)
    print(
        f"T={config.frames}, {config.size}x{config.size}, R={config.joints}, M=1, C={config.width}, L={config.blocks}"
    )
    print(f"{'part':<32}{'parameters':>14}{'multiply-adds':>18}")
    shown = ["backbone", "backbone.layer1", "joint_tokens", "blocks.0"]
    shown += [f"blocks.0.{part}" for part in ("deformable", "deformable.search", "joint", "fusion", "temporal")]
    for name in [*shown, "blocks.1", "head", ""]:
        parameters, multiply_adds = parts[name]
        print(f"{name or 'whole':<32}{parameters / 1e6:>12.2f} M{multiply_adds / 1e9:>16.3f} G")


if __name__ == "__main__":
    main()
