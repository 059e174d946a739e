"""ONNX models as pose estimators."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.pose_coco import evaluate
from pipeline.errors import StageError
from recognizer.skeletons import NTU25
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


def test_average_precision_on_coco(shared_data: Path) -> None:
    weights = shared_data.parent / "weights" / "simplepose" / "deploy.onnx"
    if not weights.is_file():
        pytest.skip(f"SimplePose not found at {weights}")
    ap, ap50 = evaluate(shared_data / "coco_kp" / "coco", OnnxModel(EstimatorSettings(weights)))
    assert ap >= 0.60
    assert ap50 >= 0.90
