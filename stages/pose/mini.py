"""Two small models for the synthetic demo: ``hrnet_mini`` estimates the skeleton in a crop, and a detector of the same
family finds the people in a frame. Their weights ship with the package; ``benchmarks/train_mini_pose.py`` trained them,
and measured on 875 frames of 96 held-out clips with 1036 people:

    hrnet_mini   PCK@0.2 of the torso's length 0.972, hidden joints included, in the true boxes; 1.6 ms per crop
    detector     recall 0.986, precision 0.989 at an intersection over union of 0.5; 1.9 ms per frame

(times on one core of an AMD EPYC). They know drawn people only.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from recognizer.skeletons import COCO17
from stages.pose.detectors import Detector
from stages.pose.estimators import EstimatorSettings, HeatmapEstimator
from stages.pose.zoo import ModelCard

WEIGHTS = Path(__file__).parent / "weights"


def _shipped() -> list[Path]:
    """The weights of both models: they are released together, so they count as one in keys."""
    return sorted(WEIGHTS.iterdir())


class HRNetMini(HeatmapEstimator):
    """``hrnet_mini``: heatmaps of the one person in a crop."""

    card = ModelCard("Apache-2.0", "PCK@0.2 0.972 on the demo's drawn people", 1.6)
    input_size = (96, 80)
    cpu_batch = 16
    layout = COCO17

    def __init__(self, settings: EstimatorSettings) -> None:
        from stages.pose.mini_network import build_estimator, load_weights

        self.device = settings.device
        self.model = load_weights(build_estimator(), WEIGHTS / "hrnet_mini.safetensors", self.device)

    @classmethod
    def files(cls, weights: Path | None) -> Sequence[Path]:
        return _shipped()

    def heatmaps(self, crops: np.ndarray) -> np.ndarray:
        """float32 B,17,24,20 of RGB crops uint8 B,96,80,3; the highest value is 1 where the model is certain."""
        import torch

        from stages.pose.mini_network import joint_heatmaps, pixels

        with torch.inference_mode():
            return joint_heatmaps(self.model(pixels(crops, self.device)).float()).cpu().numpy()


class MiniDetector(Detector):
    """Finds people in frames."""

    card = ModelCard("Apache-2.0", "recall 0.986, precision 0.989 on the demo's drawn people", 1.9)
    takes_weights = False
    uses_gpu = False
    batch: ClassVar[int] = 32

    def __init__(self, weights: Path | None, device: str) -> None:
        from stages.pose.mini_network import build_detector, load_weights

        self.device = device
        self.model = load_weights(build_detector(), WEIGHTS / "detector_mini.safetensors", device)

    @classmethod
    def files(cls, weights: Path | None) -> Sequence[Path]:
        return _shipped()

    def detect(self, images: list[np.ndarray]) -> list[np.ndarray]:
        """For each RGB image (uint8 H,W,3, any sizes) boxes float32 N,5, best first: x1, y1, x2, y2 in pixels of the
        image, and a score."""
        import torch

        from stages.pose.mini_network import fit_to_square, peak_scores, person_boxes, pixels

        found = []
        for start in range(0, len(images), self.batch):
            batch = images[start : start + self.batch]
            with torch.inference_mode():
                maps = (
                    self.model(pixels(np.stack([fit_to_square(image) for image in batch]), self.device)).float().cpu()
                )
            rows = zip(peak_scores(maps[:, 0]), maps[:, 1:], batch, strict=True)
            found += [person_boxes(scores, distances, *image.shape[:2]) for scores, distances, image in rows]
        return found
