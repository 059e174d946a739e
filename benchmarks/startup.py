"""How long the command line takes for ``--help`` and ``manifests``: medians of five runs, next to an empty Python.

python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import time


def seconds(*command: str) -> float:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=60)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    empty = seconds(sys.executable, "-c", "pass")
    for asked in ("--help", "manifests"):
        taken = seconds(sys.executable, "-m", "pipeline", asked)
        print(f"pipeline {asked} {taken:.3f} s, an empty Python {empty:.3f} s")
