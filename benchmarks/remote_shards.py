"""What an epoch costs that reads its shards from S3 instead of a disk: seconds, and their ratio.

    python benchmarks/remote_shards.py SHARDS [--delay 0.05] [--clips 128] [--rounds 3] [--workers 2]
        [--size 80] [--width 16] [--blocks 1]

SHARDS is a folder of shard files, such as a store's ``cache``. They are copied to an S3-compatible server on this
machine (moto's), each of whose requests takes ``--delay`` seconds longer. Each round reads and trains on the same
clips, in turn: from disk, from S3 for the first time (footers included), and from S3 once more. Nothing is kept in
memory. With ``--size 0`` clips are only read, and crops are of 80 pixels.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "plugins"))  # the server
sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, whose recognizer.py is not the package

from s3_server import s3_server

from pipeline.stage_inputs import TableFiles
from pipeline.store import Store
from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from stages.cache.shards import Sample, Shards
from stages.train.augment import apply_view, jitter_joints, random_view
from stages.train.batches import batches
from stages.train.loop import chunked
from stages.train.recipe import Augmentation

BATCH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=Path)
    parser.add_argument("--delay", type=float, default=0.05)
    defaults = {"clips": 128, "rounds": 3, "workers": 2, "size": 80, "width": 16, "blocks": 1}
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with s3_server(options.delay) as variables:
        os.environ |= variables
        compare(options)


def compare(options: argparse.Namespace) -> None:
    local = Store(str(options.shards.parent))
    folder = options.shards.name
    keys = sorted(local.keys(folder))

    def opened(store: Store) -> Shards:
        files = TableFiles([store.path(folder, key) for key in keys], store.open_input)
        return Shards(files, "rgb+pose", 2, in_memory=0)

    shards = opened(local)
    clip_ids = np.random.default_rng(0).permutation(list(shards.locations))[: options.clips].tolist()
    frames, side = shards.read(clip_ids[0]).frame_count, options.size or 80
    sizes = {"frames": frames, "size": side, "width": options.width, "blocks": options.blocks}
    config = RecognizerConfig(class_names=tuple("abcdefghij"), layout=shards.layout or "coco17", **sizes)
    model = Recognizer(config)

    def epoch(shards: Shards) -> None:
        def read(clip_id: str) -> Sample:
            rng, sample = np.random.default_rng(0), shards.read(clip_id)
            view = random_view(Augmentation(), rng, sample.frame_count, frames)
            return jitter_joints(apply_view(sample, view, side, shards.layout or ""), Augmentation(), rng)

        threads = shards.reading_threads(options.workers)
        for batch in batches(chunked(clip_ids, BATCH), read, torch.device("cpu"), threads):
            if options.size:
                model(batch.frames, batch.keypoints).sum().backward()

    seconds: dict[str, list[float]] = {"disk": [], "S3, first": [], "S3, again": []}
    for round_number in range(options.rounds):
        remote = Store(f"s3://bucket/{round_number}")  # of which nothing has been kept
        for key in keys:
            remote.filesystem.pipe_file(remote.path(folder, key), Path(local.path(folder, key)).read_bytes())
        ours, theirs = opened(local), None
        for name, times in seconds.items():
            started = time.perf_counter()
            theirs = opened(remote) if name == "S3, first" else theirs
            epoch(ours if theirs is None else theirs)
            times.append(time.perf_counter() - started)
    print(f"{len(clip_ids)} clips of {frames} frames in {len(keys)} files, {1000 * options.delay:g} ms a request")
    for name, times in seconds.items():
        ratios = sorted(one / disk for one, disk in zip(times, seconds["disk"], strict=True))
        print(f"{name:10} {median(times):6.2f} s   {median(ratios):.2f} of disk ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
