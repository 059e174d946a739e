"""torchvision's Faster R-CNN family as person detectors (Ren et al. 2015), trained on COCO."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pipeline.errors import StageError
from stages.pose.detectors import Detector
from stages.pose.zoo import ModelCard, Published, fetch

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_PERSON = 1
"""The label of people among COCO's, which torchvision's weights are trained on."""
_CATEGORIES = 91
DOWNLOADS = "https://download.pytorch.org/models/"


class FasterRCNN(Detector):
    """The one with a ResNet-50: accurate, and slow without a GPU."""

    model_name: ClassVar[str] = "fasterrcnn_resnet50_fpn_v2"
    """What torchvision calls the network."""
    batch: ClassVar[int] = 4
    weights: ClassVar[Published] = Published(DOWNLOADS + "fasterrcnn_resnet50_fpn_v2_coco-dd69338a.pth", 167)
    card = ModelCard("BSD-3-Clause", "COCO box AP 46.7 (torchvision)", 14100)

    def __init__(self, weights: Path | None, device: str) -> None:
        path = weights or fetch(self.published(), "detector_weights")
        self.model = load(self.model_name, path, device, num_classes=_CATEGORIES)
        self.device = device

    @classmethod
    def published(cls) -> Published:
        return cls.weights

    def detect(self, images: list[np.ndarray]) -> list[np.ndarray]:
        return [boxes for boxes, _ in people(self.model, images, self.batch, self.device)]


class FasterRCNNMobileNet(FasterRCNN):
    """The one with a MobileNetV3: faster, and less accurate."""

    model_name = "fasterrcnn_mobilenet_v3_large_fpn"
    weights = Published(DOWNLOADS + "fasterrcnn_mobilenet_v3_large_fpn-fb6a3cc7.pth", 74)
    card = ModelCard("BSD-3-Clause", "COCO box AP 32.8 (torchvision)", 1300)


def load(model_name: str, weights: Path, device: str, **arguments: Any) -> Module:
    """The detection network that torchvision calls ``model_name``. Raises StageError if these are not its weights."""
    import torch
    from torchvision.models import get_model

    model = get_model(model_name, weights=None, weights_backbone=None, **arguments)
    try:
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except Exception as error:
        raise StageError(f"{weights} holds no weights of torchvision's {model_name}: {error}") from error
    return model.eval().to(device)


def people(
    model: Module, images: list[np.ndarray], batch: int, device: str
) -> Iterator[tuple[np.ndarray, dict[str, Tensor]]]:
    """For each RGB image (uint8 H,W,3) the boxes of people, float N,5, and all that the network says of these people.

    batch: images that go through the network at a time; torchvision enlarges them to 800 pixels or more.
    """
    import torch

    for i in range(0, len(images), batch):
        tensors = [torch.from_numpy(image).to(device).permute(2, 0, 1).float() / 255 for image in images[i : i + batch]]
        with torch.inference_mode():
            results = model(tensors)
        for result in results:
            found = {name: values[result["labels"] == _PERSON] for name, values in result.items()}
            boxes = torch.cat([found["boxes"], found["scores"][:, None]], dim=1)
            yield boxes.double().cpu().numpy(), found
