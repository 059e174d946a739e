"""The form of pixels that an ONNX file expects, from its metadata and the beginning of its graph."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_graphs import Graph, average_heatmaps

from pipeline.errors import StageError
from stages.pose.crops import normalized
from stages.pose.onnx_pixels import IMAGENET, RAW_BGR, Pixels, first_operations, pixels_of

MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 8, 4, 3), dtype=np.uint8)
RGB = IMAGES.transpose(0, 3, 1, 2).astype(float)


def file(tmp_path: Path, *operations: tuple[str, object], **metadata: str) -> onnx.ModelProto:
    """A model that begins with these operations."""
    graph = Graph(["B", 3, 8, 4])
    for operation, constant in operations:
        graph.images = graph.add(operation, graph.images, graph.constant(constant))
    output = average_heatmaps(graph)
    return onnx.load(str(graph.save(tmp_path / "a.onnx", {output: ["B", 17, 2, 1]}, **metadata)))


def of(model: onnx.ModelProto, usual: Pixels = IMAGENET) -> np.ndarray:
    found = pixels_of(model, Path("a.onnx"), usual).of(IMAGES)
    assert found.dtype == np.float32 and found.flags.c_contiguous
    return found


def per_channel(numbers: np.ndarray) -> np.ndarray:
    return np.asarray(numbers, dtype=np.float32).reshape(1, 3, 1, 1)


def test_usual_are_imagenet_s_and_for_yolox_raw_ones(tmp_path: Path) -> None:
    plain = file(tmp_path)
    np.testing.assert_array_equal(of(plain), normalized(IMAGES))  # to the bit: keys stay, so results must
    np.testing.assert_allclose(of(plain), (RGB - MEAN[:, None, None]) / STD[:, None, None], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(of(plain, RAW_BGR), RGB[:, ::-1])


def test_metadata_decide(tmp_path: Path) -> None:
    bgr = {"Image__BitmapPixelFormat": "Bgr8"}
    np.testing.assert_array_equal(of(file(tmp_path, **bgr)), normalized(IMAGES)[:, ::-1])
    raw = {"Image__NominalPixelRange": "NominalRange_0_255"}
    np.testing.assert_array_equal(of(file(tmp_path, **raw)), RGB)
    np.testing.assert_array_equal(of(file(tmp_path, **raw, **bgr)), RGB[:, ::-1])
    np.testing.assert_allclose(of(file(tmp_path, Image__NominalPixelRange="Normalized_0_1")), RGB / 255, rtol=1e-6)
    found = of(file(tmp_path, Image__NominalPixelRange="Normalized_1_1"))
    np.testing.assert_allclose(found, RGB / 127.5 - 1, atol=1e-6)
    found = of(file(tmp_path, mean="[100, 110, 120]", std="[50, 60, 70]", **bgr))
    expected = (RGB[:, ::-1] - np.array([100, 110, 120])[:, None, None]) / np.array([50, 60, 70])[:, None, None]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(of(file(tmp_path, std="[255, 255, 255]")), RGB / 255, rtol=1e-6)


def test_what_the_graph_does_itself_is_left_to_it(tmp_path: Path) -> None:
    def begins(*operations: tuple[str, object]) -> np.ndarray:
        return of(file(tmp_path, *operations))

    np.testing.assert_array_equal(begins(("Sub", per_channel(MEAN)), ("Div", per_channel(STD))), RGB)
    np.testing.assert_array_equal(begins(("Div", 255.0)), RGB)
    np.testing.assert_array_equal(begins(("Sub", 128.0)), RGB)
    np.testing.assert_array_equal(begins(("Mul", per_channel(1 / STD)), ("Add", per_channel(-MEAN / STD))), RGB)
    from_1 = begins(("Sub", per_channel(MEAN / 255)), ("Div", per_channel(STD / 255)))
    np.testing.assert_allclose(from_1, RGB / 255, rtol=1e-6)
    np.testing.assert_allclose(begins(("Mul", 2.0), ("Sub", 1.0)), RGB / 255, rtol=1e-6)
    blue_first = begins(("Sub", per_channel(MEAN[::-1])), ("Div", per_channel(STD[::-1])))
    np.testing.assert_array_equal(blue_first, RGB[:, ::-1])


def test_what_is_no_normalization_changes_nothing(tmp_path: Path) -> None:
    of_each_pixel = file(tmp_path, ("Sub", np.ones((1, 3, 8, 4), np.float32)))
    np.testing.assert_array_equal(of(of_each_pixel), normalized(IMAGES))
    assert first_operations(of_each_pixel.graph) == {"Sub"}
    assert first_operations(file(tmp_path).graph) == {"Conv"}


def test_bytes_are_pixels(tmp_path: Path) -> None:
    def takes_bytes(*operations: tuple[str, object], **metadata: str) -> onnx.ModelProto:
        model = file(tmp_path, *operations, **metadata)
        model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
        return model

    np.testing.assert_array_equal(of(takes_bytes()), RGB)
    np.testing.assert_array_equal(of(takes_bytes(), RAW_BGR), RGB[:, ::-1])
    np.testing.assert_array_equal(of(takes_bytes(Image__BitmapPixelFormat="Bgr8")), RGB[:, ::-1])
    np.testing.assert_array_equal(of(takes_bytes(("Sub", per_channel(MEAN[::-1])))), RGB[:, ::-1])
    np.testing.assert_array_equal(of(takes_bytes(Image__NominalPixelRange="NominalRange_0_255")), RGB)
    np.testing.assert_array_equal(of(takes_bytes(("Div", 255.0), ("Sub", 0.5))), RGB)
    for said in ({"Image__NominalPixelRange": "Normalized_0_1"}, {"mean": "[100, 110, 120]"}):
        with pytest.raises(StageError, match=r"takes images of uint8, but its metadata say that pixels are not from 0"):
            of(takes_bytes(**said))


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"Image__BitmapPixelFormat": "Gray8"}, "a.onnx says Image.BitmapPixelFormat: gray8, but only Rgb8 and Bgr8"),
        ({"Image__NominalPixelRange": "NominalRange_16_235"}, "says Image.NominalPixelRange: NominalRange_16_235, but"),
        ({"mean": "[1, 2]"}, r"a.onnx says mean: '\[1, 2\]', which should be three numbers"),
        ({"std": "[1, 0, 2]"}, "says std"),
        ({"std": "[1, NaN, 2]"}, "says std"),
        ({"mean": "__import__('os')"}, "says mean"),
        ({"mean": '{"a": 1}'}, "says mean"),
    ],
)
def test_metadata_that_are_not_understood_are_refused(tmp_path: Path, metadata: dict[str, str], message: str) -> None:
    with pytest.raises(StageError, match=message):
        of(file(tmp_path, **metadata))
