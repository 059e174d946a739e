"""Small ONNX graphs whose answer is known, built operation by operation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Dims = Sequence[int | str]


class Graph:
    """A graph with one input, images; every method adds an operation and returns the name of its output."""

    def __init__(self, images: Dims, number: int = TensorProto.FLOAT) -> None:
        self.input = helper.make_tensor_value_info("images", number, images)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.images = "images"

    def constant(self, values: Any) -> str:
        name = f"constant{len(self.weights)}"
        array = np.asarray(values)
        array = array.astype(np.float32) if array.dtype.kind == "f" else array.astype(np.int64)
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def add(self, operation: str, *inputs: str, **attributes: Any) -> str:
        output = f"{operation.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, list(inputs), [output], **attributes))
        return output

    def save(self, path: Path, outputs: dict[str, Dims], **metadata: str) -> Path:
        """Write the file. outputs: shapes of values that the methods returned. metadata: with __ for dots."""
        kinds = {name: TensorProto.INT64 if name.startswith("cast") else TensorProto.FLOAT for name in outputs}
        values = [helper.make_tensor_value_info(name, kinds[name], shape) for name, shape in outputs.items()]
        graph = helper.make_graph(self.nodes, "test", [self.input], values, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        helper.set_model_props(model, {key.replace("__", "."): value for key, value in metadata.items()})
        onnx.save(model, path)
        return path


def average_heatmaps(graph: Graph, joints: int = 17) -> str:
    """B,joints,h/4,w/4: means of 4 x 4 pixels; of the first channel, then the second, then the third, then again."""
    kernel = np.zeros((joints, 3, 4, 4))
    kernel[np.arange(joints), np.arange(joints) % 3] = 1 / 16
    return graph.add("Conv", graph.images, graph.constant(kernel), strides=[4, 4])


def simcc(graph: Graph, joints: int, size: tuple[int, int], bins: int, batch: int = 0) -> tuple[str, str]:
    """Vectors of SimCC, B,joints,w*bins and B,joints,h*bins: the highest value of the first channel in each column and
    row, in the first bin of each pixel. batch: a number that the operations depend on; 0: none."""
    channel = graph.add("Gather", graph.images, graph.constant(np.array([0])), axis=1)
    first = np.zeros(bins)
    first[0] = 1
    vectors = []
    for axis, length in ((2, size[1]), (3, size[0])):
        profile = graph.add("ReduceMax", channel, axes=[axis], keepdims=0)
        column = graph.add("Reshape", profile, graph.constant(np.array([batch, 1, length, 1])))
        spread = graph.add("Mul", column, graph.constant(first))
        vector = graph.add("Reshape", spread, graph.constant(np.array([batch, 1, length * bins])))
        vectors.append(graph.add("Mul", vector, graph.constant(np.ones((1, joints, 1)))))
    return vectors[0], vectors[1]
