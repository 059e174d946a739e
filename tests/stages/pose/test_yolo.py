"""YOLO models of ultralytics: real networks with random weights, exported as people export theirs."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
import torch

from pipeline.errors import StageError
from recognizer.skeletons import COCO17
from stages.pose.estimators import EstimatorSettings
from stages.pose.onnx_network import why_no_cuda
from stages.pose.stage import Pose
from stages.pose.yolo import YoloDetector, YoloPose, quiet_ultralytics

ROOT = Path(__file__).parents[3]
SIDE = 160
SIZES = [(160, 160), (120, 200), (120, 200), (300, 90), (160, 160)]
FILES: dict[str, dict[str, Any]] = {
    "fixed.onnx": {"format": "onnx", "simplify": False},
    "batch3.onnx": {"format": "onnx", "simplify": False, "batch": 3},
    "dynamic.onnx": {"format": "onnx", "simplify": False, "dynamic": True},
    "model.torchscript": {"format": "torchscript"},
}
"""Each with the options of its export."""
DETECTORS = ["fixed.onnx", "model.torchscript"]
PERSON = 7
"""Of the detector's categories."""

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of exports
needs_ultralytics = pytest.mark.skipif(find_spec("ultralytics") is None, reason="ultralytics is not installed")


class Exported(NamedTuple):
    network: Any
    """ultralytics' model in PyTorch."""
    folder: Path
    """With the exported files."""


def noise(count: int, size: tuple[int, int], seed: int = 100) -> list[np.ndarray]:
    """Smooth RGB images of this height and width."""
    small = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return [cv2.resize(image, size[::-1], interpolation=cv2.INTER_CUBIC) for image in small]


def exported(folder: Path, config: str, person: int, files: Iterable[str]) -> Exported:
    """A network with random weights that finds a lot, exported as these files. person: the category of people."""
    torch.manual_seed(0)
    model = quiet_ultralytics("estimator")(config, verbose=False)
    network, head = model.model, model.model.model[-1]
    network.names = {i: f"thing {i}" for i in range(80)} | {person: "person"}
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.momentum = None
        images = torch.from_numpy(np.stack(noise(8, (SIDE, SIDE)))).permute(0, 3, 1, 2) / 255
        network.train()(images)
        network.eval()
        for branch in head.cv3:
            branch[-1].weight.normal_(0, 0.02)
            branch[-1].bias.fill_(-1.5)
            branch[-1].bias[person] = -0.8
        for branch in (*head.cv2, *getattr(head, "cv4", ())):
            branch[-1].weight.mul_(0.2)
    before = Path.cwd()
    os.chdir(folder)  # where ultralytics writes
    try:
        for name in files:
            Path(model.export(imgsz=SIDE, verbose=False, **FILES[name])).rename(folder / name)
    finally:
        os.chdir(before)
    return Exported(model, folder)


