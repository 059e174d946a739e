"""Weights compared with softmax by loops in float64, and with the output of the real modules."""

import math
from operator import mul
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from recognizer.attention import Attention
from recognizer.config import RecognizerConfig
from recognizer.explanation import attention_weights, explain, window_weights
from recognizer.model import Recognizer
from recognizer.token_search import sample
from recognizer.windows import WindowAttention


def weights_by_loops(attention: Attention, x: Tensor, y: Tensor, keys: Tensor | None = None) -> Tensor:
    """softmax(QKᵀ/√d), number by number. ``keys``: bool B,K, which tokens of y may be attended to."""
    q, k = attention.query(x).tolist(), attention.key(y).tolist()
    size = x.shape[-1] // attention.heads
    weights = torch.zeros(len(x), attention.heads, x.shape[1], y.shape[1], dtype=torch.float64)
    for b in range(len(x)):
        for e in range(attention.heads):
            part = slice(e * size, (e + 1) * size)
            for n in range(x.shape[1]):
                scores = [sum(map(mul, q[b][n][part], key[part])) / math.sqrt(size) for key in k[b]]
                row = [math.exp(score) for score in scores]
                if keys is not None:
                    row = [value if keys[b, i] else 0.0 for i, value in enumerate(row)]
                weights[b, e, n] = torch.tensor(row, dtype=torch.float64) / sum(row)
    return weights


def attended(attention: Attention, weights: Tensor, y: Tensor) -> Tensor:
    """The output of an attention module for given weights."""
    values = attention.value(y).unflatten(-1, (attention.heads, -1)).transpose(1, 2)
    return attention.out((weights @ values).transpose(1, 2).flatten(2))


def tiny(**changes: Any) -> Recognizer:
    """A small network in float64 whose offsets are not zero and whose attention is not even."""
    torch.manual_seed(0)
    given = {"class_names": tuple("abc"), "layout": "pennaction13", "frames": 6, "size": 32, "width": 8, "heads": 2}
    recognizer = Recognizer(RecognizerConfig(**(given | {"search_kernel": 3} | changes)))
    for name, parameter in recognizer.named_parameters():
        if name.endswith(("search.offset.weight", "query.weight", "key.weight")):
            nn.init.normal_(parameter, std=0.5)
    return recognizer.double().eval()


def clips(recognizer: Recognizer, frames: int = 6, persons: int = 2) -> tuple[Tensor | None, Tensor | None]:
    torch.manual_seed(1)
    config = recognizer.config
    images = torch.rand(2, 3, frames, 32, 24).double() if config.uses_rgb else None
    keypoints = torch.rand(2, persons, frames, config.joints, 3).double()
    keypoints[..., 2] *= torch.rand(keypoints.shape[:-1]) > 0.3
    keypoints[1, 1] = 0
    return images, keypoints if config.uses_pose else None


