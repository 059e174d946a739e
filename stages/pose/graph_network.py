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
        try:
            nodes, weights = _read(json_file)
            self._input, *self._heads = [
                [node["name"] for node in nodes if part in node["name"] and node["name"] not in weights][-1]
                for part in (begin, *heads)
            ]
            self._nodes = _needed(nodes, self._heads, {self._input, *weights})
            self._operations = {node["name"]: OPERATIONS[node["op"]] for node in self._nodes}
        except (OSError, KeyError, IndexError, ValueError, TypeError) as error:
            raise StageError(f"{json_file} is not a graph model that this software can read: {error!r}") from error
        self._names = {name: f"weight_{i}" for i, name in enumerate(weights)}
        used = {name for node in self._nodes for name in _inputs(node)}
        for name, array in weights.items():
            if name in used:
                self.register_buffer(self._names[name], torch.from_numpy(_laid_out(array)))

    def forward(self, x: Tensor) -> list[Tensor]:
        """The heads' outputs, B,h,w,c each, where ``x`` is the output of the operation that it begins with."""
        known = {self._input: x}
        for node in self._nodes:
            inputs = [known[name] if name in known else getattr(self, self._names[name]) for name in _inputs(node)]
            known[node["name"]] = self._operations[node["name"]](node.get("attr", {}), *inputs)
        return [known[name] for name in self._heads]


def _read(json_file: Path) -> tuple[list[Node], dict[str, np.ndarray]]:
    """The operations, inputs before what needs them, and the weights by name."""
    model = json.loads(json_file.read_bytes())
    (group,) = model["weightsManifest"]
    content = json_file.with_suffix(".bin").read_bytes()
    weights, offset = {}, 0
    for entry in group["weights"]:
        stored = np.dtype(entry.get("quantization", entry)["dtype"])
        count = math.prod(entry["shape"])
        array = np.frombuffer(content, stored, count, offset).reshape(entry["shape"])
        weights[entry["name"]] = array.astype(entry["dtype"])
        offset += count * stored.itemsize
    if offset != len(content):
        raise ValueError(f"its .bin has {len(content):,} bytes, not {offset:,}")
    return model["modelTopology"]["node"], weights


def _inputs(node: Node) -> list[str]:
    return [name.partition(":")[0] for name in node.get("input", [])]


def _needed(nodes: Sequence[Node], heads: Sequence[str], known: set[str]) -> list[Node]:
    """The operations that lead from what is known to the heads, in the order of the graph."""
    by_name = {node["name"]: node for node in nodes}
    needed: set[str] = set()
    waiting = list(heads)
    while waiting:
        name = waiting.pop()
        if name not in needed and name not in known:
            needed.add(name)
            waiting += _inputs(by_name[name])
    return _in_order([node for node in nodes if node["name"] in needed], known)


def _in_order(nodes: Sequence[Node], known: set[str]) -> list[Node]:
    """Operations after those whose results they take. Raises ValueError if there is a circle."""
    done, ordered, waiting = set(known), list[Node](), list(nodes)
    while waiting:
        ready = [node for node in waiting if done.issuperset(_inputs(node))]
        if not ready:
            raise ValueError(f"operations wait for each other, such as {waiting[0]['name']}")
        ordered += ready
        done.update(node["name"] for node in ready)
        waiting = [node for node in waiting if node["name"] not in done]
    return ordered


def _laid_out(array: np.ndarray) -> np.ndarray:
    """Kernels h,w,in,out as PyTorch has them: out,in,h,w. Everything else as it is."""
    return np.ascontiguousarray(array.transpose(3, 2, 0, 1)) if array.ndim == 4 else np.array(array)


def _texts(attributes: Mapping[str, Any], name: str) -> list[str]:
    value = attributes.get(name, {})
    encoded = value["list"].get("s", []) if "list" in value else [value["s"]] if "s" in value else []
    return [base64.b64decode(text).decode() for text in encoded]


def _numbers(attributes: Mapping[str, Any], name: str) -> list[int]:
    return [int(number) for number in attributes[name]["list"]["i"]]


def _same_padding(x_BCHW: Tensor, size: Sequence[int], stride: Sequence[int], fill: float = 0.0) -> Tensor:
    """TensorFlow's SAME padding, which puts what is odd behind."""
    amounts: list[int] = []
    for length, kernel, step in zip(reversed(x_BCHW.shape[2:]), reversed(size), reversed(stride), strict=True):
        total = max((math.ceil(length / step) - 1) * step + kernel - length, 0)
        amounts += [total // 2, total - total // 2]
    return F.pad(x_BCHW, amounts, value=fill) if any(amounts) else x_BCHW


def _convolution(attributes: Mapping[str, Any], x: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
    stride = _numbers(attributes, "strides")[1:3]
    x_BCHW = x.permute(0, 3, 1, 2)
    groups = 1
    if kernel.shape[0] == 1 and kernel.shape[1] == x_BCHW.shape[1] > 1 and attributes.get("_depthwise"):
        kernel, groups = kernel.transpose(0, 1), x_BCHW.shape[1]
    if _texts(attributes, "padding") == ["SAME"]:
        x_BCHW = _same_padding(x_BCHW, kernel.shape[2:], stride)
    y = F.conv2d(x_BCHW, kernel, bias, stride, groups=groups).permute(0, 2, 3, 1)
    activations = {"BiasAdd": lambda z: z, "Relu": F.relu, "Relu6": F.relu6}
    for fused in _texts(attributes, "fused_ops"):
        y = activations[fused](y)
    return y


def _depthwise(attributes: Mapping[str, Any], x: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
    return _convolution({**attributes, "_depthwise": True}, x, kernel, bias)


def _resize(attributes: Mapping[str, Any], x: Tensor, size: Tensor) -> Tensor:
    height, width = size.tolist()
    return F.interpolate(x.permute(0, 3, 1, 2), (height, width), mode="bilinear").permute(0, 2, 3, 1)


def _pad(attributes: Mapping[str, Any], x: Tensor, amounts: Tensor, fill: Tensor | None = None) -> Tensor:
    value = 0.0 if fill is None else float(fill)
    return F.pad(x, amounts.flip(0).flatten().tolist(), value=value)


def _max_pool(attributes: Mapping[str, Any], x: Tensor) -> Tensor:
    size, stride = _numbers(attributes, "ksize")[1:3], _numbers(attributes, "strides")[1:3]
    return F.max_pool2d(x.permute(0, 3, 1, 2), size, stride).permute(0, 2, 3, 1)


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
