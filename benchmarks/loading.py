"""Whether reading shards keeps up with training: both rates, in clips per second of CPU time of one thread.

    python benchmarks/loading.py SHARDS [--size 224] [--width 64] [--blocks 2] [--clips 128] [--rounds 3]

SHARDS is a folder of shard files, such as a store's ``cache``. ``read`` includes everything up to a training sample:
Parquet, JPEG, random crop and resize, colors, joints. ``train`` is the forward and backward pass of a batch of 8; it is
skipped with ``--size 0``. The fastest round counts.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, whose recognizer.py is not the package

from pipeline.stage_inputs import TableFiles
from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from stages.cache.shards import Sample, Shards
from stages.train.augment import apply_view, jitter_joints, random_view
from stages.train.batches import collate
from stages.train.recipe import Augmentation

BATCH = 8


def rate(count: int, rounds: int, work: Callable[[], object]) -> float:
    """Clips per second of CPU time."""
    seconds = []
    for _ in range(rounds):
        started = time.thread_time()
        work()
        seconds.append(time.thread_time() - started)
    return count / min(seconds)


def opened(path: str) -> BinaryIO:
    return Path(path).open("rb")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=Path)
    for name, default in (("size", 224), ("width", 64), ("blocks", 2), ("clips", 128), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(1)

    paths = sorted(str(path) for path in options.shards.glob("*.parquet"))
    shards = Shards(TableFiles(paths, opened), "rgb+pose", 2, in_memory=0)
    clip_ids = np.random.default_rng(0).permutation(list(shards.locations))[: options.clips].tolist()
    frames = shards.read(clip_ids[0]).frame_count
    side = options.size or 224

    def read(clip_id: str) -> Sample:
        rng, sample = np.random.default_rng(0), shards.read(clip_id)
        view = random_view(Augmentation(), rng, sample.frame_count, frames)
        return jitter_joints(apply_view(sample, view, side, shards.layout or ""), Augmentation(), rng)

    reading = rate(len(clip_ids), options.rounds, lambda: [read(clip_id) for clip_id in clip_ids])
    sample = shards.read(clip_ids[0])
    assert sample.frames is not None
    print(f"shards  {len(clip_ids)} clips of {frames} frames of {sample.frames.shape[1]} pixels, crops of {side}")
    print(f"read    {reading:.1f} clips/s")
    if options.size:
        sizes = {"frames": frames, "size": side, "width": options.width, "blocks": options.blocks}
        config = RecognizerConfig(class_names=tuple("abcdefghij"), layout=shards.layout or "coco17", **sizes)
        model = Recognizer(config)
        batch = collate([read(clip_id) for clip_id in clip_ids[:BATCH]], torch.device("cpu"))

        def train() -> None:
            model(batch.frames, batch.keypoints).sum().backward()

        training = rate(len(batch.clip_ids), options.rounds, train)
        print(f"train   {training:.2f} clips/s\nreading takes {training / reading:.1%} of the time of training")


if __name__ == "__main__":
    main()
