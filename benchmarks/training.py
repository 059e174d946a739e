"""Whether a training keeps its device busy: the loop of the train stage on made-up shards, beside bare steps.

    python benchmarks/training.py [--manifest base/paper.yaml] [--clips 512] [--epochs 3] [--workers 1 8]
        [--batch 16] [--compile] [--checkpoint-activations]

The clips are noise: as many frames, joints and persons as the manifest's training sees, as JPEG images of its cache
stage's size. A bare step is forward, backward and AdamW on a batch that is on the device already. The loop also reads
Parquet, decodes JPEG, varies the views, copies to the device, and logs; its figures are those of the epochs after the
first. ``busy`` is the share of time in which the GPU computed, as its driver reports it.
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, whose recognizer.py is not the package

from benchmarks.busy import Busy
from pipeline.layers import read_layers
from pipeline.stage_inputs import StageContext, TableFiles
from recognizer.config import RecognizerConfig
from recognizer.skeletons import layout
from stages.cache.shards import IN_MEMORY, Shards
from stages.devices import deterministic
from stages.tables import SHARDS
from stages.train.batches import batches
from stages.train.data_parallel import DataParallelGroup
from stages.train.labels import LabeledClips
from stages.train.loop import Training, fit
from stages.train.recipe import Recipe

MANIFESTS = Path(__file__).parents[1] / "manifests"
CLASSES = tuple(f"class {i}" for i in range(60))
PARTITION = 32


def made_up_shards(folder: Path, clips: int, frames: int, side: int, persons: int, joints: str) -> TableFiles:
    """Shard files of clips whose frames compress like those of videos: smooth noise that moves."""
    rng = np.random.default_rng(0)
    paths = []
    for first in range(0, clips, PARTITION):
        rows = []
        for number in range(first, min(first + PARTITION, clips)):
            coarse = rng.integers(0, 256, (side // 8, side // 8 + frames, 3), np.uint8)
            wide = cv2.resize(coarse, (side + 8 * frames, side), interpolation=cv2.INTER_CUBIC)
            images = [np.ascontiguousarray(wide[:, 8 * t : 8 * t + side]) for t in range(frames)]
            jpegs = [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes() for image in images]
            keypoints = rng.random((persons, frames, layout(joints).count, 3)).astype(np.float16)
            row: dict[str, Any] = {"clip_id": str(number), "error": None, "frames": jpegs, "layout": joints}
            row |= {"keypoints": keypoints.tobytes(), "persons": persons, "times": [t / 12 for t in range(frames)]}
            rows.append(row)
        paths.append(str(folder / f"{first}.parquet"))
        table = pa.Table.from_pylist(rows, schema=SHARDS.schema)
        pq.write_table(table, paths[-1], row_group_size=SHARDS.row_group, compression=SHARDS.compression or "none")
    return TableFiles(paths, lambda path: Path(path).open("rb"))


def loop(
    recipe: Recipe, config: RecognizerConfig, files: TableFiles, clips: LabeledClips, in_memory: int
) -> tuple[float, str]:
    """Seconds of a step in the epochs after the first, and how busy the GPU was in them."""
    reports: list[tuple[float, float]] = []  # when, and how many steps were done
    shards = Shards(files, config.modality, config.persons, in_memory)
    with TemporaryDirectory() as folder, Busy() as busy:
        context = StageContext(Path(folder), lambda done, *more, **figures: reports.append((time.perf_counter(), done)))
        fit(recipe, config, shards, clips, context)
    (start, before), *_, (end, after) = [one for one in reports if one[1] > reports[-1][1] / recipe.epochs]
    return (end - start) / (after - before), busy.since(start)


def bare_step(recipe: Recipe, config: RecognizerConfig, files: TableFiles, clips: LabeledClips) -> tuple[float, float]:
    """Median seconds of a step on a batch that is on the device already, and the most bytes on the GPU."""
    with TemporaryDirectory() as folder, deterministic():
        shards = Shards(files, config.modality, config.persons)
        context = StageContext(Path(folder), lambda *figures, **more: None)
        training = Training(recipe, config, shards, clips, context, DataParallelGroup())
        ids = list(clips.train[: recipe.batch])
        (batch,) = batches([ids], lambda clip_id: training._training_sample(0, clip_id), training.device, 8)
        target = torch.tensor([clips.targets[clip_id] for clip_id in ids], device=training.device)
        model, optimizer, seconds = training.state.model.train(), training.state.optimizer, []
        cuda = training.device.type == "cuda"
        for _ in range(12):
            if cuda:
                torch.cuda.synchronize()
            started = time.perf_counter()
            optimizer.zero_grad()
            with training.autocast:
                logits = training.network(batch.frames, batch.keypoints).float()
            torch.nn.functional.cross_entropy(logits, target).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            if cuda:
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - started)
    return median(seconds[4:]), torch.cuda.max_memory_allocated() if cuda else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", default="base/paper.yaml", help="below manifests/")
    parser.add_argument("--clips", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--workers", type=int, nargs="+", help="reading threads; one training for each number")
    parser.add_argument("--layout", default="ntu25", help="of the skeletons")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--checkpoint-activations", action="store_true")
    parser.add_argument("--in-memory", action="store_true", help="keep the shards in memory, as small sets are")
    options = parser.parse_args()
    given = read_layers(MANIFESTS / options.manifest, options.manifest)[0]["stages"]
    settings = given["train"]["with"] | {"epochs": options.epochs, "val_share": 0}
    settings |= {"compile": options.compile, "checkpoint_activations": options.checkpoint_activations}
    settings |= {"batch": options.batch} if options.batch else {}
    recipe = Recipe.model_validate(settings)
    frames, side = given["decode"]["with"]["frames"], given["cache"]["with"]["size"]
    about_data = {"class_names": CLASSES, "frames": frames, "layout": options.layout}
    config = RecognizerConfig.model_validate(recipe.model.model_dump() | about_data)
    ids = [str(number) for number in range(options.clips)]
    clips = LabeledClips(CLASSES, tuple(ids), (), {clip_id: i % len(CLASSES) for i, clip_id in enumerate(ids)})
    with TemporaryDirectory() as folder:
        files = made_up_shards(Path(folder), options.clips, frames, side, config.persons, options.layout)
        stored = sum(Path(path).stat().st_size for path in files.paths) / options.clips
        print(f"{options.clips} clips of {stored / 1e6:.2f} MB, batches of {recipe.batch}")
        bare, used = bare_step(recipe, config, files, clips)
        print(f"bare step {bare * 1e3:8.1f} ms {recipe.batch / bare:8.1f} clips/s, {used / 1e9:.1f} GB on the GPU")
        for workers in options.workers or [None]:
            own = recipe if workers is None else recipe.model_copy(update={"workers": workers})
            seconds, busy = loop(own, config, files, clips, IN_MEMORY if options.in_memory else 0)
            threads = "threads by default" if workers is None else f"{workers} threads"
            print(
                f"loop      {seconds * 1e3:8.1f} ms {recipe.batch / seconds:8.1f} clips/s, {bare / seconds:.2f} of the "
                f"bare rate, {busy}, {threads}",
                flush=True,
            )


if __name__ == "__main__":
    main()
