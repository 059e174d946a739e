"""Networks in ONNX files: numbers of images, weights in files of their own, kinds of numbers, GPUs."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnx_graphs import Graph, average_heatmaps, simcc

from pipeline.errors import StageError
from stages.pose.onnx_network import OnnxNetwork, read_model, why_no_cuda

IMAGES = np.random.default_rng(0).normal(0, 1, (5, 3, 8, 4)).astype(np.float32)
MEANS = IMAGES.reshape(5, 3, 2, 4, 1, 4).mean((3, 5))
"""What ``average_heatmaps`` gives for three joints."""


def averages(path: Path, batch: int | str) -> Path:
    graph = Graph([batch, 3, 8, 4])
    return graph.save(path, {average_heatmaps(graph, 3): [batch, 3, 2, 1]})


def network(path: Path, batches: bool = True) -> OnnxNetwork:
    return OnnxNetwork(read_model(path, "estimator"), path, "cpu", None, batches)


@pytest.mark.parametrize("batches", [True, False])
@pytest.mark.parametrize("batch", ["B", 1, 2, 4])
def test_any_number_of_images_goes_through(tmp_path: Path, batch: int | str, batches: bool) -> None:
    loaded = network(averages(tmp_path / "a.onnx", batch), batches)
    assert loaded.batch == (None if batches or batch == "B" else batch)
    for count in (1, 2, 5):
        (found,) = loaded(IMAGES[:count])
        np.testing.assert_allclose(found, MEANS[:count], atol=1e-6)


@pytest.mark.parametrize("batch", [1, 2])
def test_operations_that_depend_on_the_number_of_images_keep_it(tmp_path: Path, batch: int) -> None:
    graph = Graph([batch, 3, 8, 4])
    x, y = simcc(graph, 2, (8, 4), 2, batch)
    loaded = network(graph.save(tmp_path / "a.onnx", {x: [batch, 2, 8], y: [batch, 2, 16]}))
    assert loaded.batch == batch
    found_x, found_y = loaded(IMAGES)
    np.testing.assert_array_equal(found_x[:, 1, ::2], IMAGES[:, 0].max(1))
    np.testing.assert_array_equal(found_y[:, 1, ::2], IMAGES[:, 0].max(2))


def test_a_network_that_mixes_its_images_keeps_their_number(tmp_path: Path) -> None:
    """It could run with more, but would give other results."""
    graph = Graph([2, 3, 8, 4])
    heatmaps = average_heatmaps(graph, 3)
    mixed = graph.add("Add", heatmaps, graph.add("ReduceMean", heatmaps, axes=[0], keepdims=1))
    loaded = network(graph.save(tmp_path / "a.onnx", {mixed: [2, 3, 2, 1]}))
    assert loaded.batch == 2
    np.testing.assert_allclose(loaded(IMAGES[:2])[0], MEANS[:2] + MEANS[:2].mean(0), atol=1e-6)


@pytest.mark.parametrize("batch", ["B", 1])
def test_weights_may_be_in_a_file_of_their_own(
    tmp_path: Path, batch: int | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = onnx.load(str(averages(tmp_path / "a.onnx", batch)))
    for name in ("b.onnx.data", "b.onnx_data", "elsewhere.data"):
        (tmp_path / "b.onnx").unlink(missing_ok=True)
        options = {"save_as_external_data": True, "location": name, "size_threshold": 0}
        onnx.save(onnx.ModelProto.FromString(model.SerializeToString()), tmp_path / "b.onnx", **options)
        assert (tmp_path / name).is_file()
        if name == "elsewhere.data":
            with pytest.raises(StageError, match=r"keeps its weights in 'elsewhere.data', and only b\.onnx\.data"):
                network(tmp_path / "b.onnx")
        else:
            monkeypatch.chdir(tmp_path)
            np.testing.assert_allclose(network(Path("b.onnx"))(IMAGES)[0], MEANS, atol=1e-6)


def test_weights_are_looked_for_nowhere_else(tmp_path: Path) -> None:
    model = onnx.load(str(averages(tmp_path / "a.onnx", 1)))
    inner = helper.make_graph([], "inner", [], [], list(model.graph.initializer))
    for tensor in (model.graph.initializer[0], inner.initializer[0]):
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="../../etc/passwd")
    (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(StageError, match=r"keeps its weights in '\.\./\.\./etc/passwd'"):
        network(tmp_path / "a.onnx")
    node = model.graph.node.add(op_type="If")
    node.attribute.append(helper.make_attribute("then_branch", inner))
    del model.graph.initializer[:]
    (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(StageError, match=r"keeps its weights in '\.\./\.\./etc/passwd'"):
        read_model(tmp_path / "a.onnx", "estimator")


@pytest.mark.parametrize("number", [TensorProto.FLOAT16, TensorProto.UINT8])
def test_other_numbers_than_float32(tmp_path: Path, number: int) -> None:
    graph = Graph(["B", 3, 8, 4], number)
    graph.images = graph.add("Cast", graph.images, to=TensorProto.FLOAT)
    path = graph.save(tmp_path / "a.onnx", {average_heatmaps(graph, 3): ["B", 3, 2, 1]})
    images = np.arange(96, dtype=np.float32).reshape(1, 3, 8, 4)
    (found,) = network(path)(images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, images.reshape(1, 3, 2, 4, 1, 4).mean((3, 5)))


def test_files_that_take_no_images_are_refused(tmp_path: Path) -> None:
    for shape, message in (
        (["B", 3, 8], "not a network of images: it needs one input B,3,h,w"),
        (["B", 1, 8, 4], "takes 1 channels, not the 3 of an RGB image"),
        ([1, 3, 100_000, 100_000], "takes 1 images of 100000 x 100000 at once: too large"),
        ([100_000, 3, 800, 400], "takes 100000 images of 800 x 400 at once: too large"),
    ):
        graph = Graph(shape)
        path = graph.save(tmp_path / "a.onnx", {graph.add("Identity", "images"): shape})
        with pytest.raises(StageError, match=message):
            network(path)
    graph = Graph(["B", 3, 8, 4], TensorProto.DOUBLE)
    path = graph.save(tmp_path / "a.onnx", {graph.add("Cast", "images", to=TensorProto.FLOAT): ["B", 3, 8, 4]})
    with pytest.raises(StageError, match="takes images of float64, which are not supported"):
        network(path)
    graph = Graph(["B", 3, 8, 4])
    path = graph.save(tmp_path / "a.onnx", {graph.add("NoSuchOperation", "images"): ["B", 3, 8, 4]})
    with pytest.raises(StageError, match=r"a\.onnx cannot be run"):
        network(path)


ALONE = """
import sys
from pathlib import Path
from stages.pose.estimators import EstimatorSettings
from stages.pose.onnx_model import OnnxModel

OnnxModel(EstimatorSettings(Path(sys.argv[1])))
"""


def test_onnxruntime_keeps_no_record_to_report(reddest: Path, tmp_path: Path) -> None:
    """Its telemetry would put a number of the machine and a queue of events into the user's cache."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    environ |= {"HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])}
    subprocess.run([sys.executable, "-c", ALONE, str(reddest)], env=environ, check=True)
    assert list(tmp_path.iterdir()) == []


def test_gpus_are_known_without_importing_onnxruntime() -> None:
    has_gpu = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    assert (why_no_cuda() is None) == has_gpu
