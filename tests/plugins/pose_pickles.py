"""Made-up pickles as pyskl and MMAction2 write them: people who move in the direction of their class."""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

HEIGHT, WIDTH = 120, 160
STEPS = ((1.5, 0.0), (0.0, 1.5), (-1.5, 0.0), (0.0, -1.5))
"""Pixels right and down per frame, by class."""


def annotation(name: str, label: int, frames: int = 20, persons: int = 2, joints: int = 17) -> dict[str, Any]:
    """A clip; the same name always gives the same one."""
    rng = np.random.default_rng(list(name.encode()))
    body = rng.uniform(-15, 15, (persons, 1, joints, 2)) + np.array([WIDTH / 2, HEIGHT / 2])
    moved = (np.arange(frames) - frames / 2)[:, None, None] * np.array(STEPS[label % len(STEPS)])
    return {
        "frame_dir": name,
        "total_frames": frames,
        "img_shape": (HEIGHT, WIDTH),
        "original_shape": (HEIGHT, WIDTH),
        "label": label,
        "keypoint": (body + moved).astype(np.float16),
        "keypoint_score": rng.uniform(0.3, 1, (persons, frames, joints)).astype(np.float16),
    }


def data_set(splits: dict[str, Sequence[str]], classes: int = 2, **change: Any) -> dict[str, Any]:
    """Splits and annotations. The names of the clips, in order, are of each class in turn."""
    names = list(dict.fromkeys(name for own in splits.values() for name in own))
    annotations = [annotation(name, place % classes, **change) for place, name in enumerate(names)]
    return {"split": {split: list(own) for split, own in splits.items()}, "annotations": annotations}


def write_pickle(path: Path, content: Any, protocol: int = 2) -> Path:
    """Protocol 2 is what mmcv writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol))
    return path
