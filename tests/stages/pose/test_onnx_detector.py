"""ONNX detectors of every style, with graphs that find a green rectangle."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx_graphs import Graph, focus, green_box, mmdeploy, yolox

from pipeline.errors import StageError
from stages.pose.onnx_detector import OnnxDetector

SIZE = (160, 192)
IMAGES = [(160, 192), (80, 96), (480, 576), (300, 120), (101, 333), (1, 50), (2160, 3840)]
"""Heights and widths: as large as the input, half, three times, upright, long, a line, 4K."""

MEAN, STD = np.array([103.53, 116.28, 123.675]), np.array([57.375, 57.12, 58.395])
"""Of blue, green and red."""


def raw_yolox(path: Path, batch: int | str, **metadata: str) -> Path:
    graph = Graph([batch, 3, *SIZE])
    output, cells = yolox(graph, SIZE, in_pixels=False)
    return graph.save(path, {output: [batch, cells, 85]}, **metadata)


def decoded_yolox(path: Path, batch: int | str, **metadata: str) -> Path:
    graph = Graph([batch, 3, *SIZE])
    output, cells = yolox(graph, SIZE, in_pixels=True, categories=1)
    return graph.save(path, {output: [batch, cells, 6]}, **metadata)


def yolox_by_mmdeploy(path: Path, batch: int | str, **metadata: str) -> Path:
    graph = Graph([batch, 3, *SIZE])
    focus(graph)
    boxes, labels = mmdeploy(graph, SIZE)
    return graph.save(path, {boxes: [batch, 3, 5], labels: [batch, 3]}, **metadata)


def rtmdet(path: Path, batch: int | str, **metadata: str) -> Path:
    """Its network undoes the normalization that RTMDet expects, by a convolution as its first operation."""
    graph = Graph([batch, 3, *SIZE])
    kernel = np.diag(STD).reshape(3, 3, 1, 1)
    graph.images = graph.add("Conv", graph.images, graph.constant(kernel), graph.constant(MEAN))
    boxes, labels = mmdeploy(graph, SIZE)
    return graph.save(path, {boxes: [batch, 3, 5], labels: [batch, 3]}, **metadata)


def scene(height: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
    """An image with a green rectangle on red and blue ground, and its box; every third image has none."""
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0], image[:, : width // 2, 2] = 90, 120
    if seed % 3 == 2:
        return image, None
    x1, x2 = sorted(rng.choice(np.arange(0, width + 1, max(1, width // 12)), 2, replace=False))
    y1, y2 = sorted(rng.choice(np.arange(0, height + 1, max(1, height // 10)), 2, replace=False))
    image[y1:y2, x1:x2] = 10, 250, 20
    return image, np.array([x1, y1, x2, y2], float)


STYLES = {raw_yolox: 0.9 * 0.8, decoded_yolox: 0.9 * 0.8, yolox_by_mmdeploy: 0.9, rtmdet: 0.9}


@pytest.mark.parametrize("batch", ["B", 1, 4])
@pytest.mark.parametrize("style", STYLES)
def test_the_green_rectangle_is_found_in_images_of_any_size(
    tmp_path: Path, style: Callable[..., Path], batch: int | str
) -> None:
    detector = OnnxDetector(style(tmp_path / "a.onnx", batch), "cpu")
    scenes = [scene(*size, seed) for seed, size in enumerate(IMAGES)]
    for (image, box), people in zip(scenes, detector.detect([image for image, _ in scenes]), strict=True):
        assert people.shape == (0 if box is None else 1, 5)
        if box is not None:
            cell = max(image.shape[0] / SIZE[0], image.shape[1] / SIZE[1], 1)
            np.testing.assert_allclose(people[0, :4], box, atol=1.5 * cell)
            assert people[0, 4] == pytest.approx(STYLES[style], abs=1e-6)


@pytest.mark.parametrize("style", STYLES)
def test_without_a_change_of_size_boxes_are_exact(tmp_path: Path, style: Callable[..., Path]) -> None:
    detector = OnnxDetector(style(tmp_path / "a.onnx", "B"), "cpu")
    for seed in (0, 1, 3):
        image, box = scene(*SIZE, seed)
        ((found,),) = detector.detect([image])
        np.testing.assert_allclose(found[:4], box, atol=1e-3)


def test_the_style_decides_on_the_pixels_unless_the_file_does(tmp_path: Path) -> None:
    image, _ = scene(*SIZE, 0)
    bgr = image[None, ..., ::-1].transpose(0, 3, 1, 2).astype(float)
    for style in (raw_yolox, decoded_yolox, yolox_by_mmdeploy):
        np.testing.assert_array_equal(OnnxDetector(style(tmp_path / "a.onnx", 1), "cpu").pixels.of(image[None]), bgr)
    found = OnnxDetector(rtmdet(tmp_path / "a.onnx", 1), "cpu").pixels.of(image[None])
    np.testing.assert_allclose(found, (bgr - MEAN[:, None, None]) / STD[:, None, None], atol=1e-5)
    said = {"Image__BitmapPixelFormat": "Rgb8", "Image__NominalPixelRange": "Normalized_0_1"}
    for style in STYLES:
        found = OnnxDetector(style(tmp_path / "a.onnx", 1, **said), "cpu").pixels.of(image[None])
        np.testing.assert_allclose(found, bgr[:, ::-1] / 255, atol=1e-6)


def test_a_file_of_open_size_sees_640_x_640(tmp_path: Path) -> None:
    graph = Graph(["B", 3, "h", "w"])
    focus(graph)
    boxes, labels = mmdeploy(graph, (640, 640))
    detector = OnnxDetector(graph.save(tmp_path / "a.onnx", {boxes: ["B", 3, 5], labels: ["B", 3]}), "cpu")
    image, box = scene(320, 640, 1)
    ((found,),) = detector.detect([image])
    np.testing.assert_allclose(found[:4], box, atol=1e-3)


def test_files_of_another_kind_get_one_clear_sentence(tmp_path: Path) -> None:
    graph = Graph([1, 3, *SIZE])
    edges, _ = green_box(graph, SIZE)
    with pytest.raises(StageError) as refused:
        OnnxDetector(graph.save(tmp_path / "a.onnx", {edges: [1, 4]}), "cpu")
    assert str(refused.value) == (
        f"{tmp_path}/a.onnx is not a detector of a kind that is known: for an image it gives [4], not "
        "[630, 5 + categories] as YOLOX, or [boxes, 5] and [boxes] as MMDeploy's. (Models of ultralytics: detector: "
        "yolo)"
    )
    graph = Graph([1, 3, *SIZE])
    output, cells = yolox(graph, SIZE, in_pixels=True)
    turned = graph.add("Transpose", output, perm=[0, 2, 1])  # as ultralytics has it
    with pytest.raises(StageError, match=r"gives \[85, 630\], not"):
        OnnxDetector(graph.save(tmp_path / "a.onnx", {turned: [1, 85, cells]}), "cpu")
    (tmp_path / "b.onnx").write_bytes(b"no model")
    with pytest.raises(StageError, match=r"b\.onnx cannot be read as an ONNX model"):
        OnnxDetector(tmp_path / "b.onnx", "cpu")


def test_boxes_that_are_no_numbers_are_dropped(tmp_path: Path) -> None:
    graph = Graph([1, 3, *SIZE])
    boxes, labels = mmdeploy(graph, SIZE)
    zero = graph.add("Mul", boxes, graph.constant(np.array([0.0, 0, 0, 0, 1])))
    divided = graph.add("Div", boxes, graph.add("Add", zero, graph.constant(np.array([0.0, 0, 0, 0, 1]))))
    path = graph.save(tmp_path / "a.onnx", {divided: [1, 3, 5], labels: [1, 3]}, std="[1, 1, 1]")
    assert [len(people) for people in OnnxDetector(path, "cpu").detect([scene(*SIZE, 0)[0]])] == [0]