@pytest.fixture(scope="module")
def poses(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return exported(tmp_path_factory.mktemp("poses"), "yolo11n-pose.yaml", 0, FILES)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return exported(tmp_path_factory.mktemp("objects"), "yolov8n.yaml", PERSON, DETECTORS)


def pictures() -> list[np.ndarray]:
    return [image for i, size in enumerate(SIZES) for image in noise(1, size, i)]


def saved(images: list[np.ndarray], folder: Path) -> list[str]:
    """The paths of PNG files of RGB images."""
    paths = [str(folder / f"{i}.png") for i in range(len(images))]
    assert all(cv2.imwrite(path, image[..., ::-1]) for path, image in zip(paths, images, strict=True))
    return paths


@needs_ultralytics
@pytest.mark.parametrize("file", FILES)
def test_people_are_those_that_ultralytics_finds_in_the_image_files(poses: Exported, file: str, tmp_path: Path) -> None:
    images = pictures()
    estimator = YoloPose(EstimatorSettings(poses.folder / file, min_score=0.5))
    found = estimator.people(images)
    own = quiet_ultralytics("estimator")(str(poses.folder / file), task="pose")
    for (boxes, keypoints), path in zip(found, saved(images, tmp_path), strict=True):
        (expected,) = own.predict(path, conf=0.2, classes=[0], device="cpu", verbose=False)
        assert boxes.shape == (len(boxes), 5) and keypoints.shape == (len(boxes), COCO17.count, 3)
        assert len(boxes) > 2
        np.testing.assert_allclose(boxes[:, :4], expected.boxes.xyxy.numpy(), atol=1e-3)
        np.testing.assert_allclose(boxes[:, 4], expected.boxes.conf.numpy(), atol=1e-5)
        np.testing.assert_allclose(keypoints[..., :2], expected.keypoints.xy.numpy(), atol=1e-3)
        np.testing.assert_allclose(keypoints[..., 2], expected.keypoints.conf.numpy(), atol=1e-5)
        assert (keypoints[..., 2] >= 0).all() and (keypoints[..., 2] <= 1).all()


@needs_ultralytics
@pytest.mark.parametrize("file", FILES)
def test_people_are_those_of_the_network_before_it_was_exported(poses: Exported, file: str) -> None:
    image = pictures()[1]
    ((boxes, keypoints),) = YoloPose(EstimatorSettings(poses.folder / file, min_score=0.5)).people([image])
    square = file != "dynamic.onnx"  # the others pad to the size that they were exported for
    form = {"imgsz": SIDE, "rect": False} if square else {"imgsz": 640, "rect": True}
    (expected,) = poses.network.predict(image[..., ::-1], conf=0.2, classes=[0], device="cpu", verbose=False, **form)
    assert len(expected.boxes) > 10
    # Which of two boxes stays that overlap by 0.7 depends on the rounding, and a random network has many of them.
    own = expected.boxes.data.numpy()[:, :5]
    ours, theirs = np.nonzero((np.abs(boxes[:, None] - own) < (0.05, 0.05, 0.05, 0.05, 1e-4)).all(2))
    assert len(ours) >= 0.6 * max(len(boxes), len(own))
    np.testing.assert_allclose(keypoints[ours], expected.keypoints.data.numpy()[theirs], atol=0.05)


@needs_ultralytics
@pytest.mark.parametrize("file", DETECTORS)
def test_a_detector_gives_the_people_alone(objects: Exported, file: str, tmp_path: Path) -> None:
    images = pictures()
    found = YoloDetector(objects.folder / file, "cpu").detect(images)
    own = quiet_ultralytics("detector")(str(objects.folder / file), task="detect")
    others = 0
    for boxes, path in zip(found, saved(images, tmp_path), strict=True):
        (everything,) = own.predict(path, conf=0.05, device="cpu", verbose=False, max_det=3000)
        people = everything.boxes[everything.boxes.cls == PERSON]
        assert len(people)
        np.testing.assert_allclose(boxes[:, :4], people.xyxy.numpy(), atol=1e-3)
        np.testing.assert_allclose(boxes[:, 4], people.conf.numpy(), atol=1e-5)
        others += len(everything.boxes) - len(people)
    assert others


@needs_ultralytics
@pytest.mark.parametrize("file", ["dynamic.onnx", "batch3.onnx", "model.torchscript"])
def test_batches_change_nothing(poses: Exported, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images = [pictures()[i] for i in (0, 4, 1, 2, 1, 1, 3)]
    estimator = YoloPose(EstimatorSettings(poses.folder / file, min_score=0.5))
    alone = estimator.people(images)
    monkeypatch.setattr(estimator.network, "batch", 4)  # as on a GPU, but fewer
    for (boxes, keypoints), (own_boxes, own_keypoints) in zip(estimator.people(images), alone, strict=True):
        np.testing.assert_allclose(boxes, own_boxes, atol=0.02)
        np.testing.assert_allclose(keypoints, own_keypoints, atol=0.02)


@needs_ultralytics
def test_the_stage_follows_people_with_either(poses: Exported, objects: Exported) -> None:
    jpegs = [cv2.imencode(".jpg", pictures()[0])[1].tobytes()] * 3
    models: list[dict[str, Any]] = [
        {"estimator": "yolo", "weights": poses.folder / "model.torchscript"},
        {"estimator": "hrnet_mini", "detector": "yolo", "detector_weights": objects.folder / "fixed.onnx"},
    ]
    for parameters in models:
        estimation = Pose(**parameters, min_score=0.2, persons=2).load({}).estimation()
        people = estimation.add(jpegs, range(3))
        estimation.run_all()
        keypoints = estimation.finish(people)
        assert keypoints.shape == (2, 3, COCO17.count, 3)
        assert keypoints[..., 2].any(2).all()


@needs_ultralytics
def test_nobody_is_nobody(poses: Exported, objects: Exported) -> None:
    estimator = YoloPose(EstimatorSettings(poses.folder / "fixed.onnx", min_score=1.0))
    estimator.network.settings["conf"] = 1.0
    ((boxes, keypoints),) = estimator.people(pictures()[:1])
    assert boxes.shape == (0, 5) and keypoints.shape == (0, COCO17.count, 3)
    assert YoloDetector(objects.folder / "fixed.onnx", "cpu").detect([]) == []


@needs_ultralytics
def test_onnx_files_run_on_one_thread_and_torch_keeps_its_number(poses: Exported) -> None:
    before = torch.get_num_threads()
    estimator = YoloPose(EstimatorSettings(poses.folder / "fixed.onnx"))
    estimator.people(pictures())
    session = estimator.network.model.predictor.model.session
    assert session.get_session_options().intra_op_num_threads == 1
    assert torch.get_num_threads() == before


@needs_ultralytics
def test_models_for_something_else_are_refused_by_name(poses: Exported, objects: Exported, tmp_path: Path) -> None:
    import onnx

    with pytest.raises(StageError, match=r"fixed\.onnx is a model to detect, but estimator: yolo needs one to pose"):
        YoloPose(EstimatorSettings(objects.folder / "fixed.onnx"))
    with pytest.raises(StageError, match=r"fixed\.onnx is a model to pose, but detector: yolo needs one to detect"):
        YoloDetector(poses.folder / "fixed.onnx", "cpu")
    changes = {
        "names": ("{0: 'dog', 1: 'cat'}", "knows no category 'person', but dog, cat"),
        "kpt_shape": ("[51, 1]", "finds keypoints of shape [51, 1], but estimator: yolo needs those of COCO, [17, 3]"),
        "imgsz": ("[100000, 100000]", "takes images of [100000, 100000]: too large"),
        "task": ("segment", "is a model to segment, but estimator: yolo needs one to pose"),
    }
    for key, (value, refusal) in changes.items():
        model = onnx.load(str(poses.folder / "fixed.onnx"))
        onnx.helper.set_model_props(model, {entry.key: entry.value for entry in model.metadata_props} | {key: value})
        onnx.save(model, tmp_path / "a.onnx")
        with pytest.raises(StageError, match=re.escape(f"a.onnx {refusal}")):
            YoloPose(EstimatorSettings(tmp_path / "a.onnx"))
    for content in (b"", b"no model", model.graph.SerializeToString()):
        (tmp_path / "a.onnx").write_bytes(content)
        with pytest.raises(StageError, match=r"a\.onnx was not written by yolo export, or is damaged"):
            YoloDetector(tmp_path / "a.onnx", "cpu")


@pytest.mark.parametrize("name", ["best.pt", "best.PT", "best.engine", "best"])
def test_pickles_are_not_even_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "executed").encode() + b"'\ntR.")
    remedy = f"not {name}, which could run any code. Export it once: yolo export model={name} format=onnx"
    with pytest.raises(StageError, match=f"estimator: yolo reads models that were exported, {remedy}"):
        YoloPose(EstimatorSettings(tmp_path / name))
    with pytest.raises(StageError, match=f"detector: yolo reads models that were exported, {remedy}"):
        YoloDetector(tmp_path / name, "cpu")
    assert not (tmp_path / "executed").exists()


