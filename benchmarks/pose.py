"""How fast skeletons are made, compared with a plain loop over the frames with the same models.

    python benchmarks/pose.py FOLDER [--estimator movenet_thunder] [--detector nanodet] [--executors local ray]

The plain loop does what scripts around such models do: one process, in which PyTorch and ONNX Runtime take the threads
they like, reads each video with OpenCV, detects people in each frame, and gives the estimator one crop of its full size
after the other. The pipeline is ``pipeline run`` with decode and pose, from the command to the last result: processes,
imports and files included. Both see the same frames of the same size and keep at most ``--persons`` people of a frame.
They take turns, and the median of ``--rounds`` is printed: seconds, CPU seconds (without those of Ray's workers),
frames and persons a second.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import onnxruntime
import pyarrow.parquet as pq
import torch
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "plugins"))  # an example of a detector
sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, whose recognizer.py is not the package

from recognizer.skeletons import COCO17
from stages.frame_sampling import sample_frames
from stages.plugins import build
from stages.pose.boxes import areas, non_maximum_suppression
from stages.pose.crops import crop, normalized, person_regions
from stages.pose.detectors import DETECTORS
from stages.pose.estimators import ESTIMATORS, EstimatorSettings, TopDownEstimator, find_estimator
from stages.pose.hrnet import HRNetW32
from stages.pose.onnx_model import OnnxModel
from stages.sources.files import find_videos


class Spent(NamedTuple):
    """What a way took."""

    seconds: float
    cpu_seconds: float
    frames: int
    persons: int

    def __str__(self) -> str:
        return (
            f"{self.seconds:8.1f} s {self.cpu_seconds:8.1f} s of CPU {self.frames / self.seconds:8.1f} frames/s "
            f"{self.persons / self.seconds:8.1f} persons/s  {self.persons} persons in {self.frames} frames"
        )


def plain_loop(options: argparse.Namespace) -> tuple[int, int]:
    """Frames and persons of all videos, by the plain loop."""
    sizes = find_estimator(options.estimator).input_sizes
    settings = EstimatorSettings(options.weights, next(iter(sizes), None), COCO17, options.min_score, options.device)
    estimator = build(ESTIMATORS.get(options.estimator, options.estimator), "estimator", settings)
    detector_class = DETECTORS.get(options.detector, options.detector)
    detector = build(detector_class, "detector", options.detector_weights, options.device)
    assert isinstance(estimator, TopDownEstimator)
    if isinstance(estimator, OnnxModel):  # which computes with one thread otherwise
        estimator.network._session = onnxruntime.InferenceSession(str(options.weights))
    if isinstance(estimator, HRNetW32) and options.device == "cuda":  # which replays a recording otherwise
        model = estimator.model
        estimator.heatmaps = lambda crops: model(torch.from_numpy(normalized(crops)).cuda()).cpu().numpy()  # type: ignore[method-assign]
    frames = persons = 0
    torch.set_grad_enabled(False)
    for video in find_videos(options.folder, "videos")[0]:
        for image in sampled(video.path, options.frames, options.short_side):
            boxes = np.asarray(detector.detect([image])[0]).reshape(-1, 5)
            boxes = boxes[boxes[:, 4] >= options.min_score]
            boxes = boxes[non_maximum_suppression(boxes)]
            boxes = boxes[np.argsort(-boxes[:, 4] * np.sqrt(areas(boxes)))[: options.persons]]
            for region in person_regions(boxes, estimator.input_size):
                estimator.keypoints(crop(image, region, estimator.input_size)[None], options.flip_test)
                persons += 1
            frames += 1
    return frames, persons


def sampled(path: str, count: int, short_side: int) -> list[np.ndarray]:
    """RGB images uint8 H,W,3 of a video's evenly spaced frames."""
    capture = cv2.VideoCapture(path)
    images = []
    while (read := capture.read())[0]:
        images.append(read[1])
    chosen = []
    for n in sample_frames(len(images), count):
        height, width = images[n].shape[:2]
        scale = min(1.0, short_side / min(height, width))
        small = cv2.resize(images[n], (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
        chosen.append(cv2.cvtColor(small, cv2.COLOR_BGR2RGB))
    return chosen


def pipeline(options: argparse.Namespace, executor: str) -> tuple[int, int]:
    """Frames and persons of all videos, by the command."""
    pose = {"estimator": options.estimator, "detector": options.detector, "min_score": options.min_score}
    pose |= {"persons": options.persons, "detect_every": options.detect_every, "flip_test": options.flip_test}
    pose |= {"device": options.device, "batch": options.batch, "workers_per_gpu": options.workers_per_gpu}
    files = {"weights": options.weights, "detector_weights": options.detector_weights}
    pose |= {name: str(path.resolve()) for name, path in files.items() if path}
    manifest = {
        "name": "benchmark",
        "partition": 8,  # as in base/laptop.yaml
        "stages": {
            "index": {"uses": "videos", "with": {"root": str(options.folder.resolve())}},
            "decode": {"needs": "index", "with": {"frames": options.frames, "short_side": options.short_side}},
            "pose": {"needs": "decode", "with": pose},
        },
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifest.yaml"
        path.write_text(yaml.safe_dump(manifest))
        command = [sys.executable, "-m", "pipeline", "run", str(path), "--executor", executor]
        places = os.pathsep.join([*sys.path[:2], os.environ.get("PYTHONPATH", "")])
        subprocess.run(command, check=True, cwd=folder, env=os.environ | {"PYTHONPATH": places}, stdout=sys.stderr)
        counts = [0, 0]
        for file in (Path(folder) / "store" / "pose").rglob("*.parquet"):
            for row in pq.read_table(file).to_pylist():
                counts[0] += options.frames
                if row["keypoints"]:
                    keypoints = np.frombuffer(row["keypoints"], np.float16).reshape(
                        row["persons"], options.frames, -1, 3
                    )
                    counts[1] += int(keypoints[..., 2].any(2).sum())
    return counts[0], counts[1]


def spent(work: Callable[[], tuple[int, int]]) -> Spent:
    """What the work took in processes of its own."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    frames, persons = work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(time.perf_counter() - start, cpu, frames, persons)


def plain_process() -> tuple[int, int]:
    """The plain loop in a process of its own, so that its imports count too."""
    run = subprocess.run(
        [*map(str, [sys.executable, *sys.argv]), "--plain"], check=True, capture_output=True, text=True
    )
    frames, persons = json.loads(run.stdout.splitlines()[-1])
    return frames, persons


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of videos")
    parser.add_argument("--estimator", default="movenet_thunder")
    parser.add_argument("--weights", type=Path, help="of the estimator")
    parser.add_argument("--detector", default="nanodet")
    parser.add_argument("--detector-weights", type=Path)
    parser.add_argument("--min-score", type=float, default=0.3)
    parser.add_argument("--flip-test", action="store_true")
    parser.add_argument("--detect-every", type=int, default=4)
    parser.add_argument("--persons", type=int, default=2)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--short-side", type=int, default=240)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--batch", type=int, default=32, help="crops per batch on a GPU")
    parser.add_argument("--workers-per-gpu", type=int, default=2, help="with Ray")
    parser.add_argument("--executors", nargs="+", default=["ray"], help="local: one process; ray: one per core")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.plain:
        print(json.dumps(plain_loop(options)))
        return
    ways: dict[str, Callable[[], tuple[int, int]]] = {"plain loop": plain_process}
    for executor in options.executors:
        ways[f"pipeline, {executor}"] = partial(pipeline, options, executor)
    taken: dict[str, list[Spent]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            taken[name].append(spent(way))
            print(f"{name:22} {taken[name][-1]}", flush=True)
    medians = {name: statistics.median(one.seconds for one in spents) for name, spents in taken.items()}
    for name, seconds in medians.items():
        print(f"{name:22} median {seconds:.1f} s, {medians['plain loop'] / seconds:.2f} times the plain loop")


if __name__ == "__main__":
    main()
