"""Batches that threads read ahead."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
import torch

from stages.cache.shards import Sample
from stages.train.batches import AHEAD, Batch, batches, collate

CPU = torch.device("cpu")


def sample(clip_id: str) -> Sample:
    rng = np.random.default_rng(int(clip_id))
    frames = rng.integers(0, 256, (4, 6, 6, 3), np.uint8)[:, :, ::-1]  # as mirrored views are
    return Sample(clip_id, frames, rng.random((2, 4, 17, 3), np.float32))


def chunks(count: int, size: int) -> list[list[str]]:
    return [[str(i) for i in range(start, min(start + size, count))] for start in range(0, count, size)]


def same(one: Batch, other: Batch) -> bool:
    assert one.frames is not None and other.frames is not None
    assert one.keypoints is not None and other.keypoints is not None
    # A GPU multiplies by 1 / 255.
    near = torch.allclose(one.frames.cpu(), other.frames.cpu(), rtol=1e-6, atol=0)
    return one.clip_ids == other.clip_ids and near and torch.equal(one.keypoints.cpu(), other.keypoints.cpu())


def test_they_come_in_order_with_their_pixels() -> None:
    found = list(batches(chunks(11, 3), sample, CPU, 4))
    assert [batch.clip_ids for batch in found] == [tuple(ids) for ids in chunks(11, 3)]
    frames = found[-1].frames
    assert frames is not None and frames.shape == (2, 3, 4, 6, 6)
    expected = sample("10").frames
    assert expected is not None
    np.testing.assert_allclose(frames[1].permute(1, 2, 3, 0).numpy(), expected / 255, rtol=1e-6)


def test_a_modality_that_is_not_read_is_none() -> None:
    batch = collate([sample("0")._replace(frames=None)], CPU)
    assert batch.frames is None and batch.keypoints is not None


def test_an_error_in_reading_reaches_the_reader() -> None:
    def broken(clip_id: str) -> Sample:
        if clip_id == "4":
            raise OSError("the disk is gone")
        return sample(clip_id)

    found = []
    with pytest.raises(OSError, match="the disk is gone"):
        for batch in batches(chunks(12, 2), broken, CPU, 2):
            found.append(batch.clip_ids)
    assert found == [("0", "1"), ("2", "3")]


def test_no_more_is_read_ahead_than_said_and_nothing_after_the_end() -> None:
    read: list[str] = []

    def noted(clip_id: str) -> Sample:
        read.append(clip_id)
        return sample(clip_id)

    loader = batches(chunks(40, 2), noted, CPU, 2)
    next(loader)
    loader.close()  # waits for the threads
    assert len(read) <= 2 * (AHEAD + 1)
    assert not [one for one in threading.enumerate() if one.name.startswith(("shards", "batches"))]


@pytest.mark.gpu
@pytest.mark.parametrize("work", [lambda: None, lambda: torch.rand(4096, 4096, device="cuda").matrix_power(8)])
def test_on_a_gpu_they_are_the_same_however_busy_it_is(work: Callable[[], object]) -> None:
    """Pinned memory is used again as soon as its copy is done, and not before."""
    ids = chunks(60, 3)
    on_gpu = []
    for batch in batches(ids, sample, torch.device("cuda"), 4):
        work()
        on_gpu.append(batch)
    assert all(same(one, other) for one, other in zip(batches(ids, sample, CPU, 4), on_gpu, strict=True))
