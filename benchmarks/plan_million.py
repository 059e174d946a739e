"""Time and memory for planning an artificial list of a million clips.

    python benchmarks/plan_million.py [CLIPS]

Writes a list file into a temporary folder, plans all stages up to evaluation with the real command (no result exists
yet, and all videos but one are missing), and prints the time and the peak memory of that process. Nothing is decoded.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MANIFEST = """
name: million
store: store
stages:
  index: {uses: listing, with: {list: clips.csv}}
  decode: {needs: index}
  pose: {needs: decode, with: {estimator: hrnet_mini, detector: mini}}
  cache: {needs: [decode, pose]}
  train: {needs: cache}
  predict: {needs: [cache, train]}
  evaluate: {needs: predict}
"""


def main(clips: int = 1_000_000) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "million.yaml").write_text(MANIFEST)
        with (folder / "clips.csv").open("w") as file:
            file.write("path,label,split\n")
            for i in range(clips):
                split = "test" if i % 10 == 0 else "train"
                file.write(f"videos/{i // 1000:04}/{i:07}.mp4,class {i % 60:02},{split}\n")
        first = folder / "videos" / "0000" / f"{0:07}.mp4"
        first.parent.mkdir(parents=True)
        first.write_bytes(b"no video")  # a list of which no file exists is refused
        began = time.perf_counter()
        command = [sys.executable, "-m", "pipeline", "plan", "million.yaml"]
        subprocess.run(command, cwd=folder, check=True, timeout=600)
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"{clips:,} clips planned in {seconds:.1f} s, peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
