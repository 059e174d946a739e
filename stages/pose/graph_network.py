"""Convolutional networks that are published as TensorFlow.js graph models, as PyTorch modules.

A model is two files: NAME.json, with the operations and the names, shapes and types of the weights, and NAME.bin, with
the weights in that order. Nothing in them is executed: the operations are looked up in a table. What comes after the
convolutions (decoding) is not read from the graph, but written in the estimators.

Format: https://github.com/tensorflow/tfjs/tree/master/tfjs-converter
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.errors import StageError

Node = Mapping[str, Any]


class GraphNetwork(nn.Module):
    """The part of a graph from one operation to others, which are its heads.

    Tensors have the shapes that they have in the graph: B,H,W,C between the convolutions.
    """

    def __init__(self, json_file: Path, begin: str, heads: Sequence[str]) -> None:
        """begin, heads: parts of names of operations; the last operation that has one in its name is meant.

        Raises StageError if the files are not such a model, or if it has an operation that is not known here.
        """
        super().__init__()
        self._file = json_file
        try:
            nodes, weights = _read(json_file)
            self._input, *self._heads = [_last(nodes, part) for part in (begin, *heads)]
            self._nodes = _needed(nodes, self._heads, {self._input, *weights})
        except (OSError, LookupError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise StageError(f"{json_file} is not a graph model that this software can read: {error}") from error
        used = {name for node in self._nodes for name in _inputs(node)} & weights.keys()
        self._buffer_names: dict[str, str] = {}
        self._constants: dict[str, Tensor] = {}
        """Shapes, axes and single numbers. They stay on the CPU, where PyTorch wants them."""
        self._sizes = {_inputs(node)[1] for node in self._nodes if node["op"] == "ResizeBilinear"} & weights.keys()
        for name in used:
            tensor = torch.from_numpy(_laid_out(weights[name]))
            if tensor.ndim and tensor.is_floating_point():
                self._buffer_names[name] = f"weight_{len(self._buffer_names)}"
                self.register_buffer(self._buffer_names[name], tensor)
            else:
                self._constants[name] = tensor

    def forward(self, x: Tensor, share: tuple[float, float] = (1, 1)) -> list[Tensor]:
        """The heads' outputs, B,h,w,c each, where ``x`` is the output of the operation that it begins with.

        share: height and width of the images relative to those that the file is for.
        """
        buffers = {name: getattr(self, buffer) for name, buffer in self._buffer_names.items()}
        sizes = {name: (self._constants[name] * torch.tensor(share)).round().int() for name in self._sizes}
        known = {self._input: x, **self._constants, **sizes, **buffers}
        for node in self._nodes:
            inputs = [known[name] for name in _inputs(node)]
            try:
                known[node["name"]] = OPERATIONS[node["op"]](node.get("attr", {}), *inputs)
            except (LookupError, ValueError, TypeError, RuntimeError) as error:
                raise StageError(f"{self._file}: {node['op']} {node['name']} cannot be computed: {error}") from error
        return [known[name] for name in self._heads]


def _read(json_file: Path) -> tuple[list[Node], dict[str, np.ndarray]]:
    """The operations, and the weights by name."""
    model = json.loads(json_file.read_bytes())
    (group,) = model["weightsManifest"]
    content = json_file.with_suffix(".bin").read_bytes()
    weights, offset = {}, 0
    for entry in group["weights"]:
        stored = np.dtype(entry.get("quantization", entry)["dtype"])
        if "quantization" in entry and stored != np.float16:
            raise ValueError(f"weights quantized to {stored} are not supported")
        count = math.prod(entry["shape"])
        if count < 0 or offset + count * stored.itemsize > len(content):
            raise ValueError(f"its .bin has {len(content):,} bytes, too few for {entry['name']}")
        array = np.frombuffer(content, stored, count, offset).reshape(entry["shape"])
        weights[entry["name"]] = array.astype(entry["dtype"])
        offset += count * stored.itemsize
    if offset != len(content):
        raise ValueError(f"its .bin has {len(content):,} bytes, not {offset:,}")
    return [node for node in model["modelTopology"]["node"] if node["op"] != "Const"], weights


def _last(nodes: Sequence[Node], part: str) -> str:
    """The name of the last operation that has this part in it."""
    names = [node["name"] for node in nodes if part in node["name"]]
    if not names:
        raise ValueError(f"it has no operation called {part}")
    return names[-1]


def _inputs(node: Node) -> list[str]:
    return [name.partition(":")[0] for name in node.get("input", [])]


def _needed(nodes: Sequence[Node], heads: Sequence[str], known: set[str]) -> list[Node]:
    """The operations that lead from what is known to the heads, each after those whose results it takes."""
    by_name = {node["name"]: node for node in nodes}
    inputs: dict[str, list[str]] = {}
    waiting = list(heads)
    while waiting:
        name = waiting.pop()
        if name in inputs or name in known:
            continue
        if name not in by_name:
            raise ValueError(f"it lacks the operation or weight {name}")
        if by_name[name]["op"] not in OPERATIONS:
            raise ValueError(f"its operation {by_name[name]['op']} is not known here")
        inputs[name] = [other for other in _inputs(by_name[name]) if other not in known]
        waiting += inputs[name]
    try:
        return [by_name[name] for name in TopologicalSorter(inputs).static_order()]
    except CycleError as error:
        raise ValueError(f"its operations wait for each other: {', '.join(error.args[1])}") from error


def _laid_out(array: np.ndarray) -> np.ndarray:
    """Kernels h,w,in,out as PyTorch has them: out,in,h,w. Everything else as it is."""
    return np.ascontiguousarray(array.transpose(3, 2, 0, 1)) if array.ndim == 4 else np.array(array)


def _texts(attributes: Mapping[str, Any], name: str) -> list[str]:
    value = attributes.get(name, {})
    encoded = value["list"].get("s", []) if "list" in value else [value["s"]] if "s" in value else []
    return [base64.b64decode(text).decode() for text in encoded]


def _numbers(attributes: Mapping[str, Any], name: str) -> list[int]:
    return [int(number) for number in attributes[name]["list"]["i"]]


def _convolution(attributes: Mapping[str, Any], x: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
    return _convolved(attributes, x, kernel, bias, groups=1)


def _depthwise(attributes: Mapping[str, Any], x: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
    channels, multiplier, height, width = kernel.shape[1], kernel.shape[0], *kernel.shape[2:]
    kernel = kernel.transpose(0, 1).reshape(channels * multiplier, 1, height, width)
    return _convolved(attributes, x, kernel, bias, groups=channels)


def _convolved(attributes: Mapping[str, Any], x: Tensor, kernel: Tensor, bias: Tensor | None, groups: int) -> Tensor:
    stride, dilation = _numbers(attributes, "strides")[1:3], _numbers(attributes, "dilations")[1:3]
    if kernel.shape[2:] == (1, 1) and stride == [1, 1] and groups == 1:
        y = F.linear(x, kernel.flatten(1), bias)  # on CPUs twice as fast as a convolution
    else:
        window = [(n - 1) * step + 1 for n, step in zip(kernel.shape[2:], dilation, strict=True)]
        x_BCHW, padding = _padded(attributes, x, window)
        y = F.conv2d(x_BCHW, kernel, bias, stride, padding, dilation, groups).permute(0, 2, 3, 1)
    for fused in _texts(attributes, "fused_ops"):
        y = ACTIVATIONS[fused](y)
    return y


def _max_pool(attributes: Mapping[str, Any], x: Tensor) -> Tensor:
    size, stride = _numbers(attributes, "ksize")[1:3], _numbers(attributes, "strides")[1:3]
    x_BCHW, padding = _padded(attributes, x, size, -math.inf)
    return F.max_pool2d(x_BCHW, size, stride, padding).permute(0, 2, 3, 1)


def _padded(
    attributes: Mapping[str, Any], x: Tensor, window: Sequence[int], fill: float = 0.0
) -> tuple[Tensor, list[int]]:
    """B,C,H,W of ``x`` (B,H,W,C), and how it still has to be padded on each side for a window of this size.

    TensorFlow's SAME padding puts what is odd behind; then it is done here, in a copy.
    """
    x_BCHW = x.contiguous().permute(0, 3, 1, 2)  # channels last in memory, which is faster on CPUs
    if _texts(attributes, "padding") == ["VALID"]:
        return x_BCHW, [0, 0]
    strides = _numbers(attributes, "strides")[1:3]
    sizes = zip(x.shape[1:3], window, strides, strict=True)
    rows, columns = (max((math.ceil(n / step) - 1) * step + taps - n, 0) for n, taps, step in sizes)
    if rows % 2 == columns % 2 == 0:
        return x_BCHW, [rows // 2, columns // 2]
    amounts = [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2]
    return F.pad(x_BCHW, amounts, value=fill), [0, 0]


def _resize(attributes: Mapping[str, Any], x: Tensor, size: Tensor) -> Tensor:
    if not attributes["half_pixel_centers"]["b"]:
        raise ValueError("only half_pixel_centers are supported")
    return F.interpolate(x.permute(0, 3, 1, 2), size.tolist(), mode="bilinear").permute(0, 2, 3, 1)


def _pad(attributes: Mapping[str, Any], x: Tensor, amounts: Tensor, fill: Tensor | None = None) -> Tensor:
    return F.pad(x, amounts.flip(0).flatten().tolist(), value=0.0 if fill is None else float(fill))


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "BiasAdd": lambda x: x,
    "Relu": partial(F.relu, inplace=True),
    "Relu6": partial(F.relu6, inplace=True),
}
"""What may be fused into a convolution, and changes its result in place; the bias is part of it already."""

OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "_FusedConv2D": _convolution,
    "Conv2D": _convolution,
    "FusedDepthwiseConv2dNative": _depthwise,
    "DepthwiseConv2dNative": _depthwise,
    "ResizeBilinear": _resize,
    "Pad": _pad,
    "PadV2": _pad,
    "MaxPool": _max_pool,
    "Add": lambda _, x, y: x + y,
    "AddV2": lambda _, x, y: x + y,
    "Mul": lambda _, x, y: x * y,
    "LeakyRelu": lambda attributes, x: F.leaky_relu(x, attributes["alpha"]["f"]),
    "Transpose": lambda _, x, order: x.permute(order.tolist()),
    "ConcatV2": lambda _, *inputs: torch.cat(inputs[:-1], int(inputs[-1])),
    "Shape": lambda _, x: torch.tensor(x.shape),
    "StridedSlice": lambda _, x, first, end, step: x[int(first) : int(end) : int(step)],
}
"""What each operation computes from its attributes and inputs."""
