"""YOLO pose models, which find people and their keypoints in one pass, through ultralytics (AGPL-3.0, optional)."""

from pathlib import Path

import numpy as np

from pipeline.errors import StageError
from recognizer.skeletons import COCO17

try:
    from ultralytics import YOLO
except ImportError as error:
    raise StageError(
        "estimator: yolo needs ultralytics (AGPL-3.0), which is not installed: pip install 'action-pipeline[yolo]'"
    ) from error


class YoloPose:
    """A YOLO pose model exported to ONNX, on the CPU: its ``.pt`` files are pickles, which could run any code."""

    layout = COCO17

    def __init__(self, weights: Path, min_score: float) -> None:
        if weights.suffix != ".onnx":
            raise StageError(
                f"estimator: yolo reads models exported to ONNX, not {weights.name}. "
                f"Export it once: yolo export model={weights.name} format=onnx"
            )
        self.model = YOLO(str(weights), task="pose")
        self.min_score = min_score

    def people(self, images: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each RGB image (uint8 H,W,3) the boxes N,5 (x1, y1, x2, y2, score) and keypoints N,17,3 in pixels."""
        found = []
        for image in images:
            bgr = np.ascontiguousarray(image[..., ::-1])
            (result,) = self.model.predict(bgr, conf=self.min_score, device="cpu", verbose=False)
            boxes = np.column_stack([result.boxes.xyxy.numpy(), result.boxes.conf.numpy()])
            found.append((boxes.astype(float), result.keypoints.data.numpy().astype(float)))
        return found
