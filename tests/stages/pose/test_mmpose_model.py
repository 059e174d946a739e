"""Models of MMPose. Most of these tests need it (docs/mmpose.md), and are skipped without it."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.hrnet_parity import BODIES, reference
from pipeline.errors import ManifestError, StageError
from pipeline.keys import stage_identity
from recognizer.skeletons import COCO17, NTU25
from stages.pose.estimators import EstimatorSettings
from stages.pose.mmpose_model import MMPoseModel
from stages.pose.stage import Pose

CONFIGS = {
    "hrnet_w32": "topdown_heatmap/coco/td-hm_hrnet-w32_8xb64-210e_coco-256x192.py",
    "hrnet_w48": "topdown_heatmap/coco/td-hm_hrnet-w48_8xb32-210e_coco-384x288.py",
    "simcc": "simcc/coco/simcc_mobilenetv2_wo-deconv-8xb64-210e_coco-256x192.py",
    "rtmpose": "rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192.py",
    "regression": "topdown_regression/coco/td-reg_mobilenetv2_rle-pretrained-8xb64-210e_coco-256x192.py",
}


@pytest.fixture(scope="module")
def mmpose() -> ModuleType:
    """MMPose with all its models."""
    pytest.importorskip("mmpose", reason="MMPose is not installed (docs/mmpose.md)")
    import mmpose.models

    return mmpose


def config(mmpose: ModuleType, name: str, path: Path) -> dict[str, Any]:
    """One of MMPose's own configs, written to ``path`` as docs/mmpose.md says."""
    from mmengine import Config

    Config.fromfile(Path(mmpose.__file__).parent / ".mim/configs/body_2d_keypoint" / CONFIGS[name]).dump(path)
    return json.loads(path.read_text())


def save_untrained(path: Path) -> None:
    """Random weights for the config beside ``path``."""
    from stages.pose.mmpose_config import untrained

    torch.manual_seed(0)
    model, _ = untrained(path.with_suffix(".json"))
    torch.save({"state_dict": model.state_dict()}, path)


def random_crops(estimator: MMPoseModel, count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *estimator.input_size, 3), dtype=np.uint8)


@pytest.mark.parametrize("body", BODIES)
def test_heatmaps_are_the_references(mmpose: ModuleType, shared_data: Path, tmp_path: Path, body: str) -> None:
    image, expected, weights = reference(shared_data / "hrnet_parity" / BODIES[body])
    config(mmpose, body, tmp_path / "a.json")
    torch.save({"state_dict": weights}, tmp_path / "a.pth")
    estimator = MMPoseModel(EstimatorSettings(tmp_path / "a.pth"))
    assert estimator.input_size == image.shape[2:]
    with torch.inference_mode():
        heatmaps = estimator.model(torch.from_numpy(image), None, mode="tensor").numpy()
    error = np.abs(heatmaps - expected).max() / np.abs(expected).max()
    print(f"{body}: relative error {error:.3g}")
    assert error <= 1e-5


@pytest.mark.parametrize("flip_test", [False, True])
@pytest.mark.parametrize("name", ["simcc", "rtmpose", "regression"])
def test_keypoints_are_those_that_mmpose_gives(mmpose: ModuleType, tmp_path: Path, name: str, flip_test: bool) -> None:
    """By its own ``test_step``, image by image, with the crop as the whole image."""
    from mmengine.structures import InstanceData
    from mmpose.structures import PoseDataSample

    config(mmpose, name, tmp_path / "a.json")
    save_untrained(tmp_path / "a.pth")
    estimator = MMPoseModel(EstimatorSettings(tmp_path / "a.pth"))
    crops = random_crops(estimator, 3)
    found = estimator.keypoints(crops, flip_test)
    assert found.shape == (3, 17, 3)
    size = np.array([estimator.input_size[::-1]])
    estimator.model.test_cfg["flip_test"] = flip_test
    for crop, points in zip(crops, found, strict=True):
        flip = {"flip_indices": list(COCO17.flip)}
        place = {"input_size": size[0], "input_center": size[0] / 2, "input_scale": size[0]}
        sample = PoseDataSample(metainfo=flip | place)
        sample.gt_instances = InstanceData(bboxes=np.zeros((1, 4)), bbox_scores=np.ones(1))
        sample.gt_instances.bbox_centers, sample.gt_instances.bbox_scales = size / 2, size
        image = torch.from_numpy(crop[..., ::-1].transpose(2, 0, 1).copy())
        with torch.inference_mode():
            (result,) = estimator.model.test_step({"inputs": [image], "data_samples": [sample]})
        np.testing.assert_allclose(points[:, :2], result.pred_instances.keypoints[0], atol=0.01)
        np.testing.assert_allclose(points[:, 2], result.pred_instances.keypoint_scores[0].clip(0, 1), atol=1e-4)


