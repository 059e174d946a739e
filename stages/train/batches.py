"""Batches for the network: threads read the clips ahead of their use, in a fixed order."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch

from stages.cache.shards import Sample

AHEAD = 2
"""Batches that are prepared while the network works on another one."""


class Batch(NamedTuple):
    """Stacked clips. A modality that the network does not use is None."""

    clip_ids: tuple[str, ...]
    frames: torch.Tensor | None  # float B,3,T,H,W in [0, 1]
    keypoints: torch.Tensor | None  # float B,M,T,R,3


def batches(
    batch_clips: Sequence[Sequence[str]], read: Callable[[str], Sample], device: torch.device, threads: int
) -> Iterator[Batch]:
    """One batch for each sequence of clip ids, in order.

    Threads suffice, because decoding and resizing release Python's global lock.
    """
    with ThreadPoolExecutor(threads, "shards") as pool:
        coming = iter(batch_clips)
        queue: deque[list[Future[Sample]]] = deque()
        try:
            while True:
                for clip_ids in islice(coming, AHEAD + 1 - len(queue)):
                    queue.append([pool.submit(read, clip_id) for clip_id in clip_ids])
                if not queue:
                    return
                yield collate([future.result() for future in queue.popleft()], device)
        finally:
            for future in (future for futures in queue for future in futures):
                future.cancel()


def collate(samples: Sequence[Sample], device: torch.device) -> Batch:
    """Samples of equal shapes as one batch on the device. Frames are copied there as bytes, which are smaller."""
    frames = _stack([sample.frames for sample in samples if sample.frames is not None], device)
    keypoints = _stack([sample.keypoints for sample in samples if sample.keypoints is not None], device)
    if frames is not None:
        frames = frames.permute(0, 4, 1, 2, 3).float() / 255
    return Batch(tuple(sample.clip_id for sample in samples), frames, keypoints)


def _stack(arrays: list[np.ndarray], device: torch.device) -> torch.Tensor | None:
    return torch.from_numpy(np.stack(arrays)).to(device) if arrays else None
