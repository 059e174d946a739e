"""The pose stage: a skeleton in each frame for each person who takes part in a clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field, ValidationInfo, field_validator, model_validator

from pipeline import limits
from pipeline.errors import StageError
from pipeline.rows import aligned_rows, attempt
from pipeline.stage import MapStage, Problem, Resources, Row, added, unkeyed
from recognizer.skeletons import Layout, layout_text
from recognizer.skeletons import layout as layout_called
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
from stages.pose.requirements import check_detector, get, look_for, missing_weights
from stages.pose.zoo import fetch
from stages.skeletons.layout_parameter import LayoutText
from stages.tables import FRAMES, SKELETONS

if TYPE_CHECKING:
    from stages.pose.estimation import Estimation


class Pose(MapStage):
    """Estimates the skeletons in a clip's frames, or reads them from its skeleton file if the index names one.

    People are detected in every frame and joined into tracks; the estimator runs on crops of the most prominent tracks,
    batched over frames and clips. The skeleton of frame i is always computed from frame i.
    """

    key_name: ClassVar[str | None] = "stages.pose.stage:Pose"
    version: ClassVar[int] = 2
    makes = SKELETONS
    takes = (FRAMES,)

    estimator: str = "hrnet_w32"
    """hrnet_w32 or hrnet_w48 (HRNet for COCO's keypoints), hrnet_mini (ships with the package, for the demo's drawn
    people), onnx (any top-down heatmap model), yolo (a YOLO pose model exported to ONNX, which needs no detector;
    ultralytics, AGPL-3.0), or a class of your own: my_module:MyEstimator."""
    weights: Path | None = unkeyed(None)
    """File with the estimator's weights; results depend on its content, not on its path. hrnet_w32 and hrnet_w48
    download theirs from MMPose's model zoo if this is left out."""
    input_size: Size | None = None
    """Height and width of the estimator's crops in pixels, where the weights leave a choice: [256, 192] (the default of
    hrnet_w32) or [384, 288] (of hrnet_w48); for an ONNX model, needed only if it accepts any size."""
    layout: LayoutText = "coco17"
    """Joint layout of an ONNX model's heatmaps: a name that ``pipeline layouts`` lists, or a YAML file of your own."""
    convert_to: LayoutText | None = added(None)
    """Joint layout that all skeletons are converted to, estimated or from files, by the names of joints; those that
    they lack are missing. null: as they are."""
    detector: str = "faster_rcnn"
    """Finds people for the estimator: faster_rcnn or faster_rcnn_mobilenet (torchvision), mini (ships with the package,
    for the demo's drawn people), whole_frame (takes each frame for one person), or a class of your own:
    my_module:MyDetector."""
    detector_weights: Path | None = unkeyed(None)
    """File with the detector's weights. torchvision's are downloaded if this is left out."""
    min_score: float = Field(0.5, ge=0, le=1)
    """Detected people with a lower score are dropped."""
    persons: int = Field(2, ge=1)
    """M, the most people kept per clip: those who are detected most often and with the largest boxes."""
    flip_test: bool = False
    """Average the heatmaps with those of the mirrored crop: more accurate keypoints in twice the time."""
    batch: int = unkeyed(16, ge=1)
    """Crops per batch of the estimator."""
    time_limit: float = unkeyed(300.0, gt=0)
    """Seconds after which a clip is given up."""
    device: Literal["auto", "cpu", "cuda"] = unkeyed("auto")
    """Where PyTorch models run; auto takes a GPU if there is one. onnx and yolo always run on the CPU."""

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
        if self.detector_weights is not None and not declared_detector(self.detector).takes_weights:
            raise ValueError(f"detector_weights: without effect, {self.detector} takes none: leave them out")
        return self

    def files(self) -> tuple[Path, ...]:
        """Weights, with the second file that some formats have (ncnn: .param and .bin, ONNX: .onnx and .onnx.data)."""
        found: list[Path] = []
        for path in (self.weights, self.detector_weights):
            if path is not None:
                others = (path.with_suffix(".bin"), path.with_name(f"{path.name}.data"))
                found += [path, *(other for other in others if other != path and other.is_file())]
        found += find_estimator(self.estimator).files(self.weights)
        found += declared_detector(self.detector).files()
        return tuple(dict.fromkeys(found))

    def prepare(self, clips: pa.Table, fetch: bool) -> Iterator[Problem]:
        """Weights that are not here yet, and a detector that does not import; none where all clips have skeletons."""
        if clips.num_rows and not clips["skeleton_path"].null_count:
            return
        missing = missing_weights(self.estimator, self.weights, self.input_size, self.detector, self.detector_weights)
        yield from check_detector(self.detector)
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
        """One GPU if a model can use it."""
        estimator = find_estimator(self.estimator)
        detects = issubclass(estimator, TopDownEstimator) and declared_detector(self.detector).uses_gpu
        return Resources(num_gpus=1 if self.device != "cpu" and (estimator.uses_gpu or detects) else 0)

    def seconds_per_clip(self) -> float:
        return self.time_limit

    def load(self, inputs: Mapping[str, pa.Table]) -> Models:
        return Models(self)

    def process(self, clips: pa.Table, inputs: Mapping[str, pa.Table], loaded: Models) -> pa.Table:
        from stages.devices import threads

        with threads(1):  # everywhere, since results may depend on the number of threads
            rows = self._rows(clips, inputs, loaded)
        return pa.Table.from_pylist(rows, schema=SKELETONS.schema)

    def _rows(self, clips: pa.Table, inputs: Mapping[str, pa.Table], models: Models) -> list[Row]:
        # If all clips have skeleton files, no model is loaded or downloaded.
        estimation = models.estimation() if clips["skeleton_path"].null_count else None
        rows = []
        for clip, own in zip(clips.to_pylist(), aligned_rows(inputs, clips.num_rows), strict=True):
            compute = partial(self._skeletons, clip, own["frames"], estimation)
            rows.append(attempt(clip["clip_id"], self.time_limit, compute))
            if estimation:
                # Not part of the attempt: a batch also holds crops of other clips, so this clip may not be to blame.
                with limits.time_limit(self.time_limit):
                    estimation.run_full_batches()
        if estimation:
            with limits.time_limit(self.time_limit):
                estimation.run_all()
        target = layout_called(self.convert_to) if self.convert_to else None
        return [row if row["error"] else _finished(row, target) for row in rows]

    def _skeletons(self, clip: Row, frames: Row, estimation: Estimation | None) -> Row:
        """A clip's row, but with keypoints in pixels (estimated ones are filled in later) and the frame's size."""
        if clip["skeleton_path"] is not None:
            from stages.skeletons.formats import read_skeletons

            file = read_skeletons(Path(clip["skeleton_path"]), clip["skeleton_entry"])
            file.check(frames["source_frames"], frames["source_width"], frames["source_height"])
            size = file.size or (frames["source_width"], frames["source_height"])
            keypoints, layout = file.in_pixels(*size).frames(frames["indices"], self.persons), file.layout
            estimator = "ground truth"
        else:
            assert estimation is not None
            keypoints, layout = estimation.add(frames["frames"]), estimation.layout
            size = frames["width"], frames["height"]
            estimator = self.estimator
        return {
            "keypoints": keypoints,
            "size": size,
            "persons": len(keypoints),
            "layout": layout_text(layout),
            "estimator": estimator,
        }


