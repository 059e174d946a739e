"""The pose stage: a skeleton in every frame of every person who takes part in a clip."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from pipeline import limits
from pipeline.rows import aligned_rows, attempt
from pipeline.stage import MapStage, Resources, Row, unkeyed
from recognizer.skeletons import LAYOUTS
from stages.tables import FRAMES, SKELETONS

if TYPE_CHECKING:
    from stages.pose.estimation import Estimation

Size = tuple[int, int]

HRNET_SIZES: dict[str, Size] = {"hrnet_w32": (256, 192), "hrnet_w48": (384, 288)}


class Pose(MapStage):
    """Estimates the skeletons of a clip's frames, or takes them from its skeleton file where the index names one.

    Top-down: people are detected in every frame, joined into tracks, and the best tracks' crops go through the
    estimator, many frames and clips together. Frame i's skeleton is always computed from frame i.
    """

    key_name: ClassVar[str | None] = "stages.pose.stage:Pose"
    version: ClassVar[int] = 2
    makes = SKELETONS
    takes = (FRAMES,)

    estimator: Literal["hrnet_w32", "hrnet_w48", "hrnet_mini", "onnx", "yolo"] = "hrnet_w32"
    """hrnet_w32, hrnet_w48: HRNet for COCO's keypoints. hrnet_mini: the small one that comes with the package, for the
    demo's drawn people. onnx: any top-down heatmap model. yolo: a YOLO pose model exported to ONNX, with its own
    detector (ultralytics, AGPL-3.0)."""
    weights: Path | None = unkeyed(None)
    """The estimator's weights: their content counts, not where they are. May be left out for hrnet_w32 and hrnet_w48
    (downloaded from MMPose's model zoo)."""
    input_size: Size | None = None
    """Height and width of the estimator's crops, where the weights leave a choice: [256, 192] (hrnet_w32's default) or
    [384, 288] (hrnet_w48's), or what an ONNX model with open sizes is to be given."""
    layout: str = "coco17"
    """Joint layout of an ONNX model's heatmaps."""
    detector: str = "faster_rcnn"
    """faster_rcnn, faster_rcnn_mobilenet (torchvision), mini (for the demo's drawn people), whole_frame, or a class of
    your own: my_module:MyDetector."""
    detector_weights: Path | None = unkeyed(None)
    """The detector's weights. May be left out for torchvision's (downloaded) and where a detector has none."""
    min_score: float = Field(0.5, ge=0, le=1)
    """Boxes that the detector is less sure of are left out."""
    persons: int = Field(2, ge=1)
    """M, the most people a clip can have; those who are seen longest and most surely are kept."""
    flip_test: bool = False
    """Average the heatmaps with those of the mirrored crop: better keypoints in twice the time."""
    batch: int = unkeyed(16, ge=1)
    """Crops that go through the estimator at a time."""
    time_limit: float = unkeyed(300.0, gt=0)
    """Seconds a clip may take."""
    device: Literal["auto", "cpu", "cuda"] = unkeyed("auto")
    """Where PyTorch models run; auto is the GPU where there is one. ONNX models (onnx, yolo) run on the CPU."""

    @model_validator(mode="after")
    def _consistent(self) -> Pose:
        if self.estimator in ("onnx", "yolo") and self.weights is None:
            raise ValueError(f"estimator {self.estimator} needs weights: a path to its .onnx file")
        if self.estimator == "hrnet_mini" and (self.weights or self.input_size):
            raise ValueError("hrnet_mini comes with its weights and input_size: leave both out")
        if self.estimator in HRNET_SIZES and self.input_size not in (None, *HRNET_SIZES.values()):
            raise ValueError("input_size of an HRNet is [256, 192] or [384, 288]")
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout {self.layout!r} is not known: {', '.join(LAYOUTS)}")
        named = ("faster_rcnn", "faster_rcnn_mobilenet", "mini", "whole_frame")
        if self.detector not in named and self.detector.count(":") != 1:
            raise ValueError(f"detector {self.detector!r} is not known: {', '.join(named)}, or my_module:MyDetector")
        self._refuse_without_effect()
        return self

    def _refuse_without_effect(self) -> None:
        """Raise ValueError for parameters that would change the key of the stage, but nothing in its results."""
        if self.estimator == "yolo":
            own = ("detector", "detector_weights", "flip_test", "layout", "input_size")
            idle = [name for name in own if getattr(self, name) != type(self).model_fields[name].default]
            if idle:
                raise ValueError(f"{', '.join(idle)}: without effect, yolo finds people itself: leave these out")
        elif self.estimator != "onnx" and self.layout != "coco17":
            raise ValueError(f"layout {self.layout}: without effect, {self.estimator} finds coco17: leave it out")
        if self.detector in ("whole_frame", "mini") and self.detector_weights is not None:
            raise ValueError(f"detector_weights: without effect, {self.detector} takes none: leave them out")

    def files(self) -> tuple[Path, ...]:
        """Weights. Some models consist of two files: ncnn's .param and .bin, and an ONNX model with its .data."""
        own = []
        for path in (self.weights, self.detector_weights):
            if path is not None:
                others = (path.with_suffix(".bin"), path.with_name(f"{path.name}.data"))
                own += [path, *(other for other in others if other != path and other.is_file())]
        if "mini" in (self.detector, self.estimator.removeprefix("hrnet_")):
            own += sorted((Path(__file__).parent / "weights").iterdir())
        return tuple(own)

    def resources(self) -> Resources:
        own_detector = ":" in self.detector or self.detector.startswith("faster_rcnn")
        on_gpu = self.estimator.startswith("hrnet") or (self.estimator == "onnx" and own_detector)
        return Resources(num_gpus=0 if self.device == "cpu" or not on_gpu else 1)

    def seconds_per_clip(self) -> float:
        return self.time_limit

    def load(self, inputs: Mapping[str, pa.Table]) -> Any:
        from stages.pose.estimation import Models

        return Models(self)

    def process(self, clips: pa.Table, inputs: Mapping[str, pa.Table], loaded: Any) -> pa.Table:
        from stages.devices import threads

        with threads(1):  # as in every worker, so that the result does not depend on where it is computed
            rows = self._rows(clips, inputs, loaded)
        return pa.Table.from_pylist(rows, schema=SKELETONS.schema)

    def _rows(self, clips: pa.Table, inputs: Mapping[str, pa.Table], loaded: Any) -> list[Row]:
        from stages.pose.estimation import Estimation

        # A data set that has all its skeletons needs no models, and none of their weights.
        estimation = Estimation(loaded) if clips["skeleton_path"].null_count else None
        rows = []
        for clip, own in zip(clips.to_pylist(), aligned_rows(inputs, clips.num_rows), strict=True):
            work = partial(self._skeletons, clip, own["frames"], estimation)
            rows.append(attempt(clip["clip_id"], self.time_limit, work))
            if estimation:
                # Outside of the attempt: a batch holds other clips' crops too, and may not be blamed on this one.
                with limits.time_limit(self.time_limit):
                    estimation.work()
        if estimation:
            with limits.time_limit(self.time_limit):
                estimation.finish()
        return [row if row["error"] else _finished(row) for row in rows]

    def _skeletons(self, clip: Row, frames: Row, estimation: Estimation | None) -> Row:
        """A clip's row, still with keypoints in pixels (estimated ones are yet to come) and the size these refer to."""
        if clip["skeleton_path"] is not None:
            from stages.pose.skeleton_files import read_skeletons

            file = read_skeletons(Path(clip["skeleton_path"]))
            keypoints, layout = file.frames(frames["indices"], self.persons), file.layout
            size = file.size or (frames["source_width"], frames["source_height"])
            estimator = "ground truth"
        else:
            assert estimation is not None
            keypoints, layout = estimation.add(frames["frames"])
            size = frames["width"], frames["height"]
            estimator = self.estimator
        return {
            "keypoints": keypoints,
            "size": size,
            "persons": len(keypoints),
            "layout": layout.name,
            "estimator": estimator,
        }


def _finished(row: Row) -> Row:
    """The row with its keypoints as they are stored, or with an error where no joint is left of anybody."""
    pixels = row["keypoints"]
    keypoints = relative(pixels, *row.pop("size")).astype(np.float16)
    if not keypoints[..., 2].any():
        return {"clip_id": row["clip_id"], "error": f"no person found in any of {pixels.shape[1]} frames"}
    return row | {"keypoints": keypoints.tobytes()}


def relative(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Keypoints ...,3 relative to a frame, given in its pixels; joints outside the frame are missing (zeros)."""
    keypoints = pixels.copy()
    keypoints[..., :2] = (pixels[..., :2] + 0.5) / (width, height)
    inside = ((keypoints[..., :2] >= 0) & (keypoints[..., :2] <= 1)).all(-1) & (keypoints[..., 2] > 0)
    return np.where(inside[..., None], keypoints, 0)
