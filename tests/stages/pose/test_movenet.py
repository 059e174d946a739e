"""MoveNet and NanoDet against the outputs of the published models."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.pose_coco import evaluate
from recognizer.skeletons import COCO17
from stages.pose.estimators import EstimatorSettings
from stages.pose.movenet import MoveNetLightning, MoveNetThunder, decode
from stages.pose.movenet_multipose import MoveNetMultiPose, MultiPoseBoxes
from stages.pose.nanodet import NanoDet


@pytest.fixture(scope="module")
def weights(shared_data: Path) -> Path:
    folder = shared_data.parent / "weights"
    if not (folder / "movenet").is_dir():
        pytest.skip(f"MoveNet not found in {folder}")
    return folder


def test_the_middle_person_is_chosen_and_each_joint_sought_near_where_it_should_be() -> None:
    """Made-up outputs of one crop with a grid of 16 cells and two joints."""
    center, regression = torch.zeros(1, 16, 16), torch.zeros(1, 16, 16, 2, 2)
    heatmaps, offsets = torch.zeros(1, 16, 16, 2), torch.full((1, 16, 16, 2, 2), 0.25)
    center[0, 1, 1], center[0, 9, 6] = 0.9, 0.5  # somebody in the corner is more certain
    regression[0, 9, 6] = torch.tensor([[2.0, -3.0], [-2.0, 1.0]])  # joints at (8, 6) and (4, 10)
    heatmaps[0, 6, 8, 0], heatmaps[0, 14, 14, 0] = 0.5, 0.9  # the better one is far away
    heatmaps[0, 10, 4, 1], heatmaps[0, 10, 5, 1] = 0.5, 0.9  # and here it is next to the place
    points, scores = decode(center, regression, heatmaps, offsets)
    assert points.tolist() == [[[8.25, 6.25], [5.25, 10.25]]]
    torch.testing.assert_close(scores, torch.tensor([[0.5, 0.9]]))


@pytest.mark.parametrize("cls", [MoveNetThunder, MoveNetLightning])
def test_points_are_those_of_the_published_model(cls: type[MoveNetThunder], shared_data: Path, weights: Path) -> None:
    name = cls.__name__.removeprefix("MoveNet").lower()
    estimator = cls(EstimatorSettings(weights / "movenet" / f"movenet-{name}.json"))
    reference = np.load(shared_data / "pose_parity" / f"movenet_{name}.npz")
    G = cls.input_size[0] // 4
    with torch.inference_mode():
        center, regression, heatmaps, offsets = estimator._outputs(torch.from_numpy(reference["crops"]))
    for found, key in ((center[..., None], "center"), (heatmaps, "heatmaps")):
        np.testing.assert_allclose(found, reference[key], atol=1e-5)
    for found, key in ((regression, "regression"), (offsets, "offsets")):
        expected = reference[key].reshape(-1, G, G, 17, 2)[..., ::-1]
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())

    # The published graph prefers centers near the middle instead of leaving out those that are far from it.
    y, x = np.mgrid[:G, :G] - G // 2
    preferred = center * torch.from_numpy(1 / (np.hypot(y, x) + 1.8))
    points, scores = decode(preferred, regression, heatmaps, offsets)
    # Its factor from cells to the crop is 1 / G in half precision.
    np.testing.assert_allclose(points * float(np.float16(1 / G)), reference["points"][:, 0, :, 1::-1], atol=1e-5)
    np.testing.assert_allclose(scores, reference["points"][:, 0, :, 2], atol=1e-5)

    keypoints = estimator.keypoints(reference["crops"], flip_test=False)
    agree = np.abs((keypoints[..., :2] + 0.5) / 4 - points.numpy()).max(2) < 1e-3
    assert agree.mean() > 0.8
    alone = np.concatenate([estimator.keypoints(crop[None], flip_test=False) for crop in reference["crops"]])
    np.testing.assert_array_equal(alone, keypoints)

    flipped = estimator.keypoints(np.ascontiguousarray(reference["crops"][:, :, ::-1]), flip_test=True)
    flipped = flipped[:, list(COCO17.flip)]
    flipped[..., 0] = cls.input_size[1] - 1 - flipped[..., 0]
    both = estimator.keypoints(reference["crops"], flip_test=True)
    assert np.median(np.abs(both - flipped)[..., :2]) < 0.5
    assert (both != keypoints).any()


def test_people_are_those_of_the_published_model(shared_data: Path, weights: Path) -> None:
    path = weights / "movenet" / "movenet-multipose.json"
    estimator = MoveNetMultiPose(EstimatorSettings(path))
    reference = np.load(shared_data / "pose_parity" / "movenet_multipose.npz")
    image, people = reference["image"], reference["people"].astype(float)
    [(boxes, keypoints)] = estimator.people([image])
    np.testing.assert_allclose(boxes[:, :4] / 256, people[:, [52, 51, 54, 53]], atol=1e-5)
    np.testing.assert_allclose(boxes[:, 4], people[:, 55], atol=1e-5)
    joints = people[:, :51].reshape(6, 17, 3)
    np.testing.assert_allclose((keypoints[..., :2] + 0.5) / 256, joints[..., 1::-1], atol=1e-5)
    np.testing.assert_allclose(keypoints[..., 2], joints[..., 2], atol=1e-5)

    # Of several sizes, alone or together, and in pixels of the image.
    large = np.repeat(np.repeat(image, 2, 0), 2, 1)
    wide = np.concatenate([large, np.zeros_like(large)[:, :100]], 1)
    together = estimator.people([image, image, wide, large])
    np.testing.assert_allclose(together[3][0][:, :4], 2 * boxes[:, :4], atol=1e-6)
    np.testing.assert_allclose(together[3][1][..., :2] + 0.5, 2 * (keypoints[..., :2] + 0.5), atol=1e-6)
    assert all(np.array_equal(together[i][1], keypoints) for i in (0, 1))
    np.testing.assert_array_equal(together[2][0], estimator.people([wide])[0][0])
    np.testing.assert_array_equal(MultiPoseBoxes(path, "cpu").detect([image])[0], boxes)


def test_boxes_are_those_of_the_published_model(shared_data: Path, weights: Path) -> None:
    detector = NanoDet(weights / "nanodet" / "nanodet.json", "cpu")
    reference = np.load(shared_data / "pose_parity" / "nanodet_g.npz")
    with torch.inference_mode():
        boxes, scores = detector.decoded(torch.from_numpy(reference["image"])[None])
    first = 0
    for cells, stride in ((52, 8), (26, 16), (13, 32)):
        own = slice(first, first + cells**2)
        first += cells**2
        np.testing.assert_allclose(scores[0, own], reference[f"scores_{cells**2}"][:, 0], atol=1e-5)
        bins = np.exp(reference[f"distances_{cells**2}"].astype(float).reshape(-1, 4, 11))
        distances = (bins / bins.sum(2, keepdims=True) * range(11)).sum(2) * stride
        middles = (np.argwhere(np.ones((cells, cells)))[:, ::-1] + 0.5) * stride
        expected = np.concatenate([middles - distances[:, :2], middles + distances[:, 2:]], 1)
        np.testing.assert_allclose(boxes[0, own], expected, atol=1e-5 * 416)
    assert first == boxes.shape[1]


def test_boxes_are_in_pixels_of_the_image(shared_data: Path, weights: Path) -> None:
    detector = NanoDet(weights / "nanodet" / "nanodet.json", "cpu")
    image = np.load(shared_data / "pose_parity" / "nanodet_g.npz")["image"]
    large = np.repeat(np.repeat(image, 2, 0), 2, 1)[:700]
    [small], [found] = (boxes[boxes[:, 4] > 0.3] for boxes in detector.detect([image[:350], large]))
    np.testing.assert_allclose(found[:4], 2 * small[:4], atol=1e-6)
    assert (found[:4] >= 0).all() and (found[2:4] <= [832, 700]).all()
    assert [boxes.shape for boxes in detector.detect([np.zeros((1, 900, 3), np.uint8)])] == [(0, 5)]


@pytest.mark.parametrize(("cls", "least"), [(MoveNetThunder, 0.75), (MoveNetLightning, 0.58)])
def test_average_precision_on_coco(cls: type[MoveNetThunder], least: float, shared_data: Path, weights: Path) -> None:
    estimator = cls(EstimatorSettings(weights / "movenet" / f"{cls.weights.name}"))
    ap, ap50 = evaluate(shared_data / "coco_kp" / "coco", estimator)
    assert ap >= least
    assert ap50 >= 0.9


def test_average_precision_of_whole_images_and_of_found_boxes(shared_data: Path, weights: Path) -> None:
    folder = shared_data / "coco_kp" / "coco"
    path = weights / "movenet" / "movenet-multipose.json"
    assert evaluate(folder, MoveNetMultiPose(EstimatorSettings(path, (640, 640))))[0] >= 0.65
    lightning = MoveNetLightning(EstimatorSettings(weights / "movenet" / "movenet-lightning.json"))
    detector = NanoDet(weights / "nanodet" / "nanodet.json", "cpu")
    assert evaluate(folder, lightning, detector)[0] >= 0.5