@pytest.mark.parametrize("flip_test", [False, True])
@pytest.mark.parametrize("codec", ["MSRAHeatmap", "UDPHeatmap"])
def test_points_stay_where_they_are_in_the_crop(
    mmpose: ModuleType, tmp_path: Path, codec: str, flip_test: bool
) -> None:
    """With a network that shows a white spot as a heatmap that lies on the crop as the codec takes it to lie."""
    from mmpose.registry import MODELS

    width, height = 192, 256

    class Spot(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor]:
            if codec == "UDPHeatmap":
                return (torch.nn.functional.interpolate(image, (64, 48), mode="bilinear", align_corners=True),)
            return (image[..., ::4, ::4],)

    decoder = {"type": codec, "input_size": [width, height], "heatmap_size": [48, 64], "sigma": 2}
    head = {"type": "HeatmapHead", "in_channels": 3, "out_channels": 17, "deconv_out_channels": None}
    model = {
        "type": "TopdownPoseEstimator",
        "data_preprocessor": {"type": "PoseDataPreprocessor", "mean": [0] * 3, "std": [255] * 3, "bgr_to_rgb": True},
        "backbone": {"type": "Spot"},
        "head": head | {"decoder": decoder},
        "test_cfg": {"flip_mode": "heatmap", "shift_heatmap": codec == "MSRAHeatmap"},
    }
    (tmp_path / "a.json").write_text(json.dumps({"model": model}))
    weights = {"head.final_layer.weight": torch.full((17, 3, 1, 1), 1 / 3), "head.final_layer.bias": torch.zeros(17)}
    torch.save({"state_dict": weights}, tmp_path / "a.pth")
    x, y = np.arange(width), np.arange(height)[:, None]
    points = np.array([(20, 30), (96.4, 128.3), (176.2, 240.7)])
    spots = np.stack([np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 8**2)) for px, py in points])
    crops = np.repeat((255 * spots)[..., None], 3, axis=3).round().astype(np.uint8)
    MODELS.register_module(name="Spot", module=Spot)
    try:
        estimator = MMPoseModel(EstimatorSettings(tmp_path / "a.pth"))
    finally:
        del MODELS.module_dict["Spot"]
    found = estimator.keypoints(crops, flip_test)
    tolerance = 0.3 if codec == "UDPHeatmap" else 1.5  # a quarter of a heatmap's pixel is the best that MSRA does
    np.testing.assert_allclose(found[:, :, :2], np.repeat(points[:, None], 17, axis=1), atol=tolerance)
    assert found[..., 2].min() > 0.9 and found[..., 2].max() <= 1


def test_a_pose_stage_runs_it(mmpose: ModuleType, tmp_path: Path) -> None:
    config(mmpose, "rtmpose", tmp_path / "a.json")
    save_untrained(tmp_path / "a.pth")
    stage = Pose(estimator="mmpose", weights=tmp_path / "a.pth", detector="whole_frame", flip_test=True)
    estimation = stage.load({}).estimation()
    import cv2

    jpeg = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8))[1].tobytes()
    keypoints = estimation.add([jpeg, jpeg])
    estimation.run_all()
    assert keypoints.shape == (1, 2, 17, 3)
    assert np.isfinite(keypoints).all()
    np.testing.assert_array_equal(keypoints[:, 0], keypoints[:, 1])


