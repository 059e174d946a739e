import pytest
import torch

from recognizer.attention import Attention
from recognizer.windows import WindowAttention, merge, windows_of


def windows(window: int, stride: int, shifted: bool, dim: int = 8) -> WindowAttention:
    torch.manual_seed(0)
    return WindowAttention(Attention(dim, 2), window, stride, shifted).double()


def starts_of(length: int, window: int, stride: int) -> list[int]:
    """Where the windows of an axis begin: every stride steps, and the last one so that it ends with the axis."""
    last = max(length - window, 0)
    return [*range(0, last, stride), last]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 12, 17, 34])
@pytest.mark.parametrize("window,stride", [(1, 1), (4, 2), (5, 2), (4, 4), (6, 1)])
def test_every_step_is_in_a_window(length: int, window: int, stride: int) -> None:
    cut = windows_of(torch.ones(2, length, dtype=torch.bool), window, stride, shifted=False)
    assert cut.valid_BS.all() and torch.equal(cut.steps_BSA, cut.key_steps_BSA)
    assert set(cut.steps_BSA[0].flatten().tolist()) == set(range(length))
    size = min(window, length)
    assert cut.steps_BSA[1].tolist() == [[*range(i, i + size)] for i in starts_of(length, window, stride)]


def test_every_window_has_the_keys_of_another() -> None:
    cut = windows_of(torch.ones(1, 34, dtype=torch.bool), 17, 8, shifted=True)
    assert cut.steps_BSA[0, :, 0].tolist() == [0, 8, 16, 17]
    assert cut.key_steps_BSA[0, :, 0].tolist() == [8, 16, 17, 0]


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("window,stride", [(2, 1), (4, 2), (5, 3), (8, 4), (20, 10)])
def test_invalid_steps_are_as_good_as_none(window: int, stride: int, shifted: bool) -> None:
    module = windows(window, stride, shifted)
    x, extra = torch.randn(3, 12, 3, 8).double(), torch.randn(3, 2, 8).double()
    present = torch.rand(3, 12, 3) > 0.3
    valid = torch.ones(3, 12, dtype=torch.bool)
    valid[0, :4] = valid[1, 5:9] = valid[1, 11] = False
    x_out, extra_out = module(x, extra, present & valid[..., None], valid)
    for b in range(3):
        alone, extra_alone = module(x[b : b + 1, valid[b]], extra[b : b + 1], present[b : b + 1, valid[b]])
        torch.testing.assert_close(x_out[b : b + 1, valid[b]], alone)
        torch.testing.assert_close(extra_out[b : b + 1], extra_alone)


def test_merging_the_windows_of_an_axis_gives_it_back() -> None:
    x_BAND = torch.randn(2, 7, 3, 4, dtype=torch.float64)
    cut = windows_of(torch.ones(2, 7, dtype=torch.bool), 4, 2, shifted=True)
    torch.testing.assert_close(merge(x_BAND[:, cut.steps_BSA[0]], cut, 7), x_BAND)


@pytest.mark.parametrize("shifted", [False, True])
def test_one_window_over_the_axis_is_full_attention(shifted: bool) -> None:
    own = windows(window=9, stride=4, shifted=shifted)
    x, extra = torch.randn(2, 5, 3, 8).double(), torch.randn(2, 2, 8).double()
    x_out, extra_out = own(x, extra)
    everything = torch.cat([x.flatten(1, 2), extra], dim=1)
    full = own.attention(everything, everything)
    torch.testing.assert_close(x_out, full[:, :15].unflatten(1, (5, 3)))
    torch.testing.assert_close(extra_out, full[:, 15:])


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("length,window,stride", [(7, 4, 2), (6, 4, 2), (5, 2, 1), (8, 4, 4), (9, 3, 1)])
def test_windows_one_by_one(length: int, window: int, stride: int, shifted: bool) -> None:
    """Algorithms A1 and A2: a set of query windows, a set of key and value windows, attention pair by pair."""
    module = windows(window, stride, shifted)
    x, extra = torch.randn(2, length, 3, 8).double(), torch.randn(2, 2, 8).double()
    present = torch.rand(2, length, 3) > 0.3
    starts = starts_of(length, window, stride)
    total, count = torch.zeros_like(x), torch.zeros(length).double()
    extras = []
    for i, start in enumerate(starts):
        key = start
        if shifted:
            key = starts[0] if start == starts[-1] else starts[i + 1]
        queries = torch.cat([x[:, start : start + window].flatten(1, 2), extra], dim=1)
        keys = torch.cat([x[:, key : key + window].flatten(1, 2), extra], dim=1)
        mask = torch.cat([present[:, key : key + window].flatten(1), torch.ones(2, 2, dtype=torch.bool)], dim=1)
        attention = module.attention
        out = attention.out(attention.mix(attention.query(queries), attention.key(keys), attention.value(keys), mask))
        total[:, start : start + window] += out[:, : window * 3].unflatten(1, (window, 3))
        count[start : start + window] += 1
        extras.append(out[:, window * 3 :])
    x_out, extra_out = module(x, extra, present)
    torch.testing.assert_close(x_out, total / count[:, None, None])
    torch.testing.assert_close(extra_out, torch.stack(extras).mean(dim=0))


def test_windows_without_keys_do_not_count() -> None:
    module = windows(window=2, stride=2, shifted=False)
    x, extra = torch.randn(1, 6, 3, 8).double(), torch.randn(1, 1, 8).double()
    present = torch.zeros(1, 6, 3, dtype=torch.bool)
    present[:, 2:4] = True
    alone = module(x[:, 2:4], extra, present[:, 2:4])[1]
    torch.testing.assert_close(module(x, extra, present)[1], alone)
    assert module(x, extra, torch.zeros_like(present))[1].isfinite().all()
