import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer

GOLDEN = Path(__file__).with_name("golden.json")


def small(**changes: Any) -> Recognizer:
    """A small recognizer with fixed weights, whose offsets and biases are not zero."""
    fields = {"class_names": ("sit", "stand", "wave"), "width": 8, "frames": 4, "size": 32, "search_kernel": 3}
    torch.manual_seed(0)
    recognizer = Recognizer(RecognizerConfig.model_validate(fields | changes)).eval()
    with torch.no_grad():
        for parameter in recognizer.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return recognizer


def some_clips(
    clips: int = 2, persons: int = 2, frames: int = 4, joints: int = 17, height: int = 32, width: int = 32
) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.rand(clips, 3, frames, height, width, generator=generator),
        torch.rand(clips, persons, frames, joints, 3, generator=generator) * 0.9 + 0.1,
    )


SWITCHES: list[dict[str, Any]] = [
    {},
    {"modality": "rgb"},
    {"frame_motion": True},
    {"modality": "pose"},
    {"modality": "pose", "modal_tokens": "none", "joint_coordinates": True, "joint_identity": True},
    {"modality": "pose", "joint_motion": True, "joint_posture": True},
    {"modality": "rgb", "modal_tokens": "none"},
    {"modal_tokens": "shared"},
    {"modal_tokens": "none"},
    {"stem_stride": 4},
    {"deformable_attention": False},
    {"joint_attention": False},
    {"temporal_attention": False},
    {"deformable_attention": False, "joint_attention": False, "temporal_attention": False, "modal_tokens": "none"},
    {"dense_offsets": True, "offset_range": "volume", "pre_norm": False, "window_keys": "own"},
    {"joint_coordinates": True, "joint_identity": True, "window_joints": 40, "window_frames": 2, "stride_frames": 2},
]


def inputs(recognizer: Recognizer, frames: Tensor, keypoints: Tensor) -> tuple[Tensor | None, Tensor | None]:
    config = recognizer.config
    return frames if config.uses_rgb else None, keypoints if config.uses_pose else None


@pytest.mark.parametrize("changes", SWITCHES, ids=str)
def test_every_switch_trains_all_its_parameters(changes: dict[str, Any]) -> None:
    recognizer = small(**changes).train()
    logits = recognizer(*inputs(recognizer, *some_clips()))
    assert logits.shape == (2, 3)
    F.cross_entropy(logits, torch.tensor([0, 2])).backward()
    for name, parameter in recognizer.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("changes", SWITCHES, ids=str)
def test_a_clip_without_anybody_is_finite(changes: dict[str, Any]) -> None:
    recognizer = small(**changes).train()
    frames, keypoints = some_clips()
    logits = recognizer(*inputs(recognizer, frames, keypoints * torch.tensor([1.0, 0.0]).reshape(2, 1, 1, 1, 1)))
    logits.sum().backward()
    assert logits.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in recognizer.parameters())


@pytest.mark.parametrize("frames,height,width", [(1, 32, 32), (2, 24, 56), (3, 33, 50), (9, 64, 40)])
@pytest.mark.parametrize("modality", ["rgb+pose", "rgb", "pose"])
def test_other_lengths_and_sizes(modality: str, frames: int, height: int, width: int) -> None:
    recognizer = small(modality=modality, joint_identity=True)
    clips = some_clips(frames=frames, height=height, width=width)
    assert recognizer(*inputs(recognizer, *clips)).isfinite().all()


@pytest.mark.parametrize("joints,persons", [(13, 1), (25, 2), (50, 1), (17, 4)])
def test_any_number_of_joints_and_persons(joints: int, persons: int) -> None:
    assert small()(*some_clips(joints=joints, persons=persons)).isfinite().all()


@pytest.mark.parametrize(
    "changes", [{}, {"modality": "pose"}, {"modal_tokens": "none"}, {"window_keys": "own"}], ids=str
)
def test_the_coordinates_of_missing_joints_do_not_matter(changes: dict[str, Any]) -> None:
    recognizer = small(joint_coordinates=True, joint_posture=True, **changes)
    frames, keypoints = some_clips()
    keypoints[:, 1, :, :, 2] = 0
    keypoints[:, 0, :, 3, 2] = 0
    elsewhere = keypoints.clone()
    elsewhere[:, 1, :, :, :2] = float("nan")
    elsewhere[:, 0, :, 3, :2] = 0.77
    torch.testing.assert_close(
        recognizer(*inputs(recognizer, frames, elsewhere)), recognizer(*inputs(recognizer, frames, keypoints))
    )


