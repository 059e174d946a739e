"""The small models of the package on clips that nobody trained them with."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import StageError
from recognizer.skeletons import COCO17
from stages.pose import mini, mini_network
from stages.pose.boxes import iou
from stages.pose.crops import crop, person_regions, to_frame
from stages.pose.estimators import EstimatorSettings
from stages.pose.heatmaps import decode
from stages.synthetic.actions import ACTIONS
from stages.synthetic.clip import Clip, Drawn, draw

FLOOR = 0.93
"""Of the share of joints found; the benchmark measures more on more clips."""


@pytest.fixture(scope="module")
def clips() -> list[Drawn]:
    return [draw(Clip(31, "test", action, 0, 128)) for action in ACTIONS]


def test_weights_fit_the_package() -> None:
    assert (mini.WEIGHTS / "hrnet_mini.safetensors").stat().st_size < 2_000_000
    assert (mini.WEIGHTS / "detector_mini.safetensors").stat().st_size < 1_000_000


def test_the_estimator_finds_joints(clips: list[Drawn]) -> None:
    """Share of joints off by less than 0.2 torsos; the full measurement is in benchmarks/train_mini_pose.py."""
    estimator = mini.HRNetMini(EstimatorSettings())
    moments = [(clip, m, t) for clip in clips for m in range(len(clip.boxes)) for t in range(4, len(clip.frames), 10)]
    truth = np.stack([clip.keypoints[m, t] for clip, m, t in moments])
    regions = person_regions(np.stack([clip.boxes[m, t] for clip, m, t in moments]), estimator.input_size)
    images = [clip.frames[t] for clip, _, t in moments]
    crops = [crop(image, region, estimator.input_size) for image, region in zip(images, regions, strict=True)]
    heatmaps = estimator.heatmaps(np.stack(crops))
    assert heatmaps.dtype == np.float32
    assert heatmaps.shape == (len(crops), COCO17.count, 24, 20)
    places, scores = decode(heatmaps)
    found = to_frame(places, regions, heatmaps.shape[2:])
    left, right = COCO17.joints.index("left_shoulder"), COCO17.joints.index("right_hip")
    torso = np.linalg.norm(truth[:, left, :2] - truth[:, right, :2], axis=1)
    correct = np.linalg.norm(found - truth[:, :, :2], axis=2) < 0.2 * torso[:, None]
    inside = truth[:, :, 2] > 0
    assert correct[inside].mean() > FLOOR
    assert scores[inside & correct].mean() > scores[inside & ~correct].mean() + 0.1


def test_the_detector_finds_people(clips: list[Drawn]) -> None:
    moments = [(clip, t) for clip in clips for t in range(4, len(clip.frames), 10)]
    right = total = 0
    for (clip, t), found in zip(
        moments, mini.MiniDetector(None, "cpu").detect([clip.frames[t] for clip, t in moments]), strict=True
    ):
        assert found.shape[1] == 5
        assert (np.diff(found[:, 4]) <= 0).all()
        right += int((iou(found, clip.boxes[:, t]) > 0.5).any(0).sum())
        total += max(len(clip.boxes), len(found))
    assert right > 0.95 * total


def test_images_of_any_size_in_one_call(clips: list[Drawn]) -> None:
    detector = mini.MiniDetector(None, "cpu")
    one = next(clip for clip in clips if len(clip.boxes) == 1)
    small = one.frames[0]
    large = np.ascontiguousarray(small.repeat(3, 0).repeat(3, 1))
    found_small, found_large = detector.detect([small, large])
    assert len(found_small) == len(found_large) == 1
    assert (found_large[0, :4] + 0.5) / 3 - 0.5 == pytest.approx(found_small[0, :4], abs=2)
    assert detector.detect([]) == []


def test_nobody_in_an_empty_frame() -> None:
    found = mini.MiniDetector(None, "cpu").detect([np.full((90, 160, 3), 128, np.uint8)])
    assert found[0].shape == (0, 5)


def test_a_box_from_its_cell() -> None:
    box = mini_network.boxes_at(torch.tensor([0]), torch.tensor([1]), torch.tensor([[0.125, 0, 0.25, 0.125]]))
    assert box.tolist() == [[1.5, 1.5, 13.5, 5.5]]


def test_damaged_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mini, "WEIGHTS", tmp_path)
    (tmp_path / "detector_mini.safetensors").write_bytes(b"no weights")
    with pytest.raises(StageError, match=r"hrnet_mini.* is damaged: install it again"):
        mini.HRNetMini(EstimatorSettings())
    with pytest.raises(StageError, match=r"detector_mini.* is damaged: install it again"):
        mini.MiniDetector(None, "cpu")


@pytest.mark.gpu
def test_a_gpu_finds_the_same(exact_gpu: None, clips: list[Drawn]) -> None:
    images = [clip.frames[8] for clip in clips[:4]]
    for cpu, gpu in zip(*(mini.MiniDetector(None, device).detect(images) for device in ("cpu", "cuda")), strict=True):
        np.testing.assert_allclose(gpu, cpu, atol=0.05)
    cpu, gpu = (mini.HRNetMini(EstimatorSettings(device=device)) for device in ("cpu", "cuda"))
    crops = np.stack([crop(image, (0, 0, 128, 128), cpu.input_size) for image in images])
    np.testing.assert_allclose(gpu.heatmaps(crops), cpu.heatmaps(crops), atol=1e-3)