_MODEL_PARAMETERS = ("weights", "input_size", "layout", "detector", "detector_weights", "flip_test")
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
            queue = CropQueue(estimator, stage.batch, stage.flip_test)
            return TopDownEstimation(self._detector, queue, stage.min_score, stage.persons)
        assert isinstance(estimator, WholeImageEstimator)
        return WholeImageEstimation(estimator, stage.min_score, stage.persons)

    @cached_property
    def _device(self) -> str:
        from stages.devices import chosen_device

        return str(chosen_device(self._stage.device))

    @cached_property
    def _estimator(self) -> Estimator:
        stage, cls = self._stage, find_estimator(self._stage.estimator)
        size = stage.input_size or next(iter(cls.input_sizes), None)
        weights = _existing(stage.weights)
        if weights is None and (published := cls.published(size)):
            weights = fetch(published, "weights")
        settings = EstimatorSettings(weights, size, layout_called(stage.layout), stage.min_score, self._device)
        return build(ESTIMATORS.get(stage.estimator, stage.estimator), "estimator", settings)

    @cached_property
    def _detector(self) -> Detector:
        stage = self._stage
        target = DETECTORS.get(stage.detector, stage.detector)
        return build(target, "detector", _existing(stage.detector_weights), self._device)


def _existing(weights: Path | None) -> Path | None:
    if weights is not None and not weights.is_file():
        raise StageError(f"weights file {weights} not found")
    return weights


def _finished(row: Row, target: Layout | None) -> Row:
    """The row with its keypoints as they are stored, or with an error if it has no joint at all.

    target: the layout that they are converted to.
    """
    pixels, layout = row["keypoints"], layout_called(row["layout"])
    if target and target != layout:
        from stages.skeletons.conversion import convert

        try:
            pixels = convert(pixels, layout, target)
        except ValueError as error:
            return {"clip_id": row["clip_id"], "error": str(error)}
        row["layout"] = layout_text(target)
    keypoints = relative(pixels, *row.pop("size")).astype(np.float16)
    if not keypoints[..., 2].any():
        return {"clip_id": row["clip_id"], "error": f"no person found in any of {pixels.shape[1]} frames"}
    return row | {"keypoints": keypoints.tobytes()}


def relative(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Keypoints ...,3 in pixels, as coordinates relative to the frame; zeros for joints outside of it."""
    keypoints = pixels.copy()
    keypoints[..., :2] = (pixels[..., :2] + 0.5) / (width, height)
    inside = ((keypoints[..., :2] >= 0) & (keypoints[..., :2] <= 1)).all(-1) & (keypoints[..., 2] > 0)
    return np.where(inside[..., None], keypoints, 0)