@pytest.mark.parametrize(
    "changes", [{}, {"modality": "pose"}, {"modal_tokens": "none"}, {"window_keys": "own"}], ids=str
)
@pytest.mark.parametrize("window_joints", [4, 17, 20, 99])
def test_an_absent_person_is_as_good_as_none(window_joints: int, changes: dict[str, Any]) -> None:
    """Also the first of two persons, and in a batch with a clip in which both are present."""
    recognizer = small(window_joints=window_joints, joint_identity=True, joint_posture=True, **changes)
    frames, keypoints = some_clips(clips=3)
    keypoints[0, 1] = keypoints[1, 0] = 0
    logits = recognizer(*inputs(recognizer, frames, keypoints))
    for clip, persons in enumerate(([0], [1], [0, 1])):
        alone = recognizer(*inputs(recognizer, frames[clip : clip + 1], keypoints[clip : clip + 1, persons]))
        torch.testing.assert_close(logits[clip : clip + 1], alone)


@pytest.mark.parametrize("modality", ["rgb+pose", "rgb", "pose"])
@pytest.mark.parametrize("length", [2, 5])
def test_mixed_precision_gives_nearly_the_same(modality: str, length: int) -> None:
    """Gradients too. They are closer where no convolution is in bfloat16: with skeletons alone, and with two frames."""
    recognizer = small(modality=modality)
    clips = inputs(recognizer, *some_clips(frames=length))
    weights = list(recognizer.parameters())
    logits = recognizer(*clips)
    gradients = torch.autograd.grad(logits.square().sum(), weights, materialize_grads=True)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = recognizer(*clips).float()
    mixed_gradients = torch.autograd.grad(mixed.square().sum(), weights, materialize_grads=True)
    torch.testing.assert_close(mixed, logits, rtol=0.1, atol=0.05)
    one, other = (torch.cat([gradient.flatten() for gradient in each]) for each in (gradients, mixed_gradients))
    assert torch.cosine_similarity(one, other, dim=0) > (0.995 if modality == "pose" or length == 2 else 0.95)


def test_frame_motion_sees_only_what_moves() -> None:
    recognizer = small(modality="rgb", frame_motion=True)
    frames, _ = some_clips()
    scenery = torch.rand(len(frames), 3, 1, *frames.shape[3:])
    torch.testing.assert_close(recognizer(frames + scenery, None), recognizer(frames, None))
    assert (recognizer(frames + torch.rand_like(frames), None) - recognizer(frames, None)).abs().max() > 1e-4


def test_clips_of_a_batch_do_not_see_each_other() -> None:
    recognizer = small()
    frames, keypoints = some_clips(clips=3)
    keypoints[1] = 0
    together = recognizer(frames, keypoints)
    for i in range(3):
        torch.testing.assert_close(recognizer(frames[i : i + 1], keypoints[i : i + 1]), together[i : i + 1])


def test_order_of_frames_and_place_matter() -> None:
    recognizer = small()
    frames, keypoints = some_clips()
    logits = recognizer(frames, keypoints)
    assert (recognizer(frames.flip(2), keypoints.flip(2)) - logits).abs().max() > 1e-4
    assert (recognizer(frames, keypoints.roll(1, dims=3)) - logits).abs().max() > 1e-4


