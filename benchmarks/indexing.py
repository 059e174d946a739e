"""Time and memory for indexing data sets as large as the real ones, of made-up lists and empty files, on one core.

python benchmarks/indexing.py [DATA SET ...]
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, whose recognizer.py is not the package
from pipeline.stage import Source

Measured = Iterator[tuple[str, Source]]
"""What is measured, in words, and the source of it."""


def finegym(root: Path) -> Measured:
    """Gym99's lists of 34,841 actions in 4,700 events of 180 videos: trimmed, and as spans of long videos."""
    from stages.sources.finegym import FineGym

    names: list[str] = []
    times: dict[str, dict[str, Any]] = {}
    for event in range(4700):
        video, start = f"video_{event % 180:05}", 100 * (event // 180)
        segments = {}
        for first in range(0, 80, 10):
            segments[f"A_{first:04}_{first + 1:04}"] = {"stages": 1, "timestamps": [[first + 0.25, first + 1.75]]}
        key = f"E_{start:06}_{start + 90:06}"
        times.setdefault(video, {})[key] = {"event": 2, "segments": segments, "timestamps": [[start + 0.5, start + 90]]}
        names += [f"{video}_{key}_{segment}" for segment in segments]
    annotations = root / "annotations"
    annotations.mkdir()
    categories = (f"Clabel: {k:3}; set: 21; Glabel: {k:3}; (FX) element {k}\n" for k in range(99))
    (annotations / "gym99_categories.txt").write_text("".join(categories))
    lines = [f"{name} {i % 99}\n" for i, name in enumerate(names[:34_841])]
    (annotations / "gym99_train_element_v1.1.txt").write_text("".join(lines[:26_320]))
    (annotations / "gym99_val_element.txt").write_text("".join(lines[26_320:]))
    (annotations / "finegym_annotation_info_v1.1.json").write_text(json.dumps(times))

    (root / "videos").mkdir()
    for video in times:
        (root / "videos" / f"{video}.mp4").touch()
    yield "spans of 180 videos", FineGym(root=root, train_list="v1.1")
    (root / "actions").mkdir()
    for name in names:
        (root / "actions" / f"{name}.mp4").touch()
    yield "34,841 trimmed actions", FineGym(root=root, train_list="v1.1")


def ntu(root: Path) -> Measured:
    """NTU RGB+D 120: 114,480 videos, then as many skeleton files beside them."""
    from stages.sources.ntu import NTU

    # 318 visits of a performer to a setup: 60 actions, twice, before three cameras
    samples = [
        f"S{1 + visit % 32:03}C{camera:03}P{1 + visit % 106:03}R{replication:03}A{action + 60 * (visit > 157):03}"
        for visit, action, replication, camera in product(range(318), range(1, 61), (1, 2), (1, 2, 3))
    ]
    for what, ending in (("114,480 videos", "_rgb.avi"), ("videos and skeletons", ".skeleton")):
        folder = root / what
        folder.mkdir()
        for sample in samples:
            os.close(os.open(f"{folder}/{sample}{ending}", os.O_CREAT))  # twice as fast as Path.touch
        yield what, NTU(root=root, protocol="ntu120_xsub")


def pennaction(root: Path) -> Measured:
    """PennAction: 2,326 label files of 70 frames, then as many folders of images beside them."""
    from scipy.io import savemat

    from stages.sources.pennaction import PennAction

    (root / "labels").mkdir()
    for number in range(1, 2327):
        x, y = np.random.default_rng(number).uniform(1, 400, (2, 70, 13))
        labels = {"action": f"action {number % 15}", "pose": "front", "train": (-1) ** number, "x": x, "y": y}
        labels |= {"visibility": np.ones((70, 13), np.uint8), "bbox": np.ones((70, 4)), "nframes": 70}
        savemat(root / f"labels/{number:04}.mat", labels | {"dimensions": np.array([[270, 480, 70]], np.uint16)})
    yield "2,326 label files", PennAction(root=root)
    for number in range(1, 2327):
        frames = root / f"frames/{number:04}"
        frames.mkdir(parents=True)
        for frame in range(1, 71):
            os.close(os.open(f"{frames}/{frame:06}.jpg", os.O_CREAT))
    yield "label files and images", PennAction(root=root)


DATA_SETS: dict[str, Callable[[Path], Measured]] = {
    "finegym": finegym,
    "ntu": ntu,
    "pennaction": pennaction,
}


def measure(name: str) -> None:
    """Print the time of each of a data set's measurements, and the peak memory of this process."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        for what, source in DATA_SETS[name](Path(folder)):
            began = time.process_time()
            clips = source.clips()
            seconds = time.process_time() - began
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            print(f"{name}, {what}: {len(clips):,} clips in {seconds:.1f} s of one core, peak memory {peak:.2f} GB")


if __name__ == "__main__":
    wanted = sys.argv[1:] or list(DATA_SETS)
    if len(wanted) == 1:
        measure(wanted[0])
    else:  # each in a process of its own, so that peaks do not add up
        for one in wanted:
            subprocess.run([sys.executable, __file__, one], check=True, timeout=600)
