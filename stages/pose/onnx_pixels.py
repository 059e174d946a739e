"""In which form an ONNX file expects the pixels of images.

A file says so in its ``metadata_props``:

- ``Image.BitmapPixelFormat`` (``Rgb8`` or ``Bgr8``) and ``Image.NominalPixelRange`` (``NominalRange_0_255``,
  ``Normalized_0_1`` or ``Normalized_1_1``), as ONNX defines them,
- ``mean`` and ``std``, lists of three numbers in JSON: what is subtracted from the channels (0 to 255, in the order in
  which the network takes them), and what the difference is divided by,

or its graph begins by subtracting and dividing itself. Otherwise the form is the one that is usual for its kind. Images
of uint8 are always pixels from 0 to 255.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipeline.errors import StageError
from stages.pose.crops import IMAGENET_MEAN, IMAGENET_STD, planes

if TYPE_CHECKING:
    import onnx

_RANGES = {"nominalrange_0_255": (0.0, 1.0), "normalized_0_1": (0.0, 255.0), "normalized_1_1": (127.5, 127.5)}
"""Mean and standard deviation for each."""
_NORMAL = 10.0
"""Normalized pixels are smaller than this."""


class Pixels(NamedTuple):
    """The numbers of a channel are ``pixel * scale - shift``, with pixels from 0 to 255."""

    scale: np.ndarray
    """float32 3, in the order in which the network takes the channels."""
    shift: np.ndarray
    bgr: bool = False

    @classmethod
    def normalized(cls, mean: np.ndarray, std: np.ndarray, bgr: bool) -> Pixels:
        """From what is subtracted, and what the difference is divided by."""
        return cls((1 / std).astype(np.float32), (mean / std).astype(np.float32), bgr)

    def of(self, images_BHW3: np.ndarray) -> np.ndarray:
        """RGB images uint8 B,h,w,3 as float32 B,3,h,w."""
        return planes(images_BHW3[..., ::-1] if self.bgr else images_BHW3, self.scale, self.shift)

    def in_order(self, bgr: bool) -> Pixels:
        """The same with the channels in this order."""
        return self if bgr == self.bgr else Pixels(self.scale[::-1], self.shift[::-1], bgr)


IMAGENET = Pixels(1 / (255 * IMAGENET_STD), IMAGENET_MEAN / IMAGENET_STD)
RAW_BGR = Pixels(np.ones(3, np.float32), np.zeros(3, np.float32), bgr=True)


def pixels_of(model: onnx.ModelProto, path: Path, usual: Pixels) -> Pixels:
    """How the model in this file takes pixels. Raises StageError if its metadata say something else than the above."""
    said = {entry.key.lower(): entry.value for entry in model.metadata_props}
    found = _form(model, path, usual, said)
    if not _takes_bytes(model.graph):
        return found
    raw = RAW_BGR.in_order(found.bgr)
    if said.keys() & {"mean", "std", "image.nominalpixelrange"} and any(map(np.any, (found.scale != 1, found.shift))):
        raise StageError(f"{path} takes images of uint8, but its metadata say that pixels are not from 0 to 255")
    return raw


def _form(model: onnx.ModelProto, path: Path, usual: Pixels, said: dict[str, str]) -> Pixels:
    order = said.get("image.bitmappixelformat", "bgr8" if usual.bgr else "rgb8").lower()
    if order not in ("rgb8", "bgr8"):
        raise StageError(f"{path} says Image.BitmapPixelFormat: {order}, but only Rgb8 and Bgr8 are supported")
    bgr = order == "bgr8"
    if "mean" in said or "std" in said:
        return Pixels.normalized(_three(said, "mean", 0.0, path), _three(said, "std", 1.0, path), bgr)
    if extent := said.get("image.nominalpixelrange"):
        if extent.lower() not in _RANGES:
            raise StageError(
                f"{path} says Image.NominalPixelRange: {extent}, but only {', '.join(_RANGES)} are supported"
            )
        mean, std = _RANGES[extent.lower()]
        return Pixels.normalized(np.full(3, mean), np.full(3, std), bgr)
    own = _normalization(model.graph)
    if own is None:
        return usual.in_order(bgr)
    scale, shift = own
    from_1 = np.abs(255 * scale - shift).max() > _NORMAL >= np.abs(shift).max()
    if "image.bitmappixelformat" not in said and shift[0] != shift[2]:
        means = shift / scale
        bgr = bool(means[0] < means[2])  # in all common means, blue is the darkest
    return Pixels.normalized(np.zeros(3), np.full(3, 255.0 if from_1 else 1.0), bgr)


def _takes_bytes(graph: onnx.GraphProto) -> bool:
    from onnx import TensorProto

    name = _image(graph)
    return any(value.name == name and value.type.tensor_type.elem_type == TensorProto.UINT8 for value in graph.input)


def first_operations(graph: onnx.GraphProto) -> set[str]:
    """Names of the operations that take the images."""
    return {node.op_type for node in graph.node if _image(graph) in node.input}


def _image(graph: onnx.GraphProto) -> str:
    parameters = {weight.name for weight in graph.initializer}
    return next(value.name for value in graph.input if value.name not in parameters)


def _three(said: dict[str, str], key: str, default: float, path: Path) -> np.ndarray:
    """Three finite numbers of the metadata; std: none of them zero."""
    try:
        numbers = np.array(json.loads(said[key]) if key in said else [default] * 3, dtype=float)
    except (ValueError, TypeError):
        numbers = np.empty(0)
    if numbers.shape != (3,) or not np.isfinite(numbers).all() or (key == "std" and not numbers.all()):
        raise StageError(
            f"{path} says {key}: {said[key]!r}, which should be three numbers such as [123.7, 116.3, 103.5]"
        )
    return numbers


def _normalization(graph: onnx.GraphProto) -> tuple[np.ndarray, np.ndarray] | None:
    """Scale and shift of what the graph itself does to the channels first; None if it does nothing."""
    scale, shift, found = np.ones(3), np.zeros(3), False
    for operation, constant in _arithmetic(graph):
        found = True
        match operation:
            case "Sub":
                shift = shift + constant
            case "Add":
                shift = shift - constant
            case "Mul":
                scale, shift = scale * constant, shift * constant
            case "Div":
                scale, shift = scale / constant, shift / constant
    return (scale, shift) if found else None


def _arithmetic(graph: onnx.GraphProto) -> Iterator[tuple[str, np.ndarray]]:
    """The operations with a constant (3 numbers) that the images go through first, each alone."""
    from onnx import numpy_helper

    constants = {weight.name: weight for weight in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            constants.update((node.output[0], part.t) for part in node.attribute if part.name == "value")
    current = _image(graph)
    for _ in range(len(graph.node)):
        takers = [node for node in graph.node if current in node.input]
        if len(takers) != 1 or takers[0].op_type not in ("Sub", "Add", "Mul", "Div", "Cast", "Identity"):
            return
        (node,) = takers
        if node.op_type not in ("Cast", "Identity"):
            other = constants.get(node.input[1])
            if node.input[0] != current or other is None or other.external_data:
                return
            numbers = numpy_helper.to_array(other).astype(float)
            if numbers.size != 1 and (numbers.size != 3 or numbers.shape[-3:] != (3, 1, 1)):
                return
            if node.op_type in ("Mul", "Div") and not numbers.all():
                return
            yield node.op_type, np.broadcast_to(numbers.ravel(), 3)
        current = node.output[0]