def test_softmax_by_loops() -> None:
    torch.manual_seed(0)
    attention = Attention(8, 2).double()
    x, y = torch.randn(2, 5, 8).double(), torch.randn(2, 4, 8).double()
    some = torch.tensor([[True, False, True, True], [False, False, True, False]])
    none = torch.zeros(2, 4, dtype=torch.bool)
    with torch.no_grad():
        for keys, allowed in ((None, None), (some, some), (none, ~none)):
            torch.testing.assert_close(
                attention_weights(attention, x, y, keys), weights_by_loops(attention, x, y, allowed)
            )
            mixed = attention.mix(attention.query(x), attention.key(y), attention.value(y), keys)
            torch.testing.assert_close(
                attended(attention, attention_weights(attention, x, y, keys), y), attention.out(mixed)
            )


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("length,window,stride", [(7, 4, 2), (5, 2, 1), (8, 4, 4), (3, 4, 2)])
def test_windows_as_one_attention(length: int, window: int, stride: int, shifted: bool) -> None:
    torch.manual_seed(0)
    module = WindowAttention(Attention(8, 2), window, stride, shifted).double()
    x, extra = torch.randn(3, length, 3, 8).double(), torch.randn(3, 2, 8).double()
    present = torch.rand(3, length, 3) > 0.4
    present[1, : length // 2 + 1] = False  # windows without keys
    present[2] = False
    valid = torch.ones(3, length, dtype=torch.bool)
    valid[0, 1] = valid[1, : length // 2 + 1] = False
    everything = torch.cat([x.flatten(1, 2), extra], dim=1)
    with torch.no_grad():
        for mask, cut in ((None, None), (present, None), (present & valid[..., None], valid)):
            weights = window_weights(module, x, extra, mask, cut)
            counts = (valid if cut is not None else valid.new_ones(valid.shape)).repeat_interleave(3, 1)
            total = weights.sum(-1)[..., : 3 * length]
            torch.testing.assert_close(total * counts[:, None], counts[:, None].expand_as(total).double())
            out = attended(module.attention, weights, everything)
            x_out, extra_out = module(x, extra, mask, cut)
            torch.testing.assert_close(out[:, : 3 * length][counts], x_out.flatten(1, 2)[counts])
            torch.testing.assert_close(out[:, 3 * length :], extra_out)


def test_windows_by_loops() -> None:
    """Algorithm A1: window by window, each with a softmax in plain loops; then the mean, token by token."""
    torch.manual_seed(0)
    module = WindowAttention(Attention(8, 2), 4, 2, shifted=True).double()
    x, extra = torch.randn(1, 7, 2, 8).double(), torch.randn(1, 3, 8).double()
    tokens = torch.cat([x.flatten(1, 2), extra], dim=1)
    rows: dict[int, list[Tensor]] = {n: [] for n in range(17)}
    for start, key in ((0, 2), (2, 3), (3, 0)):
        queries = [*range(2 * start, 2 * start + 8), 14, 15, 16]
        keys = [*range(2 * key, 2 * key + 8), 14, 15, 16]
        with torch.no_grad():
            found = weights_by_loops(module.attention, tokens[:, queries], tokens[:, keys])
        for i, query in enumerate(queries):
            row = torch.zeros(2, 17, dtype=torch.float64)
            row[:, keys] = found[0, :, i]
            rows[query].append(row)
    expected = torch.stack([torch.stack(rows[n]).mean(0) for n in range(17)], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(window_weights(module, x, extra)[0], expected)


@pytest.mark.parametrize("window_keys", ["shifted", "own"])
@pytest.mark.parametrize("modal_tokens", ["cross", "shared", "none"])
def test_what_a_recognizer_really_attends_to(modal_tokens: str, window_keys: str) -> None:
    """In both blocks: means over softmax by loops, from the recorded inputs and outputs of the modules."""
    recognizer = tiny(modal_tokens=modal_tokens, window_keys=window_keys, width=4)
    modal = {"cross": 2, "shared": 1, "none": 0}[modal_tokens] * 6
    seen: dict[nn.Module, tuple[tuple[Tensor, ...], Any]] = {}
    for module in recognizer.modules():
        module.register_forward_hook(lambda module, args, out: seen.__setitem__(module, (args, out)))
    images, keypoints = clips(recognizer)
    explanation = explain(recognizer, images, keypoints)
    assert len(explanation.blocks) == 2
    with torch.no_grad():
        torch.testing.assert_close(explanation.logits, recognizer(images, keypoints))
        for block, explained in zip(recognizer.blocks, explanation.blocks, strict=True):
            (x, y), out = seen[block.deformable.attention]
            weights = weights_by_loops(block.deformable.attention, x[:1], y[:1])
            torch.testing.assert_close(attended(block.deformable.attention, weights, y[:1]), out[:1])
            found = y.shape[1] - modal
            sampled = explained.sampled
            torch.testing.assert_close(sampled.from_all_BK[:1], weights[..., :found].mean(dim=(1, 2)))
            from_modal = weights[:, :, -modal:] if modal else weights
            torch.testing.assert_close(sampled.from_modal_BK[:1], from_modal[..., :found].mean(dim=(1, 2)))
            if modal_tokens == "cross":
                assert 0 < sampled.from_modal_BK.sum() < 2

            (p, m, present, valid), (p_out, m_out) = seen[block.joint.windows]
            weights = window_weights(block.joint.windows, p, m, present, valid)
            out = attended(block.joint.windows.attention, weights, torch.cat([p.flatten(1, 2), m], dim=1))
            torch.testing.assert_close(out, torch.cat([p_out.flatten(1, 2), m_out], dim=1))
            received = explained.joints.from_modal_BTJ
            assert received.shape == (2, 6, 26)
            for b, t, j in ((0, 0, 0), (0, 5, 25), (1, 3, 4)):
                key = j * 6 + t
                queries = torch.cat([present[b].flatten(), torch.ones(modal, dtype=torch.bool)])
                of_all = weights[b, :, queries, key].mean()
                torch.testing.assert_close(explained.joints.from_all_BTJ[b, t, j], of_all)
                of_modal = weights[b, :, -modal:, key].mean() if modal else of_all
                torch.testing.assert_close(received[b, t, j], of_modal)
            if modal:  # otherwise a window that holds only absent joints attends to them
                assert not received[~present.mT].any()


def test_points_are_where_tokens_are_sampled() -> None:
    """Sampling a clip whose tokens are their own positions gives the points; points beyond the clip sample its edge."""
    recognizer = tiny(offset_range="volume")
    frames, rows, columns = 6, 4, 3
    t, y, x = torch.meshgrid(*(torch.arange(n).double() for n in (frames, rows, columns)), indexing="ij")
    places = torch.stack([(x + 0.5) / columns, (y + 0.5) / rows, t], dim=-1)
    images, keypoints = clips(recognizer)
    seen: list[Tensor] = []
    search = recognizer.blocks[0].deformable.search
    search.register_forward_hook(lambda module, args, out: seen.append(args[0]))
    sampled = explain(recognizer, images, keypoints).blocks[0].sampled
    with torch.no_grad():
        points = search.points(seen[0])
    assert (points.abs() > 1).any()
    torch.testing.assert_close(sampled.points_BK3, sample(places.expand(2, -1, -1, -1, -1), points).flatten(1, 3))


@pytest.mark.parametrize("window_keys", ["shifted", "own"])
def test_even_shares_are_those_of_equal_scores(window_keys: str) -> None:
    recognizer = tiny(window_keys=window_keys)
    for block in recognizer.blocks:
        nn.init.zeros_(block.joint.windows.attention.query.weight)
    frames, keypoints = clips(recognizer)
    joints = explain(recognizer, frames, keypoints).blocks[1].joints
    torch.testing.assert_close(joints.from_modal_BTJ, joints.even_BTJ)
    present_BTJ = keypoints[..., 2].transpose(1, 2).flatten(2) > 0
    assert torch.equal(joints.even_BTJ > 0, present_BTJ)


@pytest.mark.parametrize("modality", ["rgb", "pose"])
def test_one_modality(modality: str) -> None:
    recognizer = tiny(modality=modality)
    images, keypoints = clips(recognizer)
    if modality == "pose":  # whose feature map is always float32
        recognizer, keypoints = recognizer.float(), keypoints.float()
    explained = explain(recognizer, images, keypoints).blocks[1]
    assert (explained.sampled is not None, explained.joints is not None) == (modality == "rgb", modality == "pose")


def test_modules_that_are_off_and_hooks_that_are_gone() -> None:
    recognizer = tiny(joint_attention=False, deformable_attention=False)
    assert explain(recognizer, *clips(recognizer)).blocks == ((None, None), (None, None))
    recognizer = tiny()
    explain(recognizer, *clips(recognizer))
    assert not any(module._forward_pre_hooks for module in recognizer.modules())
