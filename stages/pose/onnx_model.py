"""Any top-down model in ONNX format as a pose estimator: heatmaps, or SimCC as of RTMPose."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.errors import StageError
from stages.pose.estimators import EstimatorSettings, HeatmapEstimator
from stages.pose.onnx_network import OnnxNetwork, read_model, why_no_cuda
from stages.pose.zoo import ModelCard


class OnnxModel(HeatmapEstimator):
    """A model with one input B,3,h,w, and as its first outputs either heatmaps B,R,h/s,w/s or the vectors of SimCC,
    B,R,w*s and B,R,h*s.

    Unless the file says otherwise (``onnx_pixels``) it takes RGB with ImageNet's mean and standard deviation, as models
    of MMPose do. Crops go through it in batches, also where the file fixes another number, if its operations allow it.
    """

    takes = HeatmapEstimator.takes | {"weights", "input_size", "layout"}
    cpu_batch = 8  # decoding the heatmaps of several crops together is faster
    version = 2
    card = ModelCard("that of the file", "that of the file")

    def __init__(self, settings: EstimatorSettings) -> None:
        from stages.pose.onnx_pixels import IMAGENET, pixels_of
        from stages.pose.simcc import split_ratio

        path, self.layout = settings.weights, settings.layout
        assert path is not None
        model = read_model(path, "estimator")
        self.network = OnnxNetwork(model, path, settings.device, settings.input_size, batches=True)
        self.pixels = pixels_of(model, path, IMAGENET)
        own = self.network.own_size
        if own and settings.input_size and own != settings.input_size:
            raise StageError(
                f"{path} takes crops of {own[0]} x {own[1]}, but input_size says {list(settings.input_size)}"
            )
        self.input_size = self.network.size

        first, *others = outputs = self._outputs(np.zeros((2, *self.input_size, 3), np.uint8))
        self.split: float | None = None
        """Bins of SimCC's vectors per pixel; None: the model gives heatmaps."""
        if first.ndim == 3 and others:
            self.split = split_ratio(first, others[0], self.input_size)
        if self.split is None and first.ndim != 4:
            shapes = " and ".join(str(list(output.shape[1:])) for output in outputs)
            raise StageError(
                f"{path} is not a top-down pose model: for each crop it should give heatmaps R,h,w or SimCC's vectors "
                f"R,w and R,h, but gives {shapes}"
            )
        if self.split is None:
            del self.network.names[1:]
        joints, what = first.shape[1], "pairs of vectors" if self.split else "heatmaps"
        if joints != self.layout.count:
            raise StageError(
                f"{path} outputs {joints} {what}, but layout {self.layout.name} has {self.layout.count} joints"
            )

    @classmethod
    def why_no_gpu(cls, weights: Path | None) -> str | None:
        return why_no_cuda()

    def heatmaps(self, crops: np.ndarray) -> np.ndarray:
        return self._outputs(crops)[0]

    def keypoints(self, crops: np.ndarray, flip_test: bool) -> np.ndarray:
        if self.split is None:
            return super().keypoints(crops, flip_test)
        from stages.pose.simcc import decode, mirrored

        x, y = self._outputs(crops)
        if flip_test:
            flipped_x, flipped_y = self._outputs(crops[:, :, ::-1])
            back_x, back_y = mirrored(flipped_x, flipped_y, self.layout.flip, self.split)
            x, y = (x + back_x) / 2, (y + back_y) / 2
        return decode(x, y, self.split)

    def _outputs(self, crops: np.ndarray) -> list[np.ndarray]:
        return self.network(self.pixels.of(crops))
