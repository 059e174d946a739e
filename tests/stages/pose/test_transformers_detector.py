"""Object detectors of transformers: small ones with random weights, beside what transformers itself makes of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.errors import StageError
from stages.pose.transformers_detector import RTDETR

LABELS = {0: "bicycle", 1: "car", 2: "Person", 3: "dog"}


def rt_detr() -> tuple[Any, Any]:
    from transformers import RTDetrImageProcessor, RTDetrResNetConfig, RTDetrV2Config, RTDetrV2ForObjectDetection

    backbone = RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 24, 32],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = RTDetrV2Config(
        backbone_config=backbone,
        encoder_in_channels=[16, 24, 32],
        encoder_hidden_dim=16,
        encoder_ffn_dim=16,
        encoder_attention_heads=2,
        d_model=16,
        decoder_ffn_dim=16,
        decoder_attention_heads=2,
        decoder_in_channels=[16, 16, 16],
        decoder_layers=2,
        num_queries=20,
        id2label=LABELS,
    )
    return RTDetrV2ForObjectDetection(config), RTDetrImageProcessor(size={"height": 96, "width": 96})


def yolos() -> tuple[Any, Any]:
    from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessor

    config = YolosConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=[64, 64],
        patch_size=16,
        num_detection_tokens=10,
        id2label=LABELS,
    )
    return YolosForObjectDetection(config), YolosImageProcessor(size={"shortest_edge": 64, "longest_edge": 96})


def saved(make: Callable[[], tuple[Any, Any]], folder: Path) -> Path:
    """The file of its weights. They are random, but find something of each category."""
    torch.manual_seed(0)
    model, processor = make()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "class" in name or "detection_tokens" in name:
                parameter.normal_()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder / "model.safetensors"


@pytest.fixture
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (60, 80, 3), dtype=np.uint8) for _ in range(3)]


@pytest.mark.parametrize("make", [rt_detr, yolos])
def test_people_are_those_that_transformers_finds(
    make: Callable[[], Any], images: list[np.ndarray], tmp_path: Path
) -> None:
    from transformers import AutoImageProcessor, AutoModelForObjectDetection

    path = saved(make, tmp_path)
    model = AutoModelForObjectDetection.from_pretrained(tmp_path, local_files_only=True).eval()
    processor = AutoImageProcessor.from_pretrained(tmp_path, local_files_only=True)
    found = RTDETR(path, "cpu").detect(images)
    assert len(found) == len(images)
    for image, boxes in zip(images, found, strict=True):
        with torch.inference_mode():
            outputs = model(**processor(image, return_tensors="pt"))
        [expected] = processor.post_process_object_detection(outputs, threshold=0.05, target_sizes=[(60, 80)])
        people = expected["labels"] == 2
        assert 0 < people.sum() < len(people)
        edges = expected["boxes"][people].numpy().clip(0, [80, 60, 80, 60])
        np.testing.assert_allclose(boxes, np.column_stack([edges, expected["scores"][people].numpy()]), atol=1e-3)


def test_what_surrounds_an_image_does_not_change_its_people(images: list[np.ndarray], tmp_path: Path) -> None:
    detector = RTDETR(saved(rt_detr, tmp_path), "cpu")
    alone = [detector.detect([image])[0] for image in images]
    for one, other in zip(alone, detector.detect(images), strict=True):
        np.testing.assert_array_equal(one, other)
    assert detector.detect([]) == []


def test_other_folders_are_refused_by_name(tmp_path: Path) -> None:
    path = saved(yolos, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())

    def refused(match: str, **changes: Any) -> None:
        (tmp_path / "config.json").write_text(json.dumps(config | changes))
        with pytest.raises(StageError, match=match):
            RTDETR(path, "cpu")

    refused(r"config\.json describes a vitpose, which is not an object detector", model_type="vitpose")
    refused(r"config\.json describes a florp, which transformers does not know", model_type="florp")
    refused(r"config\.json describes a None", model_type=None)
    cats = ["bicycle", "car", "cat", "dog"]
    refused(r"config\.json has no category person, but bicycle, car, cat, dog …", id2label=dict(enumerate(cats)))
    refused(r"model\.safetensors does not fit the detr that is described: it holds fewer weights", model_type="detr")
    refused(r"model\.safetensors does not fit the yolos that is described: ", hidden_size="wide")
    (tmp_path / "preprocessor_config.json").unlink()
    refused(r"preprocessor_config\.json not found: it belongs to the weights in that folder")