def test_checkpoints_of_other_models_and_joints_are_refused(mmpose: ModuleType, tmp_path: Path) -> None:
    weights = tmp_path / "a.pth"
    content = config(mmpose, "simcc", tmp_path / "a.json")
    save_untrained(weights)
    with pytest.raises(StageError, match=r"a\.pth finds 17 joints, but layout ntu25 has 25"):
        MMPoseModel(EstimatorSettings(weights, layout=NTU25))
    state = torch.load(weights)["state_dict"]
    animal = {"dataset_name": "ap10k", "flip_indices": [1, 0, *range(2, 17)]}
    torch.save({"state_dict": state, "meta": {"dataset_meta": animal}}, weights)
    with pytest.raises(StageError, match=r"a\.pth finds the joints of ap10k, which are not those of layout coco17"):
        MMPoseModel(EstimatorSettings(weights))
    torch.save({"state_dict": state, "meta": {"dataset_meta": {"flip_indices": list(COCO17.flip)}}}, weights)
    MMPoseModel(EstimatorSettings(weights))
    torch.save({name: value for name, value in state.items() if name != "head.mlp_head_x.bias"}, weights)
    with pytest.raises(StageError, match=r"a\.pth does not fit a\.json: it lacks head\.mlp_head_x\.bias"):
        MMPoseModel(EstimatorSettings(weights))
    content["model"]["head"]["out_channels"] = 16
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(StageError, match=r"a\.pth does not fit a\.json: .*size mismatch"):
        MMPoseModel(EstimatorSettings(weights))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "BottomupPoseEstimator"}, "BottomupPoseEstimator is not top-down"),
        ({"backbone": {"type": "os.mkdir", "path": "RAN"}}, "no part of models that is called os.mkdir"),
        ({"neck": [{"any": {"type": "os.mkdir", "path": "RAN"}}]}, "no part of models that is called os.mkdir"),
        ({"backbone": {"type": "DWPoseDistiller", "teacher_cfg": "ran.py"}}, "that is called DWPoseDistiller"),
        ({"backbone": {"type": "HRNet"}}, "cannot build this model: TypeError"),
        ({"metainfo": {"from_file": "ran.py"}, "backbone": {"type": 5}}, "no part of models that is called 5"),
    ],
)
def test_a_config_runs_nothing(
    mmpose: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ran.py").write_text("open('RAN', 'w')")
    content = config(mmpose, "simcc", tmp_path / "a.json")
    content["model"] |= change
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(StageError, match=message):
        MMPoseModel(EstimatorSettings(tmp_path / "a.pth"))
    assert not (tmp_path / "RAN").exists()


def test_what_a_trained_model_does_not_need_is_not_read(mmpose: ModuleType, tmp_path: Path) -> None:
    content = config(mmpose, "simcc", tmp_path / "a.json")
    save_untrained(tmp_path / "a.pth")
    (tmp_path / "ran.py").write_text(f"open({str(tmp_path / 'RAN')!r}, 'w')")
    content["model"]["metainfo"] = {"from_file": str(tmp_path / "ran.py")}
    content["model"]["backbone"] |= {"_scope_": "no_such_package", "init_cfg": {"type": "no_such_type"}}
    (tmp_path / "a.json").write_text(json.dumps(content))
    MMPoseModel(EstimatorSettings(tmp_path / "a.pth"))
    assert not (tmp_path / "RAN").exists()


def test_files_that_are_no_config_are_refused(mmpose: ModuleType, tmp_path: Path) -> None:
    for text in ("", "[1, 2]", "[" * 100_000, '{"model": 5}', '{"train": {}}'):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(StageError, match=r"a\.json: MMPose cannot build this model: \w+Error"):
            MMPoseModel(EstimatorSettings(tmp_path / "a.pth"))


def test_a_missing_package_names_the_page_that_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mmpose", "mmpose.models"):
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(StageError, match=r"needs MMPose, which cannot be imported \(.*mmpose.*\): docs/mmpose\.md"):
        MMPoseModel(EstimatorSettings(tmp_path / "a.pth"))


def test_weights_and_config_count_by_their_content(tmp_path: Path) -> None:
    weights, config = tmp_path / "a.pth", tmp_path / "a.json"
    weights.write_text("weights")
    stage = Pose(estimator="mmpose", weights=weights)
    with pytest.raises(ManifestError, match=r"config of .*a\.pth has to be in .*a\.json \(docs/mmpose\.md\)"):
        stage_identity("pose", stage)
    identities = []
    for changed, text in ((config, "one"), (config, "two"), (weights, "other")):
        changed.write_text(text)
        identities.append(stage_identity("pose", stage)["files"])
    assert [name for name, _ in identities[0]] == ["a.pth", "a.json"]
    assert identities[0] != identities[1] != identities[2]
    assert stage.resources().num_gpus > 0
