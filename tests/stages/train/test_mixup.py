import pytest
import torch
from torch.nn.functional import cross_entropy

from stages.train.batches import Batch
from stages.train.mixup import mixup, mixup_loss, mixup_share

CLIPS, CLASSES, SHARE = 5, 4, 0.7


@pytest.fixture
def frames() -> torch.Tensor:
    return torch.rand(CLIPS, 3, 2, 8, 8, generator=torch.Generator().manual_seed(0))


def batch(frames: torch.Tensor) -> Batch:
    return Batch(tuple(map(str, range(len(frames)))), frames, None)


def with_last_first(x: torch.Tensor) -> torch.Tensor:
    """What a process that works alone reads: the clip before the first is the last one."""
    return torch.cat([x[-1:], x])


def test_each_clip_is_blended_with_the_one_before_it(frames):
    blended, _ = mixup(batch(with_last_first(frames)), SHARE, extra=1)
    for i in range(CLIPS):
        torch.testing.assert_close(blended[i], SHARE * frames[i] + (1 - SHARE) * frames[i - 1])


def test_the_loss_is_that_of_both_labels():
    logits = torch.randn(CLIPS, CLASSES, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([0, 3, 2, 2, 1])
    loss = mixup_loss(logits, with_last_first(labels), SHARE, extra=1, smoothing=0.1)
    expected = 0.0
    for i in range(CLIPS):
        for label, share in ((labels[i], SHARE), (labels[i - 1], 1 - SHARE)):
            expected += share * cross_entropy(logits[i], label, label_smoothing=0.1).item()
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_without_mixup_only_extra_clips_go(frames):
    kept, _ = mixup(batch(frames), mixup_share(0, seed=1), extra=1)
    assert torch.equal(kept, frames[1:])
    assert torch.equal(mixup(batch(frames), 1.0, extra=0)[0], frames)


def test_shares_are_drawn_from_the_seed_alone():
    shares = [mixup_share(0.4, seed) for seed in range(200)]
    assert shares == [mixup_share(0.4, seed) for seed in range(200)]
    assert all(0 <= share <= 1 for share in shares)
    assert sum(shares) / 200 == pytest.approx(0.5, abs=0.1)
    assert min(shares) < 0.1 and max(shares) > 0.9  # alpha below 1: mostly one of the two
