"""Object detectors of Hugging Face transformers, such as RT-DETR (Zhao et al. 2024), as person detectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.errors import StageError
from stages.pose.detectors import Detector
from stages.pose.transformers_model import CONFIG, PREPROCESSOR, beside, check_package, json_object, load
from stages.pose.zoo import ModelCard, Published, fetch, hub_file

_RTDETR = "PekingU/rtdetr_v2_r18vd", "5650961749fa93567c0d46fc7f43ea4f9e914107"
_LEAST = 0.05
"""Score below which a box is none."""


class RTDETR(Detector):
    """RT-DETRv2 with a ResNet-18, or the object detector in the folder of ``weights``.

    Its config.json has to name a category "person"; its preprocessor_config.json says how images are scaled.
    """

    card = ModelCard("Apache-2.0", "COCO box AP 47.9 over all categories (lyuwenyu)", 1150)
    weights: ClassVar[Published] = hub_file(
        *_RTDETR,
        "model.safetensors",
        81,
        "d18309d0d7ea57048138885c4c6ecfcb1e24506fc6153b94ad484f8ab62c7115",
        (
            hub_file(*_RTDETR, CONFIG, 81, "ed051ec77cb41c5d9d5e3af21a979b1e890599dfd68434d7636ff82ded4c1527"),
            hub_file(*_RTDETR, PREPROCESSOR, 81, "cd38cd59999e7a95d68e487fbe5132df3d4e5c32a0836add57e6126ba0c4eaf1"),
        ),
    )

    def __init__(self, weights: Path | None, device: str) -> None:
        check_package("detector: rtdetr")
        from transformers import CONFIG_MAPPING, MODEL_FOR_OBJECT_DETECTION_MAPPING, AutoImageProcessor

        path, self.device = weights or fetch(self.published(), "detector_weights"), device
        described, _ = (json_object(path.with_name(name)) for name in (CONFIG, PREPROCESSOR))
        kind = described.get("model_type")
        if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
            raise StageError(f"{path.with_name(CONFIG)} describes a {kind}, which transformers does not know")
        config_class = CONFIG_MAPPING[kind]
        if config_class not in MODEL_FOR_OBJECT_DETECTION_MAPPING:
            raise StageError(f"{path.with_name(CONFIG)} describes a {kind}, which is not an object detector")
        self.model = load(MODEL_FOR_OBJECT_DETECTION_MAPPING[config_class], config_class, described, path, device)
        config = self.model.config
        self.people = [label for label, name in config.id2label.items() if name.lower() == "person"]
        if not self.people:
            known = ", ".join(list(config.id2label.values())[:5])
            raise StageError(f"{path.with_name(CONFIG)} has no category person, but {known} …")
        self.processor = AutoImageProcessor.from_pretrained(
            path.with_name(PREPROCESSOR), config=config, local_files_only=True, trust_remote_code=False
        )

    @classmethod
    def published(cls) -> Published:
        return cls.weights

    @classmethod
    def files(cls, weights: Path | None) -> Sequence[Path]:
        return beside(weights, CONFIG, PREPROCESSOR)

    def detect(self, images: list[np.ndarray]) -> list[np.ndarray]:
        size = 1 if self.device == "cpu" else 16
        return [boxes for start in range(0, len(images), size) for boxes in self._detect(images[start : start + size])]

    def _detect(self, images: list[np.ndarray]) -> list[np.ndarray]:
        import torch

        sizes = [image.shape[:2] for image in images]
        inputs = self.processor(images, return_tensors="pt", input_data_format="channels_last").to(self.device)
        with torch.inference_mode():
            results = self.processor.post_process_object_detection(self.model(**inputs), _LEAST, sizes)
        found = []
        for (height, width), result in zip(sizes, results, strict=True):
            people = torch.isin(result["labels"], torch.tensor(self.people, device=self.device))
            boxes = result["boxes"][people].double().cpu().numpy().clip(0, [width, height] * 2)
            found.append(np.column_stack([boxes, result["scores"][people].double().cpu().numpy()]))
        return found
