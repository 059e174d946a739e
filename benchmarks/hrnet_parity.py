"""Do this project's HRNets compute the same as MMPose's?

    python benchmarks/hrnet_parity.py FOLDER

FOLDER contains ``hrnet_w32_256x192.npz`` and ``hrnet_w48_384x288.npz``: heatmaps that MMPose computed, and the names
and shapes of its parameters; ``parameter`` derives their values from the names. Each network is written as a
checkpoint with MMPose's names, loaded by the pose stage's own loader, and compared. The last line is the largest
relative error.
"""

import argparse
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, whose recognizer.py is not the package

from stages.pose.hrnet_network import load_hrnet

BODIES = {"hrnet_w32": "hrnet_w32_256x192.npz", "hrnet_w48": "hrnet_w48_384x288.npz"}


def parameter(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The value that the reference used for MMPose's parameter ``name``."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    kind = name.rsplit(".", 1)[-1]
    if kind == "running_var":
        value = rng.uniform(0.5, 1.5, shape)
    elif kind in ("running_mean", "bias"):
        value = rng.normal(0, 0.1, shape)
    elif len(shape) == 1:
        value = rng.uniform(0.8, 1.2, shape)
    else:
        value = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
    return torch.from_numpy(value.astype(np.float32))


def reference(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, torch.Tensor]]:
    """Image float32 1,3,H,W, heatmaps float32 1,R,H/4,W/4, and MMPose's parameters by name."""
    with np.load(path, allow_pickle=False) as file:
        heatmaps = file["heatmaps"]
        shapes = {
            str(name): tuple(int(size) for size in str(shape).split(",") if size)
            for name, shape in zip(file["keys"], file["shapes"], strict=True)
        }
    size = (heatmaps.shape[2] * 4, heatmaps.shape[3] * 4)
    image = np.random.default_rng(7).normal(0, 1, (1, 3, *size)).astype(np.float32)
    return image, heatmaps, {name: parameter(name, shape) for name, shape in shapes.items()}


@torch.inference_mode()
def relative_error(body: str, path: Path) -> float:
    """Largest difference between this project's heatmaps and the reference's, over the reference's largest value."""
    image, expected, weights = reference(path)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "checkpoint.pth"
        torch.save({"state_dict": weights}, checkpoint)
        model = load_hrnet(body, checkpoint, joints=expected.shape[1])
    heatmaps = model(torch.from_numpy(image)).numpy()
    return float(np.abs(heatmaps - expected).max() / np.abs(expected).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="contains " + " and ".join(BODIES.values()))
    folder = parser.parse_args().folder
    errors = {body: relative_error(body, folder / name) for body, name in BODIES.items()}
    for body, error in errors.items():
        print(f"{body}  relative error {error:.3g}")
    print(f"{max(errors.values()):.3g}")


if __name__ == "__main__":
    main()
