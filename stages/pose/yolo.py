"""YOLO pose models, which find people and their keypoints in one pass, through ultralytics (AGPL-3.0, optional)."""

import numpy as np

from pipeline.errors import StageError
from recognizer.skeletons import COCO17
from stages.pose.estimators import EstimatorSettings, WholeImageEstimator
from stages.pose.zoo import ModelCard


class YoloPose(WholeImageEstimator):
    """A YOLO pose model exported to ONNX, on the CPU: its ``.pt`` files are pickles, which could run any code."""

    takes = frozenset({"weights"})
    uses_gpu = False
    layout = COCO17
    card = ModelCard("AGPL-3.0", "that of the file")

    def __init__(self, settings: EstimatorSettings) -> None:
        try:
            from ultralytics import YOLO
        except ImportError as error:
            raise StageError(
                "estimator: yolo needs ultralytics (AGPL-3.0), which is not installed: "
                "pip install 'action-pipeline[yolo]'"
            ) from error
        assert settings.weights is not None
        if settings.weights.suffix != ".onnx":
            raise StageError(
                f"estimator: yolo reads models exported to ONNX, not {settings.weights.name}. "
                f"Export it once: yolo export model={settings.weights.name} format=onnx"
            )
        self.model = YOLO(str(settings.weights), task="pose")
        self.min_score = settings.min_score

    def people(self, images: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        found = []
        for image in images:
            bgr = np.ascontiguousarray(image[..., ::-1])
            (result,) = self.model.predict(bgr, conf=self.min_score, device="cpu", verbose=False)
            boxes = np.column_stack([result.boxes.xyxy.numpy(), result.boxes.conf.numpy()])
            found.append((boxes.astype(float), result.keypoints.data.numpy().astype(float)))
        return found
