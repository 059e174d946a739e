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


def green_box(graph: Graph, size: tuple[int, int]) -> tuple[str, str]:
    """Edges B,4 (x1, y1, x2, y2) of what is green in BGR or RGB images of 0 to 255, and B,1: 1 if there is any, else 0.

    Size: height and width of the images. Green is what has more of the second channel than twice the others.
    """
    channels = [graph.add("Gather", graph.images, graph.constant(np.array([i])), axis=1) for i in range(3)]
    others = graph.add("Mul", graph.add("Max", channels[0], channels[2]), graph.constant(2.0))
    excess = graph.add("Sub", channels[1], graph.add("Add", others, graph.constant(50.0)))
    mask = graph.add("Clip", excess, graph.constant(0.0), graph.constant(1.0))
    edges = []
    for axis, length in ((2, size[1]), (3, size[0])):
        profile = graph.add("ReduceMax", mask, axes=[axis], keepdims=0)  # B,1,length
        after = graph.add("Mul", profile, graph.constant(np.arange(1.0, length + 1)))
        before = graph.add("Mul", profile, graph.constant(np.arange(length, 0.0, -1)))
        first = graph.add("ReduceMax", before, axes=[2], keepdims=0)
        edges.append(
            (
                graph.add("Sub", graph.constant(float(length)), first),
                graph.add("ReduceMax", after, axes=[2], keepdims=0),
            )
        )
    (x1, x2), (y1, y2) = edges
    return graph.add("Concat", x1, y1, x2, y2, axis=1), graph.add("ReduceMax", mask, axes=[2, 3], keepdims=0)


def yolox(graph: Graph, size: tuple[int, int], in_pixels: bool, categories: int = 80) -> tuple[str, int]:
    """YOLOX's output B,N,5+categories, and N. Every cell gives the green box: a person with a score of 0.9 * 0.8, and
    more likely something else."""
    edges, is_there = green_box(graph, size)
    low, high = (graph.add("Gather", edges, graph.constant(np.array(which)), axis=1) for which in ([0, 1], [2, 3]))
    half = graph.constant(0.5)
    middle = graph.add("Mul", graph.add("Add", low, high), half)
    extent = graph.add("Max", graph.add("Sub", high, low), graph.constant(1e-3))
    columns_rows, strides = [], []
    for stride in (8, 16, 32):
        for row in range(size[0] // stride):
            for column in range(size[1] // stride):
                columns_rows.append((column, row))
                strides.append([stride])
    cells, lengths = np.array(columns_rows, float)[None], np.array(strides, float)[None]

    def of_each_cell(pair: str) -> str:
        return graph.add(
            "Mul", graph.add("Unsqueeze", pair, graph.constant(np.array([1]))), graph.constant(np.ones_like(lengths))
        )

    middles, extents = of_each_cell(middle), of_each_cell(extent)
    if in_pixels:
        # Cells that see nothing give boxes, too, which are spread over the image.
        there = of_each_cell(is_there)
        elsewhere = graph.add("Mul", graph.add("Sub", graph.constant(1.0), there), graph.constant(cells * lengths))
        middles = graph.add("Add", graph.add("Mul", middles, there), elsewhere)
    else:
        middles = graph.add("Sub", graph.add("Div", middles, graph.constant(lengths)), graph.constant(cells))
        extents = graph.add("Log", graph.add("Div", extents, graph.constant(lengths)))
    likely = np.zeros((1, 1, categories))
    likely[..., 0], likely[..., 1:2] = 0.8, 0.95
    objects = graph.add("Mul", of_each_cell(is_there), graph.constant(0.9))
    classes = graph.add("Add", graph.add("Mul", objects, graph.constant(np.zeros(1))), graph.constant(likely))
    return graph.add("Concat", middles, extents, objects, classes, axis=2), len(columns_rows)


def mmdeploy(graph: Graph, size: tuple[int, int]) -> tuple[str, str]:
    """MMDeploy's outputs B,3,5 and B,3: the green box with a score of 0.9 (0 where nothing is green), a person with a
    score of 0, and a dog as large as the image."""
    edges, is_there = green_box(graph, size)
    score = graph.add("Mul", is_there, graph.constant(0.9))
    person = graph.add("Unsqueeze", graph.add("Concat", edges, score, axis=1), graph.constant(np.array([1])))
    nothing = graph.add("Mul", person, graph.constant(np.zeros(5)))
    dog = graph.add("Add", nothing, graph.constant(np.array([0.0, 0, size[1], size[0], 0.95])))
    boxes = graph.add("Concat", person, nothing, dog, axis=1)
    zeros = graph.add("ReduceMax", graph.add("Mul", boxes, graph.constant(0.0)), axes=[2], keepdims=0)
    labels = graph.add("Add", zeros, graph.constant(np.array([[0.0, 0, 16]])))
    return boxes, graph.add("Cast", labels, to=TensorProto.INT64)


def focus(graph: Graph) -> None:
    """Begin with a slice, as YOLOX does; here it has all pixels."""
    start, end, axis, step = (graph.constant(np.array([number])) for number in (0, 4096, 2, 1))
    graph.images = graph.add("Slice", graph.images, start, end, axis, step)