@pytest.mark.skipif(why_no_cuda() is None, reason="this onnxruntime can use GPUs")
def test_a_gpu_is_of_use_to_torchscript_and_not_to_onnx() -> None:
    assert Pose(estimator="yolo", weights=Path("a.torchscript")).resources().num_gpus > 0
    assert Pose(estimator="yolo", weights=Path("a.onnx")).resources().num_gpus == 0
    stage = Pose(estimator="hrnet_mini", detector="yolo", detector_weights=Path("a.onnx"), device="cuda")
    with pytest.raises(StageError, match="has no CUDAExecutionProvider"):
        stage.load({}).estimation()


WATCHED = """
import json, os, sys

events = []


def watch(event, arguments):
    if event.startswith("socket.") or event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
        events.append([event, str(arguments)])
    elif event in ("os.mkdir", "os.rename") or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
        events.append([event, str(arguments[0])])


import numpy as np
import torch, torchvision, onnxruntime
from pathlib import Path
from stages.pose.estimators import EstimatorSettings
from stages.pose.yolo import YoloDetector, YoloPose

sys.addaudithook(watch)
images = [np.zeros((120, 160, 3), np.uint8)] * 2
for file in sys.argv[3:]:
    YoloPose(EstimatorSettings(Path(sys.argv[1], file))).people(images)
    YoloDetector(Path(sys.argv[2], file), "cpu").detect(images)
print(json.dumps(events))
"""


@needs_ultralytics
def test_nothing_is_sent_installed_or_written_elsewhere(poses: Exported, objects: Exported, tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("YOLO_", "PYTEST_", "XDG_"))}
    environ |= {"HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    environ.pop("TORCH_HOME", None)
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    command = [sys.executable, "-c", WATCHED, str(poses.folder), str(objects.folder), "fixed.onnx", "model.torchscript"]
    done = subprocess.run(command, env=environ, cwd=tmp_path / "here", capture_output=True, text=True, check=True)
    *noise, last = done.stdout.splitlines()
    events = json.loads(last)
    assert (noise, done.stderr) == ([], "")
    settings = tmp_path / "home" / ".cache" / "torch" / "hub" / "checkpoints" / "Ultralytics"
    for event, what in events:
        assert event in ("os.mkdir", "open"), (event, what)
        assert Path(what) in (settings, *settings.parents, settings / "settings.json"), (event, what)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [settings / "settings.json"]


def test_nothing_else_imports_ultralytics() -> None:
    """It is licensed under the AGPL."""
    importers = set()
    for folder in ("pipeline", "stages", "recognizer", "benchmarks", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            for node in ast.walk(ast.parse(text)) if "ultralytics" in text else ():
                modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom):
                    modules = [node.module or ""]
                if any(module.partition(".")[0].startswith("ultralytics") for module in modules):
                    importers.add(str(path.relative_to(ROOT)))
    assert importers == {"stages/pose/yolo.py"}
