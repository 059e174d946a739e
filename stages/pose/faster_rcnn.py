"""torchvision's Faster R-CNN family as person detectors (Ren et al. 2015), trained on COCO."""

from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.errors import StageError
from stages.pose.detectors import Detector
from stages.pose.zoo import ModelCard, Published, fetch

_PERSON = 1
"""The label of people among COCO's, which torchvision's weights are trained on."""
_CATEGORIES = 91
_DOWNLOADS = "https://download.pytorch.org/models/"


class FasterRCNN(Detector):
    """The one with a ResNet-50: accurate, and slow without a GPU."""

    model_name: ClassVar[str] = "fasterrcnn_resnet50_fpn_v2"
    """What torchvision calls the network."""
    batch: ClassVar[int] = 4
    """Images that go through the network at a time; torchvision enlarges them to 800 pixels or more."""
    weights: ClassVar[Published] = Published(_DOWNLOADS + "fasterrcnn_resnet50_fpn_v2_coco-dd69338a.pth", 167)
    card = ModelCard("BSD-3-Clause", "COCO box AP 46.7 (torchvision)", 14100)

    def __init__(self, weights: Path | None, device: str) -> None:
        import torch
        from torchvision.models import get_model

        path = weights or fetch(self.published(), "detector_weights")
        self.model = get_model(self.model_name, weights=None, weights_backbone=None, num_classes=_CATEGORIES)
        try:
            self.model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except Exception as error:
            raise StageError(f"{path} holds no weights of torchvision's {self.model_name}: {error}") from error
        self.model.eval().to(device)
        self.device = device

    @classmethod
    def published(cls) -> Published:
        return cls.weights

    def detect(self, images: list[np.ndarray]) -> list[np.ndarray]:
        import torch

        found = []
        for i in range(0, len(images), self.batch):
            tensors = [
                torch.from_numpy(image).to(self.device).permute(2, 0, 1).float() / 255
                for image in images[i : i + self.batch]
            ]
            with torch.inference_mode():
                results = self.model(tensors)
            for result in results:
                people = result["labels"] == _PERSON
                boxes = torch.cat([result["boxes"][people], result["scores"][people, None]], dim=1)
                found.append(boxes.double().cpu().numpy())
        return found


class FasterRCNNMobileNet(FasterRCNN):
    """The one with a MobileNetV3: faster, and less accurate."""

    model_name = "fasterrcnn_mobilenet_v3_large_fpn"
    weights = Published(_DOWNLOADS + "fasterrcnn_mobilenet_v3_large_fpn-fb6a3cc7.pth", 74)
    card = ModelCard("BSD-3-Clause", "COCO box AP 32.8 (torchvision)", 1300)
