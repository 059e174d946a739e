"""The small models of the package on clips that nobody trained them with."""

from pathlib import Path

import numpy as np
import pytest
import torch

from recognizer.skeletons import COCO17
from stages.pose import mini
from stages.pose.crops import crop, person_regions, to_frame
from stages.pose.heatmaps import decode
from stages.synthetic.actions import ACTIONS
from stages.synthetic.clip import Clip, Drawn, draw

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def clips() -> list[Drawn]:
    return [draw(Clip(31, "test", action, 0, 128)) for action in ACTIONS]


def test_weights_fit_the_package() -> None:
    assert (mini.WEIGHTS / "hrnet_mini.safetensors").stat().st_size < 2_000_000
    assert (mini.WEIGHTS / "detector_mini.safetensors").stat().st_size < 1_000_000


def test_the_estimator_finds_joints(clips: list[Drawn]) -> None:
    """Share of joints off by less than 0.2 torsos; the full measurement is in benchmarks/train_mini_pose.py."""
    estimator = mini.load_mini_estimator(CPU)
    correct = []
    for clip in clips:
        for keypoints, boxes in zip(clip.keypoints[:, ::8], clip.boxes[:, ::8], strict=True):
            regions = person_regions(boxes, estimator.input_size)
            crops = [
                crop(image, region, estimator.input_size)
                for image, region in zip(clip.frames[::8], regions, strict=True)
            ]
            heatmaps = estimator.heatmaps(np.stack(crops))
            assert heatmaps.dtype == np.float32
            assert heatmaps.shape == (len(crops), COCO17.count, 24, 20)
            found = to_frame(decode(heatmaps)[0], regions, heatmaps.shape[2:])
            left, right = COCO17.joints.index("left_shoulder"), COCO17.joints.index("right_hip")
            torso = np.linalg.norm(keypoints[:, left, :2] - keypoints[:, right, :2], axis=1)
            error = np.linalg.norm(found - keypoints[:, :, :2], axis=2) / torso[:, None]
            correct.append(error[keypoints[:, :, 2] > 0] < 0.2)
    assert np.concatenate(correct).mean() > FLOOR


FLOOR = 0.80


def test_the_detector_finds_people(clips: list[Drawn]) -> None:
    detector = mini.load_mini_detector(CPU)
    right = total = 0
    for clip in clips:
        truth = torch.from_numpy(clip.boxes[:, ::8])
        for t, found in enumerate(detector.detect(clip.frames[::8])):
            assert found.shape[1] == 5
            assert (np.diff(found[:, 4]) <= 0).all()
            boxes = torch.from_numpy(found)
            right += sum(any(mini.overlap(box, true) > 0.5 for box in boxes) for true in truth[:, t])
            total += max(len(truth), len(boxes))
    assert right > 0.9 * total


def test_images_of_any_size_in_one_call(clips: list[Drawn]) -> None:
    detector = mini.load_mini_detector(CPU)
    one = next(clip for clip in clips if len(clip.boxes) == 1)
    small = one.frames[0]
    large = np.ascontiguousarray(small.repeat(3, 0).repeat(3, 1))
    found_small, found_large = detector.detect([small, large])
    assert len(found_small) == len(found_large) == 1
    assert (found_large[0, :4] + 0.5) / 3 - 0.5 == pytest.approx(found_small[0, :4], abs=2)
    assert detector.detect([]) == []


def test_overlap_and_boxes_against_hand_made_ones() -> None:
    assert mini.overlap(torch.tensor([0.0, 0, 2, 2]), torch.tensor([1.0, 0, 3, 2])) == pytest.approx(1 / 3)
    box = mini.box_at(torch.tensor([0]), torch.tensor([1]), torch.tensor([[0.125, 0, 0.25, 0.125]]))
    assert box.tolist() == [[1.5, 1.5, 13.5, 5.5]]


def test_damaged_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.torch import save_file

    save_file({"head.bias": torch.zeros(5)}, tmp_path / "hrnet_mini.safetensors")
    monkeypatch.setattr(mini, "WEIGHTS", tmp_path)
    with pytest.raises((ValueError, RuntimeError), match=r"head\.weight"):
        mini.load_mini_estimator(CPU)
