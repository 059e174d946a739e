"""TensorFlow.js graph models: each operation against PyTorch's own, and files that are no such models."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pipeline.errors import StageError
from stages.pose.graph_network import OPERATIONS, GraphNetwork

RNG = np.random.default_rng(0)
X = torch.from_numpy(RNG.normal(size=(2, 7, 10, 4)).astype(np.float32))
"""B,H,W,C: an odd and an even side."""


def text(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def numbers(*values: int) -> dict[str, Any]:
    return {"list": {"i": [str(value) for value in values]}}


def node(name: str, op: str, inputs: list[str], **attributes: Any) -> dict[str, Any]:
    return {"name": name, "op": op, "input": inputs, "attr": attributes}


def window(padding: str, stride: int, dilation: int = 1, fused: tuple[str, ...] = ()) -> dict[str, Any]:
    """Attributes of a convolution."""
    return {
        "padding": {"s": text(padding)},
        "strides": numbers(1, stride, stride, 1),
        "dilations": numbers(1, dilation, dilation, 1),
        "fused_ops": {"list": {"s": [text(one) for one in fused]}},
    }


def write(folder: Path, nodes: list[dict[str, Any]], **weights: Any) -> Path:
    """A model's two files. Weights of float64 are stored as float16, those of float32 and integers as they are."""
    entries, content = [], b""
    for name, value in weights.items():
        array = np.asarray(value)
        half, kind = array.dtype == np.float64, "float32" if array.dtype.kind == "f" else "int32"
        stored = array.astype(np.float16 if half else kind)
        entry = {"name": name, "shape": list(array.shape), "dtype": kind}
        entries.append(entry | ({"quantization": {"dtype": "float16", "original_dtype": "float32"}} if half else {}))
        content += stored.tobytes()
    constants = [node(name, "Const", []) for name in weights]
    model = {
        "format": "graph-model",
        "modelTopology": {"node": [node("x", "Placeholder", []), *constants, *nodes]},
        "weightsManifest": [{"paths": ["m.bin"], "weights": entries}],
    }
    (folder / "m.json").write_text(json.dumps(model))
    (folder / "m.bin").write_bytes(content)
    return folder / "m.json"


def computed(folder: Path, nodes: list[dict[str, Any]], **weights: Any) -> torch.Tensor:
    network = GraphNetwork(write(folder, nodes, **weights), "x", [nodes[-1]["name"]])
    with torch.inference_mode():
        return network(X)[0]


