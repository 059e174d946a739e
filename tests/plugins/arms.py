"""Skeletons of two classes in files, with a list of them: the smallest data that a manifest can train on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np


def write_arms(folder: Path, labels: Sequence[str]) -> None:
    """Write ``clips.csv`` and twelve files of random skeletons; the last clip of the list has none.

    labels: of the two classes, by turns; the clip without skeletons is of the first.
    """
    rng = np.random.default_rng(0)
    lines = ["path,label,split,skeleton"]
    for i in range(12):
        label, split = labels[i % 2], "test" if i >= 8 else "train"
        keypoints = rng.uniform(10, 90, (1, 6, 13, 2))
        np.savez(folder / f"{i}.npz", keypoints=keypoints, layout="pennaction13", size=(100, 100))
        lines.append(f"{label}/{i:02}.mp4,{label},{split},{i}.npz")
    lines.append(f"{labels[0]}/lost.mp4,{labels[0]},test,")
    (folder / "clips.csv").write_text("\n".join(lines))
