"""ViTPose: small networks of random weights, and one whose answer is known, beside what transformers makes of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.errors import StageError
from recognizer.skeletons import COCO17
from stages.pose.crops import crop, normalized, person_regions, to_frame
from stages.pose.estimators import EstimatorSettings
from stages.pose.vitpose import ViTPose

SIZE = (64, 48)
HEIGHT, WIDTH = 150, 200
BOXES = np.array([[20.0, 10, 90, 140], [60, 30, 180, 100], [-10, 60, 50, 160]])
DOTS = np.array([[55.0, 60], [110, 60], [20, 110]])


def network(joints: int = 17, **changes: Any) -> Any:
    """A small ViTPose with random weights."""
    from transformers import VitPoseConfig, VitPoseForPoseEstimation

    torch.manual_seed(0)
    backbone = {
        "model_type": "vitpose_backbone",
        "image_size": list(SIZE),
        "patch_size": [8, 8],
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "out_indices": [1],
    }
    config = VitPoseConfig(backbone_config=backbone | changes, initializer_range=0.2, num_labels=joints)
    return VitPoseForPoseEstimation(config).eval()


def saved(model: Any, folder: Path) -> Path:
    model.save_pretrained(folder)
    return folder / "model.safetensors"


def reddest(folder: Path) -> Path:
    """A ViTPose of which each heatmap says how red each patch is."""
    model = network()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        backbone = model.backbone
        # Fixed features of high variance, so that normalization hardly changes the one that depends on the image.
        pattern = torch.tensor([0.0] + [10, -10] * 7 + [0])
        backbone.embeddings.position_embeddings[:, 1:] = pattern
        backbone.embeddings.patch_embeddings.projection.weight[0, 0] = 1 / 64
        backbone.layernorm.weight.fill_(1)
        model.head.conv.weight[:, 0, 1, 1] = 4
    return saved(model, folder)


def picture(dot: np.ndarray) -> np.ndarray:
    """A soft red dot at (x, y)."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[..., 0] = 255 * np.exp(-((x - dot[0]) ** 2 + (y - dot[1]) ** 2) / (2 * 20**2))
    return image


