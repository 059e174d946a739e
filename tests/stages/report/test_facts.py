import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from pipeline.stage_inputs import TableFiles, VariantInputs
from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from stages.report.facts import EXPLAINED, gather
from stages.report.page import Run, render
from stages.tables import MODELS

MakeVariant = Callable[..., VariantInputs]


@pytest.mark.parametrize("modality,kinds", [("rgb+pose", 2), ("pose", 1)])
def test_what_the_network_looks_at_in_the_first_samples(
    make_variant: MakeVariant, tmp_path: Path, modality: Any, kinds: int
) -> None:
    torch.manual_seed(0)
    config = RecognizerConfig(
        class_names=("wave", "jump"), modality=modality, frames=4, size=32, width=4, blocks=1, persons=1
    )
    text, weights = Recognizer(config).serialize()
    path = tmp_path / "model.parquet"
    pq.write_table(pa.Table.from_pylist([{"config": text, "weights": weights}], schema=MODELS.schema), path)
    variant = make_variant(pose_alone=modality == "pose")
    models = TableFiles([str(path)], variant.inputs["shards"].open)
    variant = variant._replace(inputs=variant.inputs | {"models": models})
    facts, images = gather([variant], samples=EXPLAINED + 1, pool=())
    samples = json.loads(facts)["samples"]
    assert [len(sample["attention"]) for sample in samples] == [kinds] * EXPLAINED + [0]
    for found in samples[0]["attention"]:
        image = cv2.imdecode(np.frombuffer(images[found["image"]], np.uint8), cv2.IMREAD_COLOR)
        assert image.shape[1] == 1300
    page = render(json.loads(facts), images, Run.read(tmp_path))
    assert page.count("What the network attends to") == EXPLAINED
    assert page.count("Which joints the network attends to, frame by frame") == EXPLAINED


def test_networks_of_another_kind_are_not_explained(make_variant: MakeVariant) -> None:
    facts, _ = gather([make_variant()], samples=2, pool=())
    assert [sample["attention"] for sample in json.loads(facts)["samples"]] == [[], []]
