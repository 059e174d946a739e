"""A pose estimator whose answer is known: all joints are where the image is reddest."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from stages.pose.crops import IMAGENET_MEAN, IMAGENET_STD

INPUT = (64, 48)


@pytest.fixture(scope="session")
def reddest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX model with a batch dimension fixed at 1: 17 heatmaps, each the red channel averaged over 4 x 4 pixels."""
    height, width = INPUT
    kernel = np.zeros((17, 3, 4, 4), np.float32)
    kernel[:, 0] = IMAGENET_STD[0] / 16
    shapes = {"image": [1, 3, height, width], "heatmaps": [1, 17, height // 4, width // 4]}
    image, heatmaps = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items())
    weights = [
        helper.make_tensor("kernel", TensorProto.FLOAT, kernel.shape, kernel.ravel()),
        helper.make_tensor("bias", TensorProto.FLOAT, [17], np.full(17, IMAGENET_MEAN[0])),
    ]
    node = helper.make_node("Conv", ["image", "kernel", "bias"], ["heatmaps"], strides=[4, 4])
    graph = helper.make_graph([node], "reddest", [image], [heatmaps], weights)
    path = tmp_path_factory.mktemp("reddest") / "reddest.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path