def crops_of(image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    regions = person_regions(boxes, SIZE)
    return np.stack([crop(image, region, SIZE) for region in regions]), regions


def processor() -> Any:
    from transformers import VitPoseImageProcessor

    return VitPoseImageProcessor(size={"height": SIZE[0], "width": SIZE[1]})


def as_xywh(boxes: np.ndarray) -> list[list[list[float]]]:
    return [np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()]


def test_keypoints_are_those_of_transformers(tmp_path: Path) -> None:
    """Within a hundredth of the region: transformers smooths heatmaps less before it refines the highest pixel."""
    from transformers import VitPoseForPoseEstimation

    estimator = ViTPose(EstimatorSettings(reddest(tmp_path)))
    theirs = VitPoseForPoseEstimation.from_pretrained(tmp_path, local_files_only=True, use_safetensors=True).eval()
    for box, dot in zip(BOXES, DOTS, strict=True):
        image, boxes = picture(dot), as_xywh(box[None])
        with torch.inference_mode():
            outputs = theirs(processor()(image, boxes=boxes, return_tensors="pt")["pixel_values"])
        [[expected]] = processor().post_process_pose_estimation(outputs, boxes=boxes)
        crops, regions = crops_of(image, box[None])
        found = estimator.keypoints(crops, flip_test=False)
        pixels = to_frame(found[..., :2], regions, SIZE)[0]
        np.testing.assert_allclose(pixels, expected["keypoints"], atol=regions[0, 3] / 100)
        np.testing.assert_allclose(found[0, :, 2], expected["scores"], atol=0.03)
        np.testing.assert_allclose(pixels, np.tile(dot, (17, 1)), atol=regions[0, 3] / 12)  # patches are 1 / 8


def test_crops_are_those_of_transformers_but_for_a_pixel_of_the_scale() -> None:
    """Its crops show 47 of our 48 pixels of a region; of a region that much larger, ours are the same."""
    y, x = np.mgrid[: 4 * HEIGHT, : 4 * WIDTH]
    image = np.stack([127 + 120 * np.sin(x / 9 + c) * np.cos(y / 11) for c in range(3)], axis=2).astype(np.uint8)
    boxes = BOXES + 200
    expected = processor()(image, boxes=as_xywh(boxes), return_tensors="pt")["pixel_values"].numpy()
    ours, regions = crops_of(image, boxes)
    assert np.abs(normalized(ours) - expected).max() > 0.1
    regions[:, 2:] *= np.array([48 / 47, 64 / 63])
    same = np.stack([crop(image, region, SIZE) for region in regions])
    assert np.abs(normalized(same) - expected).max() < 0.05


def test_peaks_are_found_where_transformers_finds_them() -> None:
    """Heatmaps as in training: Gaussians around each joint."""
    from transformers.models.vitpose.image_processing_vitpose import get_keypoint_predictions
    from transformers.models.vitpose.image_processing_vitpose import post_dark_unbiased_data_processing as refined

    from stages.pose.heatmaps import decode

    points = np.random.default_rng(0).uniform([6, 6], [41, 57], (2, 17, 2))
    y, x = np.mgrid[:64, :48]
    squares = (x - points[..., 0, None, None]) ** 2 + (y - points[..., 1, None, None]) ** 2
    heatmaps = np.exp(-squares / (2 * 2.0**2)).astype(np.float32)
    theirs = refined(get_keypoint_predictions(heatmaps)[0], heatmaps, kernel=11)
    np.testing.assert_allclose(decode(heatmaps)[0], theirs, atol=0.05)
    np.testing.assert_allclose(decode(heatmaps)[0], points, atol=0.05)


def test_the_mirrored_crop_gives_the_mirrored_keypoints(tmp_path: Path) -> None:
    estimator = ViTPose(EstimatorSettings(saved(network(), tmp_path)))
    crops = np.random.default_rng(1).integers(0, 256, (3, *SIZE, 3), dtype=np.uint8)
    mirror = np.ascontiguousarray(crops[:, :, ::-1])

    def difference(flip_test: bool) -> float:
        back = estimator.keypoints(mirror, flip_test)[:, list(COCO17.flip)]
        back[..., 0] = SIZE[1] - 1 - back[..., 0]
        return np.abs(estimator.keypoints(crops, flip_test) - back).max()

    assert difference(flip_test=True) < 1e-2
    assert difference(flip_test=False) > 1


def test_of_several_experts_the_first_one_is_asked(tmp_path: Path) -> None:
    model = network(num_experts=3, part_features=4)
    crops = np.random.default_rng(1).integers(0, 256, (2, *SIZE, 3), dtype=np.uint8)
    experts = model.backbone.encoder.layer[0].mlp.experts

    def heatmaps() -> np.ndarray:
        return ViTPose(EstimatorSettings(saved(model, tmp_path))).heatmaps(crops)

    before = heatmaps()
    assert before.shape == (2, 17, 32, 24)
    with torch.no_grad():
        experts[1].weight.zero_()
        experts[2].weight.zero_()
    np.testing.assert_array_equal(heatmaps(), before)
    with torch.no_grad():
        experts[0].weight.zero_()
    assert np.abs(heatmaps() - before).max() > 1e-4


def test_weights_of_half_precision_are_computed_with_in_full(tmp_path: Path) -> None:
    path = saved(network().to(torch.bfloat16), tmp_path)
    crops = np.zeros((1, *SIZE, 3), np.uint8)
    estimator = ViTPose(EstimatorSettings(path))
    assert {parameter.dtype for parameter in estimator.model.parameters()} == {torch.float32}
    assert np.isfinite(estimator.keypoints(crops, flip_test=True)).all()


def test_other_models_are_refused_by_name(tmp_path: Path) -> None:
    path = saved(network(joints=16), tmp_path)
    with pytest.raises(StageError, match=r"model\.safetensors finds 16 joints; vitpose takes models of the 17 of COCO"):
        ViTPose(EstimatorSettings(path))
    (tmp_path / "config.json").write_text('{"model_type": "rt_detr_v2"}')
    with pytest.raises(StageError, match=r"config\.json describes a rt_detr_v2, not a vitpose"):
        ViTPose(EstimatorSettings(path))
    (tmp_path / "config.json").unlink()
    with pytest.raises(StageError, match=r"model\.safetensors does not fit .* fewer weights than the 125,395,473"):
        ViTPose(EstimatorSettings(path))
