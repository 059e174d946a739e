"""How busy a GPU is while something runs, as its driver reports it: the share of time in which any kernel computes."""

import threading
import time
from statistics import mean

import torch


class Busy:
    """Samples in the background how busy the GPU is."""

    def __enter__(self) -> "Busy":
        self.samples: list[tuple[float, int]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def _look(self) -> None:
        while torch.cuda.is_available() and not self._stop.wait(0.1):
            self.samples.append((time.perf_counter(), torch.cuda.utilization()))

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def since(self, moment: float) -> str:
        found = [busy for when, busy in self.samples if when >= moment]
        return f"{mean(found):.0f} % busy" if found else "no GPU"
