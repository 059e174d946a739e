"""Batches for the network: threads read and stack the clips ahead of their use, in a fixed order."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch

from stages.cache.shards import Sample
from stages.devices import usable_cores

AHEAD = 2
"""Batches that are prepared while the network works on another one."""


MOST_THREADS = 8
"""Threads that read for a GPU, at most: more of them are slower, since they wait for Python's global lock."""


class Batch(NamedTuple):
    """Stacked clips. A modality that the network does not use is None."""

    clip_ids: tuple[str, ...]
    frames: torch.Tensor | None  # float B,3,T,H,W in [0, 1]
    keypoints: torch.Tensor | None  # float B,M,T,R,3


class Stacked(NamedTuple):
    """A batch in the main memory, in pinned pages if it is for a GPU: those are copied while the GPU computes."""

    clip_ids: tuple[str, ...]
    frames: torch.Tensor | None  # uint8 B,T,H,W,3
    keypoints: torch.Tensor | None  # float B,M,T,R,3

    def to(self, device: torch.device) -> Batch:
        """The batch on the device. Frames are copied there as bytes, which are smaller."""
        frames, keypoints = (
            None if tensor is None else tensor.to(device, non_blocking=True) for tensor in (self.frames, self.keypoints)
        )
        if frames is not None:
            frames = frames.permute(0, 4, 1, 2, 3).float() / 255
        return Batch(self.clip_ids, frames, keypoints)


def reading_threads(device: torch.device) -> int:
    """How many threads keep a device busy. On a CPU they take their time from the network."""
    return 2 if device.type == "cpu" else min(MOST_THREADS, usable_cores())


def batches(
    batch_clips: Sequence[Sequence[str]], read: Callable[[str], Sample], device: torch.device, threads: int
) -> Iterator[Batch]:
    """One batch for each sequence of clip ids, in order.

    Threads suffice, because decoding and resizing release Python's global lock.
    """
    # One more thread waits for the clips of a batch and stacks them.
    with ThreadPoolExecutor(threads, "shards") as pool, ThreadPoolExecutor(1, "batches") as stacker:
        coming = iter(batch_clips)
        queue: deque[tuple[list[Future[Sample]], Future[Stacked]]] = deque()
        try:
            while True:
                for clip_ids in islice(coming, AHEAD + 1 - len(queue)):
                    clips = [pool.submit(read, clip_id) for clip_id in clip_ids]
                    queue.append((clips, stacker.submit(_stacked_when_read, clips, device)))
                if not queue:
                    return
                yield queue.popleft()[1].result().to(device)
        finally:
            for clips, batch in queue:
                batch.cancel()
                for clip in clips:
                    clip.cancel()


def collate(samples: Sequence[Sample], device: torch.device) -> Batch:
    """Samples of equal shapes as one batch on the device."""
    return stacked(samples, device).to(device)


def stacked(samples: Sequence[Sample], device: torch.device) -> Stacked:
    """Samples of equal shapes as one batch for the device."""
    frames = _stack([sample.frames for sample in samples if sample.frames is not None], device)
    keypoints = _stack([sample.keypoints for sample in samples if sample.keypoints is not None], device)
    return Stacked(tuple(sample.clip_id for sample in samples), frames, keypoints)


def _stacked_when_read(clips: list[Future[Sample]], device: torch.device) -> Stacked:
    return stacked([clip.result() for clip in clips], device)


def _stack(arrays: list[np.ndarray], device: torch.device) -> torch.Tensor | None:
    if not arrays:
        return None
    kind = torch.from_numpy(np.empty(0, arrays[0].dtype)).dtype
    whole = torch.empty((len(arrays), *arrays[0].shape), dtype=kind, pin_memory=device.type == "cuda")
    np.stack(arrays, out=whole.numpy())
    return whole
