"""ONNX models as pose estimators."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_graphs import Graph, average_heatmaps, simcc

from benchmarks.pose_coco import evaluate
from pipeline.errors import StageError
from recognizer.skeletons import COCO17, HALPE26, NTU25, Layout
from stages.pose.estimators import EstimatorSettings
from stages.pose.onnx_model import OnnxModel


def test_a_model_fixed_at_one_image_takes_batches(reddest: Path) -> None:
    estimator = OnnxModel(EstimatorSettings(reddest))
    assert estimator.input_size == (64, 48)
    crops = np.random.default_rng(0).integers(0, 256, (5, 64, 48, 3), dtype=np.uint8)
    expected = crops[..., 0].reshape(5, 16, 4, 12, 4).mean((2, 4)) / 255
    heatmaps = estimator.heatmaps(crops)
    assert heatmaps.dtype == np.float32
    np.testing.assert_allclose(heatmaps, np.repeat(expected[:, None], 17, axis=1), atol=1e-5)


def test_models_that_do_not_fit_are_refused_by_name(reddest: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"reddest\.onnx outputs 17 heatmaps, but layout ntu25 has 25 joints"):
        OnnxModel(EstimatorSettings(reddest, layout=NTU25))
    with pytest.raises(StageError, match=r"takes crops of 64 x 48, but input_size says \[256, 192\]"):
        OnnxModel(EstimatorSettings(reddest, (256, 192)))
    (tmp_path / "a.onnx").write_text("no model")
    with pytest.raises(StageError, match=r"a\.onnx cannot be read"):
        OnnxModel(EstimatorSettings(tmp_path / "a.onnx"))


def test_a_model_of_open_size_takes_the_one_it_is_given(reddest: Path, tmp_path: Path) -> None:
    model = onnx.load(str(reddest))
    for value in (*model.graph.input, *model.graph.output):
        for dim in value.type.tensor_type.shape.dim[2:]:
            dim.dim_param = "open" + str(dim.dim_value)
    onnx.save(model, tmp_path / "open.onnx")
    estimator = OnnxModel(EstimatorSettings(tmp_path / "open.onnx", (32, 24)))
    assert estimator.heatmaps(np.zeros((1, 32, 24, 3), np.uint8)).any()
    with pytest.raises(StageError, match="takes crops of any size: choose one with input_size"):
        OnnxModel(EstimatorSettings(tmp_path / "open.onnx"))


def simcc_file(path: Path, batch: int | str = "B", size: tuple[int, int] = (64, 48), joints: int = 17) -> Path:
    graph = Graph([batch, 3, *size])
    x, y = simcc(graph, joints, size, 2, batch if isinstance(batch, int) else 0)
    return graph.save(path, {x: [batch, joints, 2 * size[1]], y: [batch, joints, 2 * size[0]]}, std="[255, 255, 255]")


def red_dots(count: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Black crops with one red pixel each, and where it is, N,2 (x, y)."""
    rng = np.random.default_rng(count)
    places = rng.integers([0, 0], size[::-1], (count, 2))
    crops = np.zeros((count, *size, 3), np.uint8)
    crops[np.arange(count), places[:, 1], places[:, 0], 0] = rng.integers(100, 255, count)
    return crops, places


@pytest.mark.parametrize("flip_test", [False, True])
@pytest.mark.parametrize(
    ("batch", "size", "layout"), [("B", (64, 48), COCO17), (1, (64, 64), HALPE26), (4, (32, 48), COCO17)]
)
def test_simcc_models_find_the_reddest_pixel(
    tmp_path: Path, batch: int | str, size: tuple[int, int], layout: Layout, flip_test: bool
) -> None:
    path = simcc_file(tmp_path / "a.onnx", batch, size, layout.count)
    estimator = OnnxModel(EstimatorSettings(path, layout=layout))
    assert estimator.input_size == size
    crops, places = red_dots(6, size)
    found = estimator.keypoints(crops, flip_test)
    assert found.shape == (6, layout.count, 3)
    np.testing.assert_array_equal(found[..., :2], np.repeat(places[:, None], layout.count, axis=1))
    np.testing.assert_allclose(
        found[..., 2], crops[..., 0].max((1, 2))[:, None] / 255 * np.ones(layout.count), atol=1e-6
    )


def test_a_file_that_says_how_it_takes_pixels_is_believed(tmp_path: Path) -> None:
    graph = Graph([1, 3, 64, 48])
    path = graph.save(
        tmp_path / "a.onnx",
        {average_heatmaps(graph): [1, 17, 16, 12]},
        Image__BitmapPixelFormat="Bgr8",
        Image__NominalPixelRange="Normalized_0_1",
    )
    crops = np.random.default_rng(0).integers(0, 256, (3, 64, 48, 3), dtype=np.uint8)
    found = OnnxModel(EstimatorSettings(path)).heatmaps(crops)
    means = crops.reshape(3, 16, 4, 12, 4, 3).mean((2, 4)).transpose(0, 3, 1, 2) / 255
    for joint in range(17):
        np.testing.assert_allclose(found[:, joint], means[:, 2 - joint % 3], atol=1e-6)


def test_other_outputs_than_a_pose_model_s_are_refused(tmp_path: Path) -> None:
    graph = Graph(["B", 3, 64, 48])
    x, y = simcc(graph, 17, (64, 48), 2)
    for outputs, shapes in (([x], "[17, 96]"), ([y, x], "[17, 128] and [17, 96]")):
        path = graph.save(tmp_path / "a.onnx", {output: ["B", 17, None] for output in outputs})
        with pytest.raises(StageError, match="not a top-down pose model: .*but gives " + re.escape(shapes)):
            OnnxModel(EstimatorSettings(path))
    with pytest.raises(StageError, match="outputs 17 pairs of vectors, but layout halpe26 has 26 joints"):
        OnnxModel(EstimatorSettings(simcc_file(tmp_path / "b.onnx"), layout=HALPE26))


def test_a_second_output_beside_heatmaps_is_not_computed(reddest: Path, tmp_path: Path) -> None:
    model = onnx.load(str(reddest))
    model.graph.output.append(onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [1, 3, 64, 48]))
    onnx.save(model, tmp_path / "two.onnx")
    estimator = OnnxModel(EstimatorSettings(tmp_path / "two.onnx"))
    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 48, 3), dtype=np.uint8)
    assert len(estimator.network(estimator.pixels.of(crops))) == 1
    np.testing.assert_array_equal(estimator.heatmaps(crops), OnnxModel(EstimatorSettings(reddest)).heatmaps(crops))


def test_average_precision_on_coco(shared_data: Path) -> None:
    weights = shared_data.parent / "weights" / "simplepose" / "deploy.onnx"
    if not weights.is_file():
        pytest.skip(f"SimplePose not found at {weights}")
    ap, ap50 = evaluate(shared_data / "coco_kp" / "coco", OnnxModel(EstimatorSettings(weights)))
    assert ap >= 0.60
    assert ap50 >= 0.90