def tensorflow_convolution(x: np.ndarray, kernel: np.ndarray, stride: int, dilation: int, same: bool) -> np.ndarray:
    """The slow way, tap by tap, as TensorFlow's documentation defines it: x B,H,W,C, kernel h,w,C,out."""
    B, H, W, _ = x.shape
    h, w, _, out = kernel.shape
    reach = [(h - 1) * dilation + 1, (w - 1) * dilation + 1]
    if same:
        sides = [-(-H // stride), -(-W // stride)]
        total = [max((n - 1) * stride + r - length, 0) for n, r, length in zip(sides, reach, (H, W), strict=True)]
        x = np.pad(x, ((0, 0), *((t // 2, t - t // 2) for t in total), (0, 0)))
    else:
        sides = [-(-(length - r + 1) // stride) for r, length in zip(reach, (H, W), strict=True)]
    y = np.zeros((B, *sides, out))
    for i in range(sides[0]):
        for j in range(sides[1]):
            for a in range(h):
                for b in range(w):
                    y[:, i, j] += x[:, i * stride + a * dilation, j * stride + b * dilation] @ kernel[a, b]
    return y


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(
    ("size", "stride", "dilation"), [(1, 1, 1), (1, 2, 1), (3, 1, 1), (3, 2, 1), (3, 1, 2), (4, 2, 1)]
)
def test_convolutions(tmp_path: Path, size: int, stride: int, dilation: int, padding: str) -> None:
    kernel = RNG.normal(size=(size, size, 4, 5)).astype(np.float32)
    attributes = window(padding, stride, dilation)
    expected = tensorflow_convolution(X.numpy(), kernel, stride, dilation, padding == "SAME")
    found = computed(tmp_path, [node("y", "Conv2D", ["x", "k"], **attributes)], k=kernel)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)

    bias = RNG.normal(size=5).astype(np.float32)
    for activation, function in {"Relu": F.relu, "Relu6": F.relu6}.items():
        attributes = window(padding, stride, dilation, ("BiasAdd", activation))
        found = computed(tmp_path, [node("y", "_FusedConv2D", ["x", "k", "b"], **attributes)], k=10 * kernel, b=bias)
        with_bias = torch.from_numpy((10 * expected + bias).astype(np.float32))
        np.testing.assert_allclose(found, function(with_bias), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_convolutions(tmp_path: Path, stride: int, multiplier: int) -> None:
    kernel = RNG.normal(size=(3, 3, 4, multiplier)).astype(np.float32)
    whole = np.zeros((3, 3, 4, 4 * multiplier), np.float32)
    for channel in range(4):
        whole[:, :, channel, channel * multiplier : (channel + 1) * multiplier] = kernel[:, :, channel]
    expected = tensorflow_convolution(X.numpy(), whole, stride, 1, True)
    found = computed(tmp_path, [node("y", "DepthwiseConv2dNative", ["x", "k"], **window("SAME", stride))], k=kernel)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    bias = np.arange(4 * multiplier, dtype=np.float32)
    attributes = window("SAME", stride, 1, ("BiasAdd", "Relu6"))
    nodes = [node("y", "FusedDepthwiseConv2dNative", ["x", "k", "b"], **attributes)]
    expected = np.clip(expected + bias, 0, 6)
    np.testing.assert_allclose(computed(tmp_path, nodes, k=kernel, b=bias), expected, rtol=1e-4, atol=1e-4)


def test_a_result_that_two_operations_take_is_not_changed_by_one(tmp_path: Path) -> None:
    """Activations work in place, on results of convolutions alone."""
    kernel = -np.eye(4, dtype=np.float32)[None, None]
    nodes = [
        node("a", "Conv2D", ["x", "k"], **window("SAME", 1)),
        node("b", "_FusedConv2D", ["a", "k", "zero"], **window("SAME", 1, 1, ("BiasAdd", "Relu"))),
        node("c", "AddV2", ["a", "b"]),
    ]
    found = computed(tmp_path, nodes, k=kernel, zero=np.zeros(4, np.float32))
    torch.testing.assert_close(found, -X + F.relu(X))


def pooled(x: torch.Tensor) -> torch.Tensor:
    return F.max_pool2d(x.permute(0, 3, 1, 2), 3, 2).permute(0, 2, 3, 1)


def enlarged(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x.permute(0, 3, 1, 2), (14, 20), mode="bilinear", align_corners=False).permute(0, 2, 3, 1)


HALVES = {"half_pixel_centers": {"b": True}, "align_corners": {"b": False}}
POOL = {"ksize": numbers(1, 3, 3, 1), "strides": numbers(1, 2, 2, 1), "padding": {"s": text("VALID")}}
AMOUNTS = np.array([[0, 0], [1, 2], [3, 0], [0, 0]], np.int32)
OTHERS: dict[str, tuple[list[dict[str, Any]], dict[str, Any], Callable[[torch.Tensor], torch.Tensor]]] = {
    "Add": ([node("y", "Add", ["x", "x"])], {}, lambda x: x + x),
    "AddV2": ([node("y", "AddV2", ["x", "w"])], {"w": 2.5}, lambda x: x + 2.5),
    "Mul": ([node("y", "Mul", ["x", "w"])], {"w": np.arange(4.0)}, lambda x: x * torch.arange(4)),
    "LeakyRelu": ([node("y", "LeakyRelu", ["x"], alpha={"f": 0.1})], {}, lambda x: F.leaky_relu(x, 0.1)),
    "Transpose": ([node("y", "Transpose", ["x", "w"])], {"w": np.array([0, 3, 1, 2])}, lambda x: x.permute(0, 3, 1, 2)),
    "ConcatV2": ([node("y", "ConcatV2", ["x", "x", "w"])], {"w": np.array(3)}, lambda x: torch.cat([x, x], 3)),
    "Pad": ([node("y", "Pad", ["x", "w"])], {"w": AMOUNTS}, lambda x: F.pad(x, (0, 0, 3, 0, 1, 2))),
    "PadV2": (
        [node("y", "PadV2", ["x", "w", "v"])],
        {"w": AMOUNTS, "v": -5.0},
        lambda x: F.pad(x, (0, 0, 3, 0, 1, 2), value=-5),
    ),
    "MaxPool": ([node("y", "MaxPool", ["x"], **POOL)], {}, pooled),
    "Shape, StridedSlice, Mul and ResizeBilinear": (
        [
            node("shape", "Shape", ["x"]),
            node("sides", "StridedSlice", ["shape", "first", "end", "step"]),
            node("double", "Mul", ["sides", "two"]),
            node("y", "ResizeBilinear", ["x", "double"], **HALVES),
        ],
        {"first": np.array([1]), "end": np.array([3]), "step": np.array([1]), "two": np.array([2, 2])},
        enlarged,
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_operations(tmp_path: Path, name: str) -> None:
    nodes, weights, expected = OTHERS[name]
    torch.testing.assert_close(computed(tmp_path, nodes, **weights), expected(X), check_dtype=False)


def test_every_operation_is_tested() -> None:
    ours = {one["op"] for nodes, _, _ in OTHERS.values() for one in nodes}
    convolutions = {"Conv2D", "_FusedConv2D", "DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"}
    assert ours | convolutions == OPERATIONS.keys()


def test_a_maximum_at_the_border_of_same_padding_may_be_negative(tmp_path: Path) -> None:
    attributes = POOL | {"padding": {"s": text("SAME")}}
    nodes = [node("low", "AddV2", ["x", "w"]), node("y", "MaxPool", ["low"], **attributes)]
    found = computed(tmp_path, nodes, w=-100.0)
    assert found.shape == (2, 4, 5, 4)
    torch.testing.assert_close(found[:, 0, 0], X[:, :2, :3].amax((1, 2)) - 100)
    torch.testing.assert_close(found[:, -1, -1], X[:, 5:, 8:].amax((1, 2)) - 100)


def test_the_order_of_the_file_does_not_matter_and_what_is_not_needed_may_be_unknown(tmp_path: Path) -> None:
    nodes = [
        node("c", "Mul", ["b", "b"]),
        node("b", "AddV2", ["x:0", "w"]),
        node("strange", "NonMaxSuppressionV5", ["c"]),
    ]
    network = GraphNetwork(write(tmp_path, nodes, w=1.0), "x", ["c", "b"])
    torch.testing.assert_close(network(X), [(X + 1) ** 2, X + 1])


def test_precision_and_weights_in_half_precision(tmp_path: Path) -> None:
    kernel = RNG.normal(size=(1, 1, 4, 3))  # float64: stored as float16
    network = GraphNetwork(
        write(tmp_path, [node("y", "Conv2D", ["x", "k"], **window("VALID", 1))], k=kernel), "x", ["y"]
    )
    expected = X @ torch.from_numpy(kernel.astype(np.float16).astype(np.float32)[0, 0])
    torch.testing.assert_close(network(X)[0], expected)
    [half] = network.to(torch.bfloat16)(X.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), expected, rtol=0.05, atol=0.05)


BROKEN: dict[str, tuple[list[dict[str, Any]], str]] = {
    "an unknown operation": ([node("y", "Erf", ["x"])], "its operation Erf is not known here"),
    "a circle": ([node("y", "Add", ["z", "x"]), node("z", "Add", ["y", "x"])], "operations wait for each other: "),
    "no such input": ([node("y", "Add", ["x", "nothing"])], "lacks the operation or weight nothing"),
    "no such head": ([node("other", "Add", ["x", "x"])], "has no operation called y"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_graphs_that_cannot_be_computed_are_refused(tmp_path: Path, name: str) -> None:
    nodes, message = BROKEN[name]
    with pytest.raises(StageError, match=rf"m\.json is not a graph model that this software can read: .*{message}"):
        GraphNetwork(write(tmp_path, nodes), "x", ["y"])


def test_damaged_files_are_refused_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, [node("y", "Mul", ["x", "w"])], w=np.ones(4, np.float32))
    content, model = (tmp_path / "m.bin").read_bytes(), json.loads(path.read_text())

    def refused(message: str) -> None:
        with pytest.raises(StageError, match=rf"m\.json is not a graph model.*{message}"):
            GraphNetwork(path, "x", ["y"])

    (tmp_path / "m.bin").write_bytes(content[:-1])
    refused("its .bin has 15 bytes, too few for w")
    (tmp_path / "m.bin").write_bytes(content + b"1234")
    refused("its .bin has 20 bytes, not 16")
    (tmp_path / "m.bin").unlink()
    refused(r"m\.bin")
    (tmp_path / "m.bin").write_bytes(content)
    for shape in ([10**12], [-4], [10**9, 10**9], "four"):
        model["weightsManifest"][0]["weights"][0]["shape"] = shape
        path.write_text(json.dumps(model))
        refused("")
    for damaged in ("", "[]", "{}", "[" * 100_000, '{"modelTopology": 1, "weightsManifest": [{"weights": []}]}'):
        path.write_text(damaged)
        refused("")
    path.unlink()
    refused("")


def test_weights_quantized_in_another_way_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, [node("y", "Mul", ["x", "w"])], w=np.ones(4))
    path.write_text(path.read_text().replace('"dtype": "float16"', '"dtype": "uint8"'))
    with pytest.raises(StageError, match="quantized to uint8 are not supported"):
        GraphNetwork(path, "x", ["y"])


def test_shapes_that_do_not_fit_are_named_with_file_and_operation(tmp_path: Path) -> None:
    network = GraphNetwork(write(tmp_path, [node("y", "Mul", ["x", "w"])], w=np.ones(3, np.float32)), "x", ["y"])
    with pytest.raises(StageError, match=r"m\.json: Mul y cannot be computed: .*size"):
        network(X)
