"""Drawn people whose joints are known, through the whole stage, with each model whose weights are at hand."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from recognizer.skeletons import COCO17
from stages.pose.stage import Models, Pose
from stages.synthetic.clip import Clip, draw

NANODET = {"detector": "nanodet", "detector_weights": "nanodet/nanodet.json", "min_score": 0.3}
MODELS: dict[str, dict[str, Any]] = {
    "mini": {"estimator": "hrnet_mini", "detector": "mini"},
    "thunder": {"estimator": "movenet_thunder", "weights": "movenet/movenet-thunder.json"} | NANODET,
    "lightning": {"estimator": "movenet_lightning", "weights": "movenet/movenet-lightning.json"} | NANODET,
    "multipose": {
        "estimator": "movenet_multipose",
        "weights": "movenet/movenet-multipose.json",
        "min_score": 0.25,
    },
    "simplepose": {
        "estimator": "onnx",
        "weights": "simplepose/deploy.onnx",
        "detector": "ncnn_detector:NcnnDetector",
        "detector_weights": "simplepose/person_detector.param",
    },
}
JOINTS = [i for i, joint in enumerate(COCO17.joints) if joint.endswith(("shoulder", "hip", "knee", "ankle"))]
"""Those that a small model does not mix up on a drawn person."""
NEAR = 0.12
"""Distance of an estimated joint from the drawn one, relative to the person's height."""


class Scene(NamedTuple):
    """A clip of T frames."""

    frames: list[np.ndarray]
    """RGB uint8 H,W,3."""
    people: np.ndarray
    """M,T,17,2: x, y in pixels; NaN: not there."""


class Person(NamedTuple):
    """A drawn person, cut out of the background."""

    image: np.ndarray
    """uint8 H,W,3."""
    mask: np.ndarray
    """bool H,W."""
    joints: np.ndarray
    """17,2: x, y in pixels of the image."""


@pytest.fixture(scope="module", params=MODELS)
def models(request: pytest.FixtureRequest, shared_data: Path) -> tuple[Pose, Models]:
    parameters = dict(MODELS[request.param])
    for name in ("weights", "detector_weights"):
        if name in parameters:
            parameters[name] = shared_data.parent / "weights" / parameters[name]
            if not parameters[name].is_file():
                pytest.skip(f"{parameters[name].name} not found in {shared_data.parent / 'weights'}")
    stage = Pose.model_validate(parameters)
    return stage, stage.load({})


@pytest.fixture(scope="module")
def walkers() -> list[Person]:
    """Two people who stand, in different clothes."""
    return [cut_out("wave_left", 0), cut_out("squat", 3)]


def cut_out(action: str, number: int) -> Person:
    drawn = draw(Clip(5, "test", action, number, 240))
    joints = drawn.keypoints[0, 0, :, :2]
    # A person differs from a picture of the same background without it.
    differs = np.abs(drawn.frames[0].astype(int) - np.median(drawn.frames, 0)).max(2)
    del differs
    x1, y1, x2, y2 = (drawn.boxes[0, 0] + [-3, -3, 3, 3]).round().astype(int)
    x1, y1 = max(x1, 0), max(y1, 0)
    image = drawn.frames[0][y1:y2, x1:x2]
    return Person(image, np.ones(image.shape[:2], bool), joints - [x1, y1])
