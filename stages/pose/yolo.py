"""YOLO models, through ultralytics (AGPL-3.0, optional; nothing else imports it): poses of people, or their boxes."""

from __future__ import annotations

import os
import warnings
from ast import literal_eval
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import StageError
from recognizer.skeletons import COCO17
from stages.pose.detectors import Detector
from stages.pose.estimators import EstimatorSettings, WholeImageEstimator
from stages.pose.onnx_network import why_no_cuda
from stages.pose.zoo import ModelCard, cache_folder

_FORMATS = (".onnx", ".torchscript")
"""Of the files of ``yolo export``, those that are read here.

Not .pt: these are pickles of whole networks. PyTorch's safe loading takes them only if all of ultralytics' classes are
declared safe. A file could then build them with arguments of its own, some of which are evaluated or downloaded.
"""
_LARGEST = 8192
"""Side of an image. A file that asks for more is broken or malicious."""
_LEAST = 0.05
"""Score below which a box is none."""
_ON_GPU = 16
"""Images at a time."""


class YoloPose(WholeImageEstimator):
    """A model for poses of COCO's keypoints, as ``yolo export`` writes it."""

    takes = frozenset({"weights"})
    layout = COCO17
    version = 2
    card = ModelCard("AGPL-3.0", "that of the file")

    def __init__(self, settings: EstimatorSettings) -> None:
        from stages.pose.tracking import least_score

        assert settings.weights is not None
        least = max(_LEAST, least_score(settings.min_score))
        self.network = _Yolo(settings.weights, settings.device, "pose", least)

    @classmethod
    def why_no_gpu(cls, weights: Path | None) -> str | None:
        return _why_no_gpu(weights)

    def people(self, images: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        results = self.network(images)
        return [(_boxes(result), result.keypoints.data.cpu().double().numpy()) for result in results]


class YoloDetector(Detector):
    """A model for objects, of which it takes the people, as ``yolo export`` writes it."""

    card = YoloPose.card

    def __init__(self, weights: Path | None, device: str) -> None:
        assert weights is not None
        self.network = _Yolo(weights, device, "detect", _LEAST)

    @classmethod
    def why_no_gpu(cls, weights: Path | None) -> str | None:
        return _why_no_gpu(weights)

    def detect(self, images: list[np.ndarray]) -> list[np.ndarray]:
        return [_boxes(result) for result in self.network(images)]


class _Yolo:
    """A model file as ultralytics runs it: for each image its people, as ``ultralytics.engine.results`` has them."""

    def __init__(self, path: Path, device: str, task: str, least: float) -> None:
        option = {"pose": "estimator", "detect": "detector"}[task]
        if path.suffix not in _FORMATS:
            raise StageError(
                f"{option}: yolo reads models that were exported, not {path.name}, which could run any code. Export it "
                f"once: yolo export model={path.name} format=onnx (or torchscript)"
            )
        YOLO = quiet_ultralytics(option)
        import torch

        from stages.devices import threads

        people = _category_of_people(path, task, option)
        on_gpu = device != "cpu" and _why_no_gpu(path) is None
        self.batch = _ON_GPU if on_gpu else 1
        self.settings: dict[str, Any] = {
            "conf": least,
            "classes": [people],
            "device": torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu"),
            "verbose": False,
        }
        self.model = YOLO(str(path.resolve()), task=task)
        with threads(None), warnings.catch_warnings():  # ultralytics sets another number of threads
            warnings.simplefilter("ignore", FutureWarning)  # TorchScript is to be replaced some day
            self.model.predict(np.zeros((64, 64, 3), np.uint8), **self.settings)
        if path.suffix == ".onnx" and not on_gpu:
            self._take_one_thread(path)

    def __call__(self, images: list[np.ndarray]) -> Iterator[Any]:
        for _, same in groupby(images, key=np.shape):  # others beside it would change how an image is padded
            bgr = [np.ascontiguousarray(image[..., ::-1]) for image in same]
            for start in range(0, len(bgr), self.batch):
                yield from self.model.predict(bgr[start : start + self.batch], **self.settings)

    def _take_one_thread(self, path: Path) -> None:
        """There is a worker per core."""
        import onnxruntime
        import torch
        from ultralytics.nn.backends.onnx import ONNXBackend

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        before = self.model.predictor.model.backend
        self.model.predictor.model.backend = ONNXBackend(str(path), torch.device("cpu"), session_options=options)
        self.model.predictor.model.backend.names = before.names


def quiet_ultralytics(option: str) -> Any:
    """ultralytics' class of models, which is kept from using the network, installing packages, and logging."""
    os.environ |= {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}
    os.environ.setdefault("YOLO_VERBOSE", "false")
    os.environ.setdefault("YOLO_CONFIG_DIR", str(cache_folder()))  # it writes a file of settings when it is imported
    try:
        from ultralytics import YOLO
    except ImportError as error:
        raise StageError(
            f"{option}: yolo needs ultralytics (AGPL-3.0), which is not installed: pip install 'action-pipeline[yolo]'"
        ) from error
    return YOLO


def _why_no_gpu(path: Path | None) -> str | None:
    return why_no_cuda() if path and path.suffix == ".onnx" else None


def _category_of_people(path: Path, task: str, option: str) -> int:
    """Its number. Raises StageError if what ``yolo export`` wrote beside the network does not fit."""
    from ultralytics.nn.backends.base import BaseBackend

    said: dict[str, Any] = BaseBackend.read_metadata(path)
    if "task" not in said or "names" not in said:
        raise StageError(f"{path} was not written by yolo export, or is damaged: export the model again")
    if said["task"] != task:
        raise StageError(f"{path} is a model to {said['task']}, but {option}: yolo needs one to {task}")
    # ONNX files have texts, TorchScript's JSON.
    shape, side, names = (literal_eval(str(said.get(key))) for key in ("kpt_shape", "imgsz", "names"))
    if task == "pose" and shape != [COCO17.count, 3]:
        raise StageError(
            f"{path} finds keypoints of shape {shape}, but {option}: yolo needs those of COCO, [{COCO17.count}, 3]"
        )
    if np.max(side or 0) > _LARGEST:
        raise StageError(f"{path} takes images of {side}: too large")
    people = [int(number) for number, name in names.items() if name == "person" or len(names) == 1]
    if not people:
        raise StageError(f"{path} knows no category 'person', but {', '.join(map(str, names.values()))}"[:500])
    return people[0]


def _boxes(result: Any) -> np.ndarray:
    """N,5: x1, y1, x2, y2 in pixels, and a score."""
    return np.column_stack([result.boxes.xyxy.cpu().double().numpy(), result.boxes.conf.cpu().double().numpy()])