@pytest.mark.parametrize(
    "changes,frames,keypoints,text",
    [
        ({}, None, (2, 2, 4, 17, 3), "needs frames"),
        ({}, (2, 3, 4, 32, 32), None, "needs keypoints"),
        ({"modality": "rgb"}, (2, 4, 32, 32, 3), None, "frames must be B,3,T,H,W"),
        ({"modality": "pose"}, None, (2, 2, 4, 17, 2), "keypoints must be B,M,T,R,3"),
        ({}, (2, 3, 4, 32, 32), (2, 2, 5, 17, 3), "do not match the 2 clips of 4 frames"),
    ],
)
def test_wrong_inputs_are_named(changes: dict[str, Any], frames: Any, keypoints: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        small(**changes)(frames and torch.zeros(frames), keypoints and torch.zeros(keypoints))


@pytest.mark.parametrize("changes", SWITCHES, ids=str)
def test_saved_and_loaded_it_gives_the_same(changes: dict[str, Any], tmp_path: Path) -> None:
    recognizer = small(**changes, preprocessing={"crop": "center"})
    recognizer.save_pretrained(tmp_path / "model")
    loaded = Recognizer.from_pretrained(tmp_path / "model")
    assert loaded.config == recognizer.config and not loaded.training
    clips = inputs(recognizer, *some_clips())
    torch.testing.assert_close(loaded(*clips), recognizer(*clips), rtol=0, atol=0)
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["config.json", "model.safetensors"]
    assert loaded.serialize() == recognizer.serialize()


def test_golden_logits() -> None:
    """The recorded results of each switch's network on seven frames, so that there are several windows in time.

    A change that is meant to change them rewrites the file: ``python tests/recognizer/test_model.py``.
    """
    golden = json.loads(GOLDEN.read_text())
    found = golden_values()
    assert found.keys() == golden.keys()
    for name, (logits, loss) in found.items():
        torch.testing.assert_close(logits, golden[name]["logits"], rtol=1e-4, atol=1e-4)
        assert loss == pytest.approx(golden[name]["loss"], abs=1e-4)


def golden_values() -> dict[str, tuple[list[list[float]], float]]:
    values = {}
    for changes in SWITCHES:
        recognizer = small(frames=7, **changes)
        logits = recognizer(*inputs(recognizer, *some_clips(frames=7)))
        values[json.dumps(changes)] = logits.tolist(), F.cross_entropy(logits, torch.tensor([0, 2])).item()
    return values


@pytest.mark.parametrize("modality", ["rgb+pose", "rgb", "pose"])
def test_it_can_memorize_a_few_clips(modality: str) -> None:
    torch.manual_seed(0)
    config = RecognizerConfig.model_validate(
        {"class_names": ("a", "b", "c"), "width": 8, "frames": 4, "size": 32, "search_kernel": 3, "modality": modality}
        | {"joint_coordinates": True, "joint_identity": True}
    )
    recognizer = Recognizer(config)
    clips, labels = some_clips(clips=3), torch.tensor([0, 1, 2])
    optimizer = torch.optim.AdamW(recognizer.parameters(), lr=2e-3)
    for _ in range(40):
        loss = F.cross_entropy(recognizer(*inputs(recognizer, *clips)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2
    assert recognizer(*inputs(recognizer, *clips)).argmax(dim=1).tolist() == labels.tolist()


if __name__ == "__main__":
    texts = {name: {"logits": logits, "loss": loss} for name, (logits, loss) in golden_values().items()}
    GOLDEN.write_text(json.dumps(texts, indent=1) + "\n")


@pytest.mark.gpu
@pytest.mark.parametrize("modality", ["rgb+pose", "rgb", "pose"])
def test_a_gpu_computes_the_same(exact_gpu: None, modality: str) -> None:
    frames, keypoints = some_clips()
    inputs = (frames if "rgb" in modality else None, keypoints if "pose" in modality else None)
    logits, gradients = {}, {}
    for device in ("cpu", "cuda"):
        model = small(modality=modality).train().to(device)
        found = model(*(None if x is None else x.to(device) for x in inputs))
        F.cross_entropy(found, torch.tensor([0, 2], device=device)).backward()
        logits[device] = found.detach().cpu()
        # As one vector: some parts of it, such as those of the keys' biases, are nothing but rounding.
        gradients[device] = torch.cat([p.grad.cpu().flatten() for p in model.parameters() if p.grad is not None])
    torch.testing.assert_close(logits["cuda"], logits["cpu"], rtol=1e-3, atol=1e-3)
    assert float((gradients["cuda"] - gradients["cpu"]).norm() / gradients["cpu"].norm()) < 1e-3


@torch.no_grad()
def test_an_ensemble_has_the_mean_of_its_networks_probabilities() -> None:
    frames, keypoints = some_clips()
    ensemble = small(ensemble=["pose", "rgb", "rgb+pose"])
    pose, rgb, both = ensemble.others
    first = small()
    first.load_state_dict({name: ensemble.state_dict()[name] for name in first.state_dict()})
    logits = [first(frames, keypoints), pose(None, keypoints), rgb(frames, None), both(frames, keypoints)]
    expected = torch.stack(logits).softmax(-1).mean(0)
    assert (expected - logits[0].softmax(-1)).abs().max() > 0.01
    torch.testing.assert_close(ensemble(frames, keypoints).exp(), expected)
    again = Recognizer.deserialize(*ensemble.serialize())
    assert torch.equal(again(frames, keypoints), ensemble(frames, keypoints))


def test_an_ensemble_sees_no_more_than_its_first_network() -> None:
    with pytest.raises(ValueError, match="ensemble has a network for rgb, which a recognizer for pose does not see"):
        small(modality="pose", ensemble=["pose", "rgb"])
    with pytest.raises(ValueError, match="no modal token of a pose network attends to anything"):
        small(joint_attention=False, temporal_attention=False, ensemble=["pose"])
    assert "ensemble" not in small().config.model_dump(), "the config of a single network is what it was"
