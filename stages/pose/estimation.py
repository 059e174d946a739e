"""From a clip's frames to its people's keypoints: detect, track, estimate."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pipeline.errors import ClipError, StageError
from recognizer.skeletons import Layout, layout
from stages.devices import chosen_device
from stages.pose.appearance import looks
from stages.pose.boxes import distinct
from stages.pose.detectors import WholeFrame, own_detector
from stages.pose.gap_filling import drop_unlikely, guessed_boxes
from stages.pose.topdown import CropQueue
from stages.pose.tracking import Track, track

if TYPE_CHECKING:
    from pathlib import Path

    from stages.pose.detectors import Detector
    from stages.pose.estimators import Estimator
    from stages.pose.stage import Pose
    from stages.pose.yolo import YoloPose


class Models:
    """The models a pose stage's parameters name, each opened when it is first needed and kept by the worker."""

    def __init__(self, stage: Pose) -> None:
        self.stage = stage
        self.device = chosen_device(stage.device)

    @cached_property
    def estimator(self) -> Estimator:
        stage = self.stage
        match stage.estimator:
            case "hrnet_mini":
                from stages.pose.mini import load_mini_estimator

                return load_mini_estimator(self.device)
            case "onnx":
                from stages.pose.onnx_model import OnnxEstimator

                return OnnxEstimator(_file(stage.weights), layout(stage.layout), stage.input_size)
        from stages.pose.hrnet import hrnet_estimator
        from stages.pose.stage import HRNET_SIZES
        from stages.pose.zoo import HRNET_URLS, fetch

        size = stage.input_size or HRNET_SIZES[stage.estimator]
        path = _file(stage.weights) if stage.weights else fetch(HRNET_URLS[stage.estimator, size], "weights")
        return hrnet_estimator(stage.estimator, path, size, self.device)

    @cached_property
    def detector(self) -> Detector:
        stage = self.stage
        weights = _file(stage.detector_weights) if stage.detector_weights else None
        match stage.detector:
            case "whole_frame":
                return WholeFrame()
            case "mini":
                from stages.pose.mini import load_mini_detector

                return load_mini_detector(self.device)
            case "faster_rcnn" | "faster_rcnn_mobilenet":
                from stages.pose.faster_rcnn import FasterRCNN

                return FasterRCNN(stage.detector, weights, self.device)
        return own_detector(stage.detector, weights, str(self.device))

    @cached_property
    def yolo(self) -> YoloPose:
        from stages.pose.yolo import YoloPose

        return YoloPose(_file(self.stage.weights), self.stage.min_score)


class Estimation:
    """The clips of one partition on their way to keypoints."""

    def __init__(self, models: Models) -> None:
        self._stage = models.stage
        self._yolo = models.yolo if models.stage.estimator == "yolo" else None
        if not self._yolo:
            self._detector = models.detector
            self._queue = CropQueue(models.estimator, self._stage.batch, self._stage.flip_test)
            self._guesses: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, jpegs: list[bytes]) -> tuple[np.ndarray, Layout]:
        """Keypoints M,T,R,3 (x, y in pixels, score; zeros where missing) of the best tracks in T frames.

        They are complete only after ``finish``. M is 0 where nobody was found. Between and around the sightings of a
        person the estimator is shown where the person may be; the skeleton is still that of the frame itself.
        """
        images = [_decoded(jpeg, i) for i, jpeg in enumerate(jpegs)]
        if self._yolo:
            return self._from_yolo(self._yolo, images)
        tracks = self._tracks(images, [self._sure(boxes)[0] for boxes in self._detector.detect(images)])
        joints = self._queue.estimator.layout
        if not tracks:
            return np.zeros((0, len(images), joints.count, 3)), joints
        keypoints = np.zeros((len(tracks), len(images), joints.count, 3))
        for m, person in enumerate(tracks):
            boxes = guessed_boxes(person)
            for t in np.flatnonzero(~np.isnan(boxes[:, 0])):
                self._queue.add(images[t], boxes[t], keypoints[m, t])
        self._guesses.append((keypoints, np.stack([person.detections < 0 for person in tracks])))
        return keypoints, joints

    def work(self) -> None:
        """Estimate what fills whole batches, so that not more than one clip's crops wait in memory."""
        if not self._yolo:
            self._queue.work()

    def finish(self) -> None:
        """Estimate the rest."""
        if not self._yolo:
            self._queue.finish()
            for keypoints, guessed in self._guesses:
                drop_unlikely(keypoints, guessed)

    def _from_yolo(self, yolo: YoloPose, images: list[np.ndarray]) -> tuple[np.ndarray, Layout]:
        found = [self._sure(*people) for people in yolo.people(images)]
        tracks = self._tracks(images, [boxes for boxes, _ in found])
        keypoints = np.zeros((len(tracks), len(images), yolo.layout.count, 3))
        for m, person in enumerate(tracks):
            for t in np.flatnonzero(person.detections >= 0):
                keypoints[m, t] = found[t][1][person.detections[t]]
        return keypoints, yolo.layout

    def _tracks(self, images: list[np.ndarray], boxes: list[np.ndarray]) -> list[Track]:
        return track(boxes, [looks(*pair) for pair in zip(images, boxes, strict=True)])[: self._stage.persons]

    def _sure(self, boxes: np.ndarray, *rest: np.ndarray) -> list[np.ndarray]:
        """The boxes N,5 that have an extent and enough score, one a person, and the rows of ``rest`` beside them."""
        boxes = np.asarray(boxes, dtype=float).reshape(-1, 5)
        sure = (boxes[:, 4] >= self._stage.min_score) & (boxes[:, 2:4] > boxes[:, :2]).all(1)
        candidates = np.flatnonzero(sure & np.isfinite(boxes).all(1))
        kept = candidates[distinct(boxes[candidates])]
        return [array[kept] for array in (boxes, *rest)]


def _decoded(jpeg: bytes, position: int) -> np.ndarray:
    """RGB uint8 H,W,3."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise ClipError(f"decoded frame {position} is no readable JPEG image: decode the clip again (--force decode)")
    return image


def _file(path: Path | None) -> Path:
    if path is None or not path.is_file():
        raise StageError(f"weights file {path} not found")
    return path
