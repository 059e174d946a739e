"""torchvision's Faster R-CNN family as person detectors (Ren et al. 2015), trained on COCO."""

from pathlib import Path

import numpy as np
import torch
from torchvision.models import detection

from pipeline.errors import StageError
from stages.pose.zoo import fetch

_PERSON = 1
"""The label of people among COCO's, to which torchvision's weights are trained."""


class FasterRCNN:
    """One of the family, by the name a manifest gives under ``detector``."""

    models = {
        "faster_rcnn": (detection.fasterrcnn_resnet50_fpn_v2, detection.FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1),
        "faster_rcnn_mobilenet": (
            detection.fasterrcnn_mobilenet_v3_large_fpn,
            detection.FasterRCNN_MobileNet_V3_Large_FPN_Weights.COCO_V1,
        ),
    }
    together = 4
    """Images that go through the network at a time; torchvision enlarges them to 800 pixels or more."""

    def __init__(self, name: str, weights: Path | None, device: torch.device) -> None:
        build, published = self.models[name]
        path = weights or fetch(published.url, "detector_weights")
        self.model = build(weights=None, weights_backbone=None, num_classes=len(published.meta["categories"]))
        try:
            self.model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except Exception as error:
            raise StageError(f"{path} holds no weights of torchvision's {build.__name__}: {error}") from error
        self.model.eval().to(device)
        self.device = device

    @torch.inference_mode()
    def detect(self, images: list[np.ndarray]) -> list[np.ndarray]:
        found = []
        for i in range(0, len(images), self.together):
            tensors = [
                torch.from_numpy(image).to(self.device).permute(2, 0, 1).float() / 255
                for image in images[i : i + self.together]
            ]
            for result in self.model(tensors):
                people = result["labels"] == _PERSON
                boxes = torch.cat([result["boxes"][people], result["scores"][people, None]], dim=1)
                found.append(boxes.double().cpu().numpy())
        return found
