"""Drawn people whose joints are known, through the whole stage, with each model whose weights are at hand."""

from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pyarrow as pa
import pytest
from drawn_scenes import HEIGHT, WIDTH, Scene, walk

from recognizer.skeletons import COCO17
from stages.pose.stage import Models, Pose
from stages.tables import CLIPS, FRAMES

NANODET = {"detector": "nanodet", "detector_weights": "nanodet/nanodet.json", "min_score": 0.3}
MODELS: dict[str, dict[str, Any]] = {
    "mini": {"estimator": "hrnet_mini", "detector": "mini"},
    "thunder": {"estimator": "movenet_thunder", "weights": "movenet/movenet-thunder.json"} | NANODET,
    "lightning": {"estimator": "movenet_lightning", "weights": "movenet/movenet-lightning.json"} | NANODET,
    "multipose": {"estimator": "movenet_multipose", "weights": "movenet/movenet-multipose.json", "min_score": 0.2},
    "simplepose": {"estimator": "onnx", "weights": "simplepose/deploy.onnx"} | NANODET,
}
STANDING = [i for i, joint in enumerate(COCO17.joints) if joint.endswith(("shoulder", "hip", "knee", "ankle"))]
NEAR = 0.1
"""Distance of an estimated joint from the drawn one, relative to the person's height."""
T = 13


class Estimator(NamedTuple):
    stage: Pose
    models: Models

    def people(self, scene: Scene) -> np.ndarray:
        """Keypoints M,T,17,3 in pixels of the scene."""
        jpegs = [cv2.imencode(".jpg", frame[..., ::-1])[1].tobytes() for frame in scene.frames]
        height, width = scene.frames[0].shape[:2]
        clips = pa.Table.from_pylist([{"clip_id": "a", "source": "1:1", "path": "a.mp4"}], CLIPS.schema)
        frames = {"clip_id": "a", "frames": jpegs, "indices": range(len(jpegs)), "height": height, "width": width}
        rows = self.stage.process(clips, {"frames": pa.Table.from_pylist([frames], FRAMES.schema)}, self.models)
        (row,) = rows.to_pylist()
        assert row["error"] is None
        keypoints = np.frombuffer(row["keypoints"], np.float16).reshape(row["persons"], len(jpegs), 17, 3).astype(float)
        return keypoints * [width, height, 1]


@pytest.fixture(scope="module", params=MODELS)
def estimator(request: pytest.FixtureRequest, shared_data: Path) -> Estimator:
    parameters = dict(MODELS[request.param])
    for name in ("weights", "detector_weights"):
        if name in parameters:
            parameters[name] = shared_data.parent / "weights" / parameters[name]
            if not parameters[name].is_file():
                pytest.skip(f"{parameters[name].name} not found in {shared_data.parent / 'weights'}")
    stage = Pose.model_validate(parameters)
    return Estimator(stage, stage.load({}))


def found(scene: Scene, keypoints: np.ndarray) -> np.ndarray:
    """bool M,T: where the estimated person M has the joints of the drawn person M."""
    height = np.nanmax(np.ptp(scene.joints_MTR2[..., 1], axis=2))
    offsets = np.linalg.norm(keypoints[:, :, STANDING, :2] - scene.joints_MTR2[:, :, STANDING], axis=3)
    return (np.median(offsets, axis=2) < NEAR * height) & keypoints[..., 2].any(2)


def in_order(scene: Scene, keypoints: np.ndarray) -> np.ndarray:
    """The people M,T,17,3 in the order of the drawn ones, by whom they are most often near to."""
    assert len(keypoints) == len(scene.joints_MTR2)
    scores = [
        [found(scene._replace(joints_MTR2=drawn[None]), one[None]).sum() for one in keypoints]
        for drawn in scene.joints_MTR2
    ]
    order = np.argmax(scores, axis=1)
    assert sorted(order) == list(range(len(order))), "one person was taken for two"
    return keypoints[order]


def test_one_who_stands_and_walks(estimator: Estimator) -> None:
    scene = walk([160] * 4 + list(np.linspace(160, 240, T - 4)))
    assert found(scene, estimator.people(scene)[:1]).all()


def test_one_frame(estimator: Estimator) -> None:
    scene = walk([120])
    assert found(scene, estimator.people(scene)[:1]).all()


def test_two_who_come_near_and_go_back_stay_themselves(estimator: Estimator) -> None:
    there_and_back = np.concatenate([np.linspace(0, 50, T // 2), np.linspace(50, 0, T - T // 2)])
    scene = walk(60 + there_and_back, 260 - there_and_back)
    assert found(scene, in_order(scene, estimator.people(scene))).all()


def test_two_who_cross_each_other_stay_themselves(estimator: Estimator) -> None:
    scene = walk(np.linspace(50, 270, T), np.linspace(270, 50, T))
    seen = found(scene, in_order(scene, estimator.people(scene)))
    assert seen[1].sum() >= T - 2, "who is in front may be lost while the other looks like a part of the same person"
    apart = np.abs(np.linspace(-220, 220, T)) > 40
    assert seen[0, apart].all()


def test_frames_without_anybody_have_no_skeleton(estimator: Estimator) -> None:
    scene = walk([100] * 3 + [None] * 7 + [100] * 3)
    keypoints = estimator.people(scene)[:1]
    assert found(scene, keypoints)[0].tolist() == [True] * 3 + [False] * 7 + [True] * 3
    assert not keypoints[0, 3:10, :, 2].any()


def test_one_who_comes_later_is_found_from_then_on(estimator: Estimator) -> None:
    scene = walk([80] * T, [None] * 5 + [240] * (T - 5))
    keypoints = in_order(scene, estimator.people(scene))
    assert found(scene, keypoints).tolist() == [[True] * T, [False] * 5 + [True] * (T - 5)]
    assert not keypoints[1, :5, :, 2].any()


def test_one_cut_off_by_the_border(estimator: Estimator) -> None:
    scene = walk([22] * 5)
    keypoints = estimator.people(scene)
    inside = scene.joints_MTR2[0, 0, :, 0] >= 0
    height = np.ptp(scene.joints_MTR2[0, 0, :, 1])
    offsets = np.linalg.norm(keypoints[0, :, :, :2] - scene.joints_MTR2[0], axis=2)[:, inside]
    assert np.median(offsets) < NEAR * height
    assert ((keypoints[..., 0] >= 0) & (keypoints[..., 0] <= WIDTH)).all()


def test_a_large_picture(estimator: Estimator) -> None:
    scene = walk([100, 110, 120], zoom=9)
    assert scene.frames[0].shape == (9 * HEIGHT, 9 * WIDTH, 3)
    assert found(scene, estimator.people(scene)[:1]).all()


def test_an_upright_picture(estimator: Estimator) -> None:
    """As a phone films, once the decoder has turned it."""
    wide = walk([100, 104, 108])
    scene = Scene([np.ascontiguousarray(frame[:, 20:180]) for frame in wide.frames], wide.joints_MTR2 - [20, 0])
    assert found(scene, estimator.people(scene)[:1]).all()
