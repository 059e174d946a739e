"""The pose stage: a skeleton in each frame for each person who takes part in a clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import pyarrow as pa
from pydantic import Field, ValidationInfo, field_validator, model_validator

from pipeline.errors import StageError
from pipeline.rows import aligned_rows
from pipeline.stage import KnownFile, MapStage, Problem, Resources, Row, added, unkeyed
from recognizer.skeletons import Layout
from recognizer.skeletons import layout as layout_called
from stages.local_files import as_known, errors_name_urls
from stages.plugins import build, check_name
from stages.pose.detectors import DETECTORS, Detector, declared_detector
from stages.pose.estimators import (
    ESTIMATORS,
    Estimator,
    EstimatorSettings,
    Size,
    TopDownEstimator,
    WholeImageEstimator,
    find_estimator,
)
from stages.pose.given import first_layout
from stages.pose.requirements import check_detector, get, here, look_for, missing_weights, out_of_reach, why_no_gpu
from stages.pose.zoo import Published, fetch
from stages.skeletons.layout_parameter import LayoutText
from stages.tables import FRAMES, SKELETONS

if TYPE_CHECKING:
    from stages.pose.estimation import Estimation


class Pose(MapStage):
    """Estimates the skeletons in a clip's frames, or reads them from its skeleton file if the index names one.

    People are detected in some frames and joined into tracks; the estimator runs on crops of the most prominent tracks
    in every frame, batched over frames and clips. The skeleton of frame i is always computed from frame i.
    """

    key_name: ClassVar[str | None] = "stages.pose.stage:Pose"
    version: ClassVar[int] = 4
    makes = SKELETONS
    takes = (FRAMES,)

    estimator: str = "hrnet_w32"
    """hrnet_w32 or hrnet_w48 (HRNet for COCO's keypoints), vitpose (more accurate; Hugging Face's transformers),
    keypointrcnn (torchvision's, which needs no detector), movenet_thunder or movenet_lightning (small, for CPUs),
    movenet_multipose (smaller still: up to six people of an image at once, without a detector), hrnet_mini (ships with
    the package, for the demo's drawn people), onnx (any top-down model with heatmaps or, as RTMPose, SimCC), yolo (a
    YOLO pose model exported to ONNX or TorchScript, which needs no detector; ultralytics, AGPL-3.0), mmpose (any
    top-down model of MMPose: docs/mmpose.md), or a class of your own: my_module:MyEstimator. What each costs: pipeline
    models."""
    weights: Path | None = unkeyed(None)
    """File or URL of the estimator's weights; results depend on its content, not on its path. Of a graph model of
    TensorFlow.js (MoveNet) it is the .json, with the .bin beside it; of ViTPose the .safetensors, with the config.json
    beside it; of mmpose the .pth, with the config beside it as .json. An ONNX file also says which form of pixels it
    takes (docs/poses.md). Published weights are downloaded if this is left out."""
    input_size: Size | None = None
    """Height and width of the estimator's crops in pixels, where the weights leave a choice: [256, 192] (the default of
    hrnet_w32) or [384, 288] (of hrnet_w48); for an ONNX model, needed only if it accepts any size. For
    movenet_multipose, the square that an image is scaled to fit into: [256, 256] or a larger one."""
    layout: LayoutText = "coco17"
    """Joint layout of an ONNX or MMPose model: a name that ``pipeline layouts`` lists, or a YAML file of your own."""
    convert_to: LayoutText | None = added(None)
    """Joint layout that all skeletons are converted to, estimated or from files, by the names of joints; those that
    they lack are missing. null: as they are."""
    detector: str = "faster_rcnn"
    """Finds people for the estimator: faster_rcnn or faster_rcnn_mobilenet (torchvision), rtdetr
    (RT-DETRv2, or with detector_weights any object detector of Hugging Face's transformers), nanodet or
    movenet_multipose (small, for CPUs), onnx (a file of YOLOX or RTMDet), yolo (a YOLO model that was exported;
    ultralytics, AGPL-3.0), mini (ships with the package, for the demo's drawn people), whole_frame (takes each frame
    for one person), or a class of your own: my_module:MyDetector. What each costs: pipeline models."""
    detector_weights: Path | None = unkeyed(None)
    """File or URL of the detector's weights; of a detector of transformers the .safetensors, with config.json and
    preprocessor_config.json beside it. onnx and yolo need one; published ones are downloaded if this is left out."""
    min_score: float = Field(0.5, ge=0, le=1)
    """Detected people with a lower score do not count, unless they continue the track of somebody."""
    detect_every: int = added(4, ge=1)
    """People are detected in every so many of the decoded frames, and wherever somebody moves much, comes, goes or gets
    lost, or in all as long as nobody is found; between these frames tracks say where they are. 1: in all frames."""
    persons: int = Field(2, ge=1)
    """M, the most people kept per clip: those with the largest product of prominence (the sum over the frames of score
    times the square root of the box's area) and the usual score of their joints."""
    flip_test: bool = False
    """Average the heatmaps or vectors with those of the mirrored crop: more accurate keypoints in twice the time."""
    fill_gaps: int = added(0, ge=0)
    """Joints that are missing in at most so many frames in a row are interpolated; the table says which ones
    (made_up)."""
    smoothing: float = added(0.0, ge=0, le=100)
    """Standard deviation, in frames, of a Gaussian mean of the joints' places over time. 0: they stay as they were
    found in their frame."""
    batch: int = unkeyed(32, ge=1)
    """Crops per batch of the estimator on a GPU. CPUs are fastest with few, whose results fit their caches."""
    workers_per_gpu: int = unkeyed(2, ge=1)
    """Processes that share a GPU: while one reads images and cuts crops, another computes. 1 where the GPU's memory
    does not hold the models that often."""
    time_limit: float = unkeyed(300.0, gt=0)
    """Seconds after which a clip is given up."""
    device: Literal["auto", "cpu", "cuda"] = unkeyed("auto")
    """Where models run; auto takes a GPU if there is one that the model can use. ONNX files (onnx, yolo) need the
    package onnxruntime-gpu for that."""

    @field_validator("estimator", "detector")
    @classmethod
    def _known(cls, name: str, info: ValidationInfo) -> str:
        match info.field_name:
            case "estimator":
                check_name(name, ESTIMATORS, "estimator")
            case "detector":
                check_name(name, DETECTORS, "detector")
        return name

    @model_validator(mode="after")
    def _accepted_by_the_models(self) -> Pose:
        """Raise ValueError for missing weights, and for parameters that would change the stage's key but no result."""
        try:
            estimator = find_estimator(self.estimator)
        except StageError as error:
            raise ValueError(str(error)) from error
        defaults = {name: type(self).model_fields[name].default for name in _MODEL_PARAMETERS}
        idle = [name for name, default in defaults.items() if getattr(self, name) != default]
        idle = [name for name in idle if name not in estimator.takes]
        if idle:
            raise ValueError(f"{', '.join(idle)}: without effect, {self.estimator} {_why(idle, estimator)}")
        if self.input_size and estimator.input_sizes and self.input_size not in estimator.input_sizes:
            sizes = " or ".join(str(list(size)) for size in estimator.input_sizes)
            raise ValueError(f"input_size of {self.estimator} is {sizes}, not {list(self.input_size)}")
        if self.weights is None and "weights" in estimator.takes and estimator.published(self.input_size) is None:
            raise ValueError(f"estimator {self.estimator} needs weights: the path of its model file")
        detector = declared_detector(self.detector)
        needs_weights = self.detector in DETECTORS and detector.takes_weights and detector.published() is None
        if self.detector_weights is None and needs_weights:
            raise ValueError(f"detector {self.detector} needs detector_weights: the path of its model file")
        if self.detector_weights is not None and not detector.takes_weights:
            raise ValueError(f"detector_weights: without effect, {self.detector} takes none: leave them out")
        return self

    def files(self) -> tuple[Path | KnownFile, ...]:
        """Weights, with the second file that some formats have (ncnn: .param and .bin, ONNX: .onnx and .onnx.data or
        .onnx_data, graph models: .json and .bin)."""
        with errors_name_urls():
            return tuple(dict.fromkeys(as_known(file) if isinstance(file, Path) else file for file in self._files()))

    def _files(self) -> Iterator[Path | KnownFile]:
        estimator, detector = find_estimator(self.estimator), declared_detector(self.detector)
        for path, published in self.model_files():
            if path is not None:
                others = [path.with_suffix(".bin"), *(path.with_name(path.name + end) for end in (".data", "_data"))]
                yield from (path, *(other for other in others if other != path and other.is_file()))
            elif published is not None:
                yield from published.known_files
        yield from estimator.files(self.own_weights())
        yield from detector.files(self.own_detector_weights())

    def parts(self) -> dict[str, int]:
        estimator, detector = find_estimator(self.estimator), declared_detector(self.detector)
        used: dict[str, type[Estimator | Detector]] = {}
        if self.estimator in ESTIMATORS:
            used[ESTIMATORS[self.estimator]] = estimator
        if self.detector in DETECTORS and "detector" in estimator.takes:
            used[DETECTORS[self.detector]] = detector
        gaps = {"fill_gaps": 2} if self.fill_gaps else {}  # marks no joints that the table lacks
        return {name: part.version for name, part in used.items() if part.version > 1} | gaps

    def own_weights(self) -> Path | None:
        """The file that ``weights`` names, or its copy."""
        return self.weights and here(self.weights, "weights")

    def own_detector_weights(self) -> Path | None:
        """The file that ``detector_weights`` names, or its copy."""
        return self.detector_weights and here(self.detector_weights, "detector_weights")

    def model_files(self) -> list[tuple[Path | None, Published | None]]:
        """The given file and the published one of each model; the latter counts only without the former."""
        estimator = find_estimator(self.estimator)
        found = [(self.own_weights(), estimator.published(self.input_size))]
        if "detector" in estimator.takes:
            found.append((self.own_detector_weights(), declared_detector(self.detector).published()))
        return found

    def prepare(self, clips: pa.Table, fetch: bool) -> Iterator[Problem]:
        """Weights that are not here yet, and a detector that does not import; none where all clips have skeletons."""
        if clips.num_rows and not clips["skeleton_path"].null_count:
            return
        missing = missing_weights(self.estimator, self.weights, self.input_size, self.detector, self.detector_weights)
        yield from out_of_reach({"weights": self.weights, "detector_weights": self.detector_weights})
        yield from check_detector(self.detector)
        if self.device == "cuda":
            yield from (Problem(reason) for reason in dict.fromkeys(self._why_no_gpu()) if reason)
        yield from (get if fetch else look_for)(missing)

    def layout_of(self, clips: pa.Table) -> Layout | None:
        """The joint layout of the skeletons of ``clips``, as far as it is known before they are made."""
        if self.convert_to:
            return layout_called(self.convert_to)
        if clips.num_rows and not clips["skeleton_path"].null_count:
            return first_layout(clips)
        estimator = find_estimator(self.estimator)
        return layout_called(self.layout) if "layout" in estimator.takes else estimator.layout

    def resources(self) -> Resources:
        """A part of a GPU if a model can use it."""
        share = 1 / self.workers_per_gpu
        return Resources(num_gpus=share if self.device != "cpu" and None in self._why_no_gpu() else 0)

    def _why_no_gpu(self) -> list[str | None]:
        return list(why_no_gpu(self.estimator, self.weights, self.detector, self.detector_weights))

    def seconds_per_clip(self) -> float:
        return self.time_limit

    def load(self, inputs: Mapping[str, pa.Table]) -> Models:
        return Models(self)

    def process(self, clips: pa.Table, inputs: Mapping[str, pa.Table], loaded: Models) -> pa.Table:
        from stages.devices import threads
        from stages.gpu_memory import enough_gpu_memory
        from stages.pose.skeleton_rows import SkeletonRows
        from stages.skeletons.formats import keep_sets

        keep_sets(clips)
        # Where all clips have skeleton files, no model is loaded or downloaded.
        with enough_gpu_memory():
            estimation = loaded.estimation() if clips["skeleton_path"].null_count else None
        columns = loaded.columns if estimation else {}
        frames = (own["frames"] for own in aligned_rows(inputs, clips.num_rows))
        with threads(1):  # everywhere, since results may depend on the number of threads
            rows = SkeletonRows(estimation, columns, self.persons, self.time_limit, *loaded.finishing).of(
                zip(clips.to_pylist(), frames, strict=True)
            )
        return pa.Table.from_pylist(rows, schema=SKELETONS.schema)


_MODEL_PARAMETERS = ("weights", "input_size", "layout", "detector", "detector_weights", "flip_test", "detect_every")
"""Parameters that an estimator may take (``Estimator.takes``)."""


def _why(idle: list[str], estimator: type[Estimator]) -> str:
    """Why these parameters have no effect, and what to do."""
    it = "it" if len(idle) == 1 else "them"
    if "detector" in idle or "detector_weights" in idle:
        reason = "finds people itself"
    elif idle == ["layout"]:
        reason = f"finds {estimator.layout.name}"
    else:
        reason = f"does not take {it}"
    return f"{reason}: leave {it} out"


class Models:
    """The models that a stage's parameters name, each loaded when it is first needed and kept by the worker."""

    def __init__(self, stage: Pose) -> None:
        self._stage = stage

    def estimation(self) -> Estimation:
        """Takes the clips of one partition from frames to keypoints."""
        from stages.pose.crop_queue import CropQueue
        from stages.pose.estimation import TopDownEstimation, WholeImageEstimation

        stage, estimator = self._stage, self._estimator
        if isinstance(estimator, TopDownEstimator):
            on_gpu = estimator.uses_gpu and self._device != "cpu"
            queue = CropQueue(estimator, stage.batch if on_gpu else estimator.cpu_batch, stage.flip_test)
            return TopDownEstimation(self._detector, stage.detect_every, queue, stage.min_score, stage.persons)
        assert isinstance(estimator, WholeImageEstimator)
        return WholeImageEstimation(estimator, stage.min_score, stage.persons)

    @cached_property
    def finishing(self) -> tuple[Layout | None, int, float]:
        """What is done to the keypoints of a clip: see ``stages.pose.skeleton_rows.finished``."""
        stage = self._stage
        return layout_called(stage.convert_to) if stage.convert_to else None, stage.fill_gaps, stage.smoothing

    @cached_property
    def columns(self) -> Row:
        """What rows of SKELETONS say about the models."""
        stage = self._stage
        downloaded = [published for path, published in stage.model_files() if published and not path]
        # Names of published files without a SHA-256 hold its beginning.
        named = [file.name for published in downloaded for file in published.files if not file.sha256]
        return {
            "estimator": stage.estimator,
            "detector": stage.detector if "detector" in find_estimator(stage.estimator).takes else None,
            "weights": [*map(_named, stage.files()), *named],
        }

    @cached_property
    def _device(self) -> str:
        from stages.devices import chosen_device

        reasons = filter(None, self._stage._why_no_gpu())
        if self._stage.device == "cuda" and (reason := next(reasons, None)):
            raise StageError(reason)
        return str(chosen_device(self._stage.device))

    @cached_property
    def _estimator(self) -> Estimator:
        stage, cls = self._stage, find_estimator(self._stage.estimator)
        size = stage.input_size or next(iter(cls.input_sizes), None)
        weights = _existing(stage.own_weights())
        if weights is None and (published := cls.published(size)):
            weights = fetch(published, "weights")
        settings = EstimatorSettings(weights, size, layout_called(stage.layout), stage.min_score, self._device)
        with errors_name_urls():
            return build(ESTIMATORS.get(stage.estimator, stage.estimator), "estimator", settings)

    @cached_property
    def _detector(self) -> Detector:
        stage = self._stage
        target = DETECTORS.get(stage.detector, stage.detector)
        with errors_name_urls():
            return build(target, "detector", _existing(stage.own_detector_weights()), self._device)


def _named(file: Path | KnownFile) -> str:
    """A file's name, and the beginning of its SHA-256."""
    name, sha256 = KnownFile.of(file)
    return f"{name} {sha256[:12]}"


def _existing(weights: Path | None) -> Path | None:
    if weights is not None and not weights.is_file():
        raise StageError(f"weights file {weights} not found")
    return weights
