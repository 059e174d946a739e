"""Any top-down heatmap model in ONNX format as a pose estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import StageError
from stages.pose.estimators import EstimatorSettings, HeatmapEstimator
from stages.pose.zoo import ModelCard

if TYPE_CHECKING:
    import onnx


class OnnxModel(HeatmapEstimator):
    """A model with one input B,3,h,w (RGB, ImageNet's mean and standard deviation) and heatmaps B,R,h/s,w/s as output.

    A batch dimension that the file fixes at 1 is made dynamic. Runs on one CPU thread: there is a worker per core.
    """

    takes = HeatmapEstimator.takes | {"weights", "input_size", "layout"}
    uses_gpu = False
    card = ModelCard("that of the file", "that of the file")

    def __init__(self, settings: EstimatorSettings) -> None:
        try:
            import onnx
            import onnxruntime
        except ImportError as error:
            raise StageError(
                f"estimator: onnx needs {error.name}, which is not installed: pip install 'action-pipeline[onnx]'"
            ) from error

        path, layout = settings.weights, settings.layout
        try:
            model = onnx.load(str(path))
        except Exception as error:
            raise StageError(f"{path} cannot be read as an ONNX model: {error}") from error
        parameters = {weight.name for weight in model.graph.initializer}
        inputs = [value for value in model.graph.input if value.name not in parameters]
        outputs = list(model.graph.output)
        if len(inputs) != 1 or len(_shape(inputs[0])) != 4 or len(_shape(outputs[0])) != 4:
            raise StageError(
                f"{path} is not a top-down heatmap model: it needs one input B,3,h,w and an output B,R,h,w"
            )
        for value in (inputs[0], *outputs):
            value.type.tensor_type.shape.dim[0].dim_param = "batch"

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._input, self._output = inputs[0].name, outputs[0].name
        _, channels, height, width = _shape(inputs[0])
        own_size = (height, width) if height and width else None
        if channels != 3:
            raise StageError(f"{path} takes {channels} channels, not the 3 of an RGB image")
        if own_size and settings.input_size and own_size != settings.input_size:
            raise StageError(
                f"{path} takes crops of {height} x {width}, but input_size says {list(settings.input_size)}"
            )
        size = own_size or settings.input_size
        if size is None:
            raise StageError(f"{path} takes crops of any size: choose one with input_size: [height, width]")
        self.input_size = size
        self.layout = layout
        joints = self.heatmaps(np.zeros((2, *self.input_size, 3), np.uint8)).shape[1]
        if joints != layout.count:
            raise StageError(f"{path} outputs {joints} heatmaps, but layout {layout.name} has {layout.count} joints")

    def heatmaps(self, crops: np.ndarray) -> np.ndarray:
        from stages.pose.crops import normalized

        return self._session.run([self._output], {self._input: normalized(crops)})[0]


def _shape(value: onnx.ValueInfoProto) -> list[int]:
    """Sizes of a tensor's dimensions; 0 where the file leaves one open."""
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]
