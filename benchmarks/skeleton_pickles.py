"""Time and memory for a pickle of made-up skeletons, as pyskl and MMAction2 exchange them.

    python benchmarks/skeleton_pickles.py [CLIPS] [FRAMES]

Writes CLIPS clips (two people, FRAMES frames, 17 joints) into a temporary folder, makes the index of the source
``pyskl`` in a process of its own, reads some of the clips, and prints time and peak memory of that process.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, whose recognizer.py is not the package

from recognizer.skeletons import COCO17
from stages.skeletons.exported_clips import ExportedClip
from stages.skeletons.pyskl_writer import write_pyskl

INDEX = """
import resource, sys, time
from pathlib import Path
from stages.skeletons.formats import read_skeletons
from stages.sources.pyskl import Pyskl
file = Path(sys.argv[1])
began, began_cpu = time.perf_counter(), time.process_time()
clips = Pyskl(file=file, train="train", test="test").clips()
indexed, cpu = time.perf_counter() - began, time.process_time() - began_cpu
some = clips["clip_id"].to_pylist()[::100]
began = time.perf_counter()
for name in some:
    read_skeletons(file, name)
each = (time.perf_counter() - began) / len(some)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(f"{len(clips):,} clips indexed in {indexed:.1f} s ({cpu:.1f} s of CPU time), "
      f"one read in {1000 * each:.1f} ms, peak memory {peak:.2f} GB")
"""


def made_up(clips: int, frames: int) -> Iterator[ExportedClip]:
    keypoints = np.random.default_rng(0).random((2, frames, 17, 3)).astype(np.float32) * (1920, 1080, 1)
    for number in range(clips):
        split = "train" if number % 10 < 7 else "test"
        yield ExportedClip(f"S{number:06}", f"class {number % 60:02}", split, keypoints, COCO17, 1920, 1080)


def main(clips: int = 40_000, frames: int = 80) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "made_up.pkl"
        began = time.perf_counter()
        write_pyskl(file, made_up(clips, frames), [f"class {number:02}" for number in range(60)])
        seconds = time.perf_counter() - began
        print(f"{file.stat().st_size / 1e9:.2f} GB written in {seconds:.0f} s", flush=True)
        subprocess.run([sys.executable, "-c", INDEX, str(file)], cwd=Path(__file__).parents[1], check=True, timeout=600)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
