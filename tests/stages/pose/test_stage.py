"""The pose stage from frames to skeletons, with an estimator that finds a red dot and a detector that finds green."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pyarrow as pa
import pytest
import yaml
from onnx import TensorProto, helper
from pydantic import ValidationError

from pipeline.errors import StageError
from pipeline.keys import keyed_parameters, stage_identity
from recognizer.skeletons import layout
from stages.places import fingerprint
from stages.pose import estimation
from stages.pose.detectors import DETECTORS
from stages.pose.estimators import ESTIMATORS
from stages.pose.hrnet import HRNetW32, HRNetW48
from stages.pose.onnx_model import OnnxModel
from stages.pose.onnx_network import why_no_cuda
from stages.pose.skeleton_rows import relative
from stages.pose.stage import Pose
from stages.tables import CLIPS, FRAMES, SKELETONS

T, HEIGHT, WIDTH = 12, 120, 160

GREEN_DETECTOR = """
import numpy as np

class Green:
    def __init__(self, weights, device):
        pass

    def detect(self, images):
        return [self.boxes(image) for image in images]

    def boxes(self, image):
        y, x = np.nonzero((image[..., 1] > 150) & (image[..., 0] < 100))
        if not len(x):
            return np.empty((0, 5))
        return np.array([[x.min(), y.min(), x.max() + 1, y.max() + 1, 0.9]])
"""


CLUTTERED_DETECTOR = """
import numpy as np
from green_detector import Green

class GreenAndJacket(Green):
    def boxes(self, image):
        return np.concatenate([super().boxes(image), [[0, 0, 160, 20, 0.95]]])
"""


@pytest.fixture
def green(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "green_detector.py").write_text(GREEN_DETECTOR)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "green_detector:Green"


def jpeg(dot: tuple[int, int] | None, body: bool = True) -> bytes:
    """A frame with a red dot at (x, y) on a green body."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    if body:
        image[20:100, 50:110] = (0, 200, 0)
    if dot:
        cv2.circle(image, dot, 5, (255, 0, 0), -1)
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def dots(seed: int) -> list[tuple[int, int]]:
    rng = np.random.default_rng(seed)
    return [(int(x), int(y)) for x, y in zip(rng.integers(60, 100, T), rng.integers(30, 90, T), strict=True)]


def tables(clips: dict[str, list[bytes]], skeletons: dict[str, Path] | None = None) -> tuple[pa.Table, pa.Table]:
    rows: list[dict[str, Any]] = []
    frames: list[dict[str, Any]] = []
    for name, images in clips.items():
        path = (skeletons or {}).get(name)
        skeleton = {"skeleton_path": str(path), "skeleton_source": fingerprint(path)} if path else {}
        rows.append({"clip_id": name, "source": "1:1", "path": f"/videos/{name}.mp4"} | skeleton)
        size = {"height": HEIGHT, "width": WIDTH, "source_height": 2 * HEIGHT, "source_width": 2 * WIDTH}
        indices = list(range(0, 2 * len(images), 2))
        frames.append({"clip_id": name, "frames": images, "indices": indices, "times": [0.0] * len(images)} | size)
    return pa.Table.from_pylist(rows, CLIPS.schema), pa.Table.from_pylist(frames, FRAMES.schema)


def run(stage: Pose, clips: pa.Table, frames: pa.Table) -> list[dict[str, Any]]:
    table = stage.process(clips, {"frames": frames}, stage.load({}))
    assert table.schema.equals(SKELETONS.schema)
    assert table["clip_id"].equals(clips["clip_id"])
    return table.to_pylist()


def keypoints(row: dict[str, Any]) -> np.ndarray:
    assert row["error"] is None
    return np.frombuffer(row["keypoints"], np.float16).reshape(row["persons"], -1, 17, 3).astype(float)


@pytest.mark.parametrize(("detector", "cell"), [("whole_frame", 0.1), ("green_detector:Green", 0.03)])
@pytest.mark.usefixtures("green")
def test_the_skeleton_of_frame_i_is_computed_from_frame_i(reddest: Path, detector: str, cell: float) -> None:
    stage = Pose(estimator="onnx", weights=reddest, detector=detector, batch=5)
    clips = {name: [jpeg(dot) for dot in dots(seed)] for seed, name in enumerate("abc")}
    for seed, row in enumerate(run(stage, *tables(clips))):
        found = keypoints(row)
        assert found.shape == (1, T, 17, 3)
        places = (np.array(dots(seed)) + 0.5) / (WIDTH, HEIGHT)
        np.testing.assert_allclose(found[0, :, :, :2], np.repeat(places[:, None], 17, axis=1), atol=cell)
        assert (row["layout"], row["estimator"]) == ("coco17", "onnx")


def test_an_estimator_of_ones_own_that_gives_keypoints(green: str, tmp_path: Path) -> None:
    (tmp_path / "threshold.txt").write_text("150")
    weights = tmp_path / "threshold.txt"
    stage = Pose(estimator="own_estimators:RedDot", weights=weights, detector=green, batch=5)
    for seed, row in enumerate(
        run(stage, *tables({name: [jpeg(dot) for dot in dots(i)] for i, name in enumerate("ab")}))
    ):
        places = (np.array(dots(seed)) + 0.5) / (WIDTH, HEIGHT)
        np.testing.assert_allclose(keypoints(row)[0, :, :, :2], np.repeat(places[:, None], 17, axis=1), atol=0.02)
        assert row["estimator"] == "own_estimators:RedDot"
    weights.write_text("256")  # nothing is as red as that
    (blind,) = run(stage, *tables({"a": [jpeg(dot) for dot in dots(0)]}))
    assert blind["error"] == f"no person found in any of {T} frames"
    assert stage.files() == (weights,)


def test_an_estimator_of_ones_own_that_finds_people_itself() -> None:
    images = [jpeg(dot) if t != 5 else jpeg(None, body=False) for t, dot in enumerate(dots(0))]
    (row,) = run(Pose(estimator="own_estimators:RedDotWithBody"), *tables({"a": images}))
    found = keypoints(row)[0]
    assert np.flatnonzero(~found[..., 2].any(1)).tolist() == [5]
    seen = [t for t in range(T) if t != 5]
    places = (np.array(dots(0)) + 0.5) / (WIDTH, HEIGHT)
    np.testing.assert_allclose(found[seen, 0, :2], places[seen], atol=0.005)


def test_what_has_a_large_box_and_no_joints_is_not_among_the_main_people(tmp_path: Path, green: str) -> None:
    """Such as a jacket on a chair."""
    (tmp_path / "threshold.txt").write_text("150")
    (tmp_path / "cluttered.py").write_text(CLUTTERED_DETECTOR)
    parameters = {"estimator": "own_estimators:RedDot", "weights": tmp_path / "threshold.txt", "persons": 1}
    stage = Pose(**parameters, detector="cluttered:GreenAndJacket")
    (row,) = run(stage, *tables({"a": [jpeg(dot) for dot in dots(0)]}))
    (alone,) = run(Pose(**parameters, detector=green), *tables({"a": [jpeg(dot) for dot in dots(0)]}))
    assert keypoints(row).tolist() == keypoints(alone).tolist()
    assert (row["detector"], row["weights"]) == (
        "cluttered:GreenAndJacket",
        [f"threshold.txt {hashlib.sha256(b'150').hexdigest()[:12]}"],
    )


def test_rows_name_published_weights_too() -> None:
    columns = Pose(estimator="hrnet_w32", detector="nanodet").load({}).columns
    assert [name.partition(" ")[0] for name in columns["weights"]] == [
        "nanodet.json",
        "nanodet.bin",
        "td-hm_hrnet-w32_8xb64-210e_coco-256x192-81c58e40_20220909.pth",
    ]
    alone = Pose(estimator="keypointrcnn").load({}).columns
    assert alone["detector"] is None
    assert [name.partition("-")[0] for name in alone["weights"]] == ["keypointrcnn_resnet50_fpn_coco"]


def test_people_are_detected_in_some_frames_and_where_somebody_comes_or_goes(reddest: Path, green: str) -> None:
    images = [jpeg(dot, body=3 <= t < 9) if 3 <= t < 9 else jpeg(None, body=False) for t, dot in enumerate(dots(0))]
    still = [jpeg(dot) for dot in dots(1)]
    loaded = (stage := Pose(estimator="onnx", weights=reddest, detector=green)).load({})
    detected: list[int] = []
    find = loaded._detector.detect
    loaded._detector.detect = lambda images: detected.append(len(images)) or find(images)  # type: ignore[func-returns-value]
    for name, clip, most in (("still", still, T // 2), ("moves", images, T)):
        detected.clear()
        clips, frames = tables({name: clip})
        (row,) = stage.process(clips, {"frames": frames}, loaded).to_pylist()
        (every,) = run(Pose(estimator="onnx", weights=reddest, detector=green, detect_every=1), clips, frames)
        assert row == every
        assert sum(detected) <= most


def test_skeletons_depend_neither_on_the_batch_nor_on_the_partition(reddest: Path, green: str) -> None:
    clips, frames = tables({name: [jpeg(dot) for dot in dots(seed)] for seed, name in enumerate("abc")})
    stages = [Pose(estimator="onnx", weights=reddest, detector=green, batch=batch) for batch in (1, 7, 100)]
    together = [run(stage, clips, frames) for stage in stages]
    assert together[0] == together[1] == together[2]
    assert together[0] == [run(stages[1], clips.slice(i, 1), frames.slice(i, 1))[0] for i in range(3)]


def test_frames_that_clips_share_are_estimated_once(reddest: Path, green: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows that overlap show the same frames."""
    images = [jpeg(dot) for dot in dots(0)]
    windows = {"a": images[:8], "b": images[4:], "c": images[8:] + images[8:]}
    stage = Pose(estimator="onnx", weights=reddest, detector=green, detect_every=1)
    alone = [run(stage, *tables({name: window}))[0] for name, window in windows.items()]
    counts = {"decoded": 0, "detected": 0, "estimated": 0}
    estimate, decode = OnnxModel.heatmaps, estimation._decoded

    def count_images_decoded(jpeg: bytes, position: int) -> np.ndarray:
        counts["decoded"] += 1
        return decode(jpeg, position)

    def count_crops(model: OnnxModel, crops: np.ndarray) -> np.ndarray:
        counts["estimated"] += int(crops.any((1, 2, 3)).sum())
        return estimate(model, crops)

    monkeypatch.setattr(OnnxModel, "heatmaps", count_crops)
    monkeypatch.setattr(estimation, "_decoded", count_images_decoded)
    clips, frames = tables(windows)
    loaded = stage.load({})
    detector = loaded._detector
    found = detector.detect

    def count_images(images: list[np.ndarray]) -> list[np.ndarray]:
        counts["detected"] += len(images)
        return found(images)

    detector.detect = count_images
    together = stage.process(clips, {"frames": frames}, loaded).to_pylist()
    assert together == alone
    assert counts == {"decoded": T, "detected": T, "estimated": T}


def test_frames_without_a_person_keep_their_place(reddest: Path, green: str) -> None:
    images = [
        jpeg(dot, body=t % 4 != 2) if t not in (5, 6) else jpeg(None, body=False) for t, dot in enumerate(dots(0))
    ]
    (row,) = run(Pose(estimator="onnx", weights=reddest, detector=green), *tables({"a": images}))
    seen = keypoints(row)[0, :, :, 2].any(1)
    # Undetected in frames 2 and 10, but still there: estimated from these frames. Frames 5 and 6 are empty.
    assert np.flatnonzero(~seen).tolist() == [5, 6]
    places = (np.array(dots(0)[2]) + 0.5) / (WIDTH, HEIGHT)
    np.testing.assert_allclose(keypoints(row)[0, 2, 0, :2], places, atol=0.03)


def test_gaps_are_filled_only_where_asked_for_and_marked(reddest: Path, green: str) -> None:
    images = [jpeg(dot) if t not in (5, 6) else jpeg(None, body=False) for t, dot in enumerate(dots(0))]
    parameters = {"estimator": "onnx", "weights": reddest, "detector": green}
    (plain,) = run(Pose(**parameters), *tables({"a": images}))
    (filled,) = run(Pose(**parameters, fill_gaps=2), *tables({"a": images}))
    assert plain["made_up"] is None
    made_up = np.frombuffer(filled["made_up"], bool).reshape(1, T, 17)
    assert np.flatnonzero(made_up.any((0, 2))).tolist() == [5, 6]
    assert keypoints(filled)[0, :, :, 2].all()
    seen = [t for t in range(T) if t not in (5, 6)]
    np.testing.assert_array_equal(keypoints(filled)[0, seen], keypoints(plain)[0, seen])
    (calm,) = run(Pose(**parameters, smoothing=3.0), *tables({"a": images}))
    assert np.abs(np.diff(keypoints(calm)[0, seen, 0, :2], axis=0)).max() < 0.1
    assert not keypoints(calm)[0, [5, 6]].any()


def test_joints_outside_of_the_picture_are_not_made_up(tmp_path: Path) -> None:
    given = np.ones((1, 2 * T, 17, 3))
    given[0, : 2 * T, 0, 0] = 2 * WIDTH - 1
    given[0, 6:, 0, 0] = 2 * WIDTH + 99  # inside, missing, outside
    given[0, 4:6, 0, 2] = 0
    np.savez(tmp_path / "a.npz", keypoints=given, layout="coco17")
    stage = Pose(estimator="hrnet_mini", fill_gaps=1)
    [row] = run(stage, *tables({"a": [jpeg(None)] * T}, {"a": tmp_path / "a.npz"}))
    assert keypoints(row)[0, :, 0, 2].tolist() == [1, 1] + [0] * (T - 2)
    assert row["made_up"] is None


def test_only_parts_that_have_changed_are_in_the_keys(reddest: Path, green: str) -> None:
    assert Pose(estimator="movenet_thunder", detector="nanodet").parts() == {}
    assert Pose(estimator="keypointrcnn").parts() == {"stages.pose.keypoint_rcnn:KeypointRCNN": 2}
    assert Pose(estimator="onnx", weights=reddest, detector=green).parts() == {"stages.pose.onnx_model:OnnxModel": 2}
    identity = stage_identity("pose", Pose(estimator="keypointrcnn", fill_gaps=1))
    assert identity["plugins"] == {"stages.pose.keypoint_rcnn:KeypointRCNN": 2, "fill_gaps": 2}


def test_a_clip_without_a_person_or_with_a_broken_frame_costs_only_itself(reddest: Path, green: str) -> None:
    good = [jpeg(dot) for dot in dots(0)]
    clips = {"empty": [jpeg(None, body=False)] * T, "good": good, "broken": [*good[:3], b"no JPEG", *good[4:]]}
    empty, fine, broken = run(Pose(estimator="onnx", weights=reddest, detector=green), *tables(clips))
    assert empty["error"] == f"no person found in any of {T} frames"
    assert "decoded frame 3 is not a readable JPEG image" in broken["error"]
    assert empty["keypoints"] is broken["keypoints"] is None
    assert keypoints(fine).shape == (1, T, 17, 3)


@pytest.mark.usefixtures("green")
def test_a_clip_of_which_no_joint_is_left_fails(reddest: Path, tmp_path: Path) -> None:
    """A person is detected, but nothing is estimated on it; and a skeleton file whose joints lie outside."""
    blind = onnx.load(reddest)
    blind.graph.initializer[1].CopyFrom(helper.make_tensor("bias", TensorProto.FLOAT, [17], np.full(17, -9.0)))
    onnx.save(blind, tmp_path / "blind.onnx")
    np.savez(tmp_path / "outside.npz", keypoints=np.full((1, 2 * T, 17, 3), 5000.0), layout="coco17")
    clips = {"blank": [jpeg(None)] * T, "outside": [jpeg(None)] * T}
    stage = Pose(estimator="onnx", weights=tmp_path / "blind.onnx", detector="green_detector:Green")
    blank, outside = run(stage, *tables(clips, {"outside": tmp_path / "outside.npz"}))
    assert blank["error"] == f"no person found in any of {T} frames"
    assert "most joints lie far outside of the frame" in outside["error"]
    for row in (blank, outside):
        assert row["keypoints"] is row["persons"] is row["layout"] is None


def test_ground_truth_is_passed_through_without_any_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 2 * HEIGHT - 1, (3, 2 * T, 17, 3))
    truth[..., 2] = 1
    truth[0, 4, 0] = [500, 10, 1]
    np.savez(tmp_path / "a.npz", keypoints=truth, layout="coco17")
    skeletons = {"a": tmp_path / "a.npz", "b": tmp_path / "missing.npz"}
    stage = Pose(estimator="onnx", weights=tmp_path / "not_there.onnx")
    images = [jpeg(None)] * T
    good, bad = run(stage, *tables({"a": images, "b": images}, skeletons))
    expected = (truth[:2, ::2, :, :2] + 0.5) / (2 * WIDTH, 2 * HEIGHT)
    expected[0, 2, 0] = 0
    np.testing.assert_allclose(keypoints(good)[..., :2], expected, atol=5e-4)
    assert keypoints(good)[0, 2, 0].tolist() == [0, 0, 0]
    assert (good["persons"], good["layout"], good["estimator"]) == (2, "coco17", "ground truth")
    assert "missing.npz not found" in bad["error"]


def test_skeletons_stay_in_place_in_a_video_of_another_size_than_theirs(tmp_path: Path) -> None:
    truth = np.full((1, 2 * T, 17, 3), 1.0)
    truth[..., :2] = 99.5, 49.5
    np.savez(tmp_path / "a.npz", keypoints=truth, layout="coco17", size=[400, 100])
    [row] = run(Pose(estimator="hrnet_mini"), *tables({"a": [jpeg(None)] * T}, {"a": tmp_path / "a.npz"}))
    assert keypoints(row)[0, 0, 0].tolist() == [0.25, 0.5, 1]


def test_pixels_become_relative_and_joints_outside_are_missing() -> None:
    pixels = np.array([[0, 0, 1], [159, 119, 0.5], [-0.5, 119.5, 1], [160, 50, 1], [20, 20, 0]])
    expected = [[0.5 / 160, 0.5 / 120, 1], [159.5 / 160, 119.5 / 120, 0.5], [0, 1, 1], [0, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(relative(pixels, 160, 120), expected)


def test_weights_that_are_missing_stop_the_stage() -> None:
    with pytest.raises(StageError, match=r"weights file none\.onnx not found"):
        run(
            Pose(estimator="onnx", weights=Path("none.onnx"), detector="whole_frame"),
            *tables({"a": [jpeg(None)]}),
        )


def test_a_detector_that_cannot_be_imported_is_named(reddest: Path) -> None:
    with pytest.raises(StageError, match="detector: no_such_module:Detector cannot be imported"):
        run(Pose(estimator="onnx", weights=reddest, detector="no_such_module:Detector"), *tables({"a": [jpeg(None)]}))


def test_a_detector_that_cannot_be_built_is_named(reddest: Path) -> None:
    with pytest.raises(StageError, match="detector: fractions:Fraction cannot be built: TypeError"):
        run(Pose(estimator="onnx", weights=reddest, detector="fractions:Fraction"), *tables({"a": [jpeg(None)]}))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"estimator": "hrnet_w23"},
            "called 'hrnet_w23'; did you mean 'hrnet_w32'.* Known: hrnet_w32,",
        ),
        ({"estimator": "centernet"}, "no estimator is called 'centernet'. Known: .*, my_module:MyEstimator"),
        ({"estimator": "onnx"}, "estimator onnx needs weights"),
        ({"estimator": "yolo"}, "estimator yolo needs weights"),
        ({"estimator": "mmpose"}, "estimator mmpose needs weights"),
        ({"detector": "onnx"}, "detector onnx needs detector_weights: the path of its model file"),
        (
            {"estimator": "hrnet_mini", "weights": "a.pth", "input_size": (96, 80)},
            "weights, input_size: without effect, hrnet_mini does not take them: leave them out",
        ),
        ({"input_size": (64, 48)}, r"input_size of hrnet_w32 is \[256, 192\] or \[384, 288\], not \[64, 48\]"),
        ({"layout": "ntu25"}, "layout: without effect, hrnet_w32 finds coco17: leave it out"),
        ({"detector": "mini", "detector_weights": "a.pth"}, "detector_weights: without effect, mini takes none"),
        (
            {"estimator": "yolo", "weights": "a.onnx", "detector": "mini", "flip_test": True},
            "detector, flip_test: without effect, yolo finds people itself",
        ),
        ({"layout": "coco18"}, "no joint layout is called 'coco18'; did you mean 'coco17'"),
        ({"detector": "faster_rccn"}, "no detector is called 'faster_rccn'; did you mean 'faster_rcnn'"),
        ({"estimator": "own_estimators:RedDot"}, "estimator own_estimators:RedDot needs weights"),
        (
            {"estimator": "own_estimators:RedDot", "weights": "a.txt", "flip_test": True},
            "flip_test: without effect, own_estimators:RedDot does not take it: leave it out",
        ),
        (
            {"estimator": "own_estimators:RedDotWithBody", "detector": "mini"},
            "detector: without effect, own_estimators:RedDotWithBody finds people itself",
        ),
        ({"estimator": "own_estimators:NoEstimator"}, "own_estimators:NoEstimator is not a pose estimator"),
        ({"estimator": "no_such_module:X"}, "estimator: no_such_module:X cannot be imported: ModuleNotFoundError"),
        ({"persons": 0}, "greater than or equal to 1"),
        ({"min_score": 1.5}, "less than or equal to 1"),
    ],
)
def test_impossible_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Pose(**parameters)


def test_weights_with_all_their_parts_are_files_of_the_stage(tmp_path: Path) -> None:
    for name in ("a.param", "a.bin", "b.onnx"):
        (tmp_path / name).touch()
    stage = Pose(estimator="onnx", weights=tmp_path / "b.onnx", detector="x:Y", detector_weights=tmp_path / "a.param")
    assert {path.name for path in stage.files()} == {"a.param", "a.bin", "b.onnx"}
    assert Pose(weights=tmp_path / "missing.pth").files() == (tmp_path / "missing.pth",)
    for name in ("v/model.safetensors", "v/config.json", "d/model.safetensors", "d/config.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "d" / "preprocessor_config.json").touch()
    stage = Pose(
        estimator="vitpose",
        weights=tmp_path / "v" / "model.safetensors",
        detector="rtdetr",
        detector_weights=tmp_path / "d" / "model.safetensors",
    )
    assert set(stage.files()) == {path for path in tmp_path.glob("*/*") if path.is_file()}
    assert Pose().files() == ()
    assert all(cls.published(size) for cls in (HRNetW32, HRNetW48) for size in (None, *cls.input_sizes))


def test_published_weights_count_by_their_content_wherever_they_are(shared_data: Path, tmp_path: Path) -> None:
    weights = shared_data.parent / "weights"
    if not (weights / "movenet").is_dir():
        pytest.skip(f"MoveNet not found in {weights}")
    local = Pose(
        estimator="movenet_thunder",
        weights=weights / "movenet" / "movenet-thunder.json",
        detector="nanodet",
        detector_weights=weights / "nanodet" / "nanodet.json",
    )
    published = Pose(estimator="movenet_thunder", detector="nanodet")
    assert stage_identity("pose", published) == stage_identity("pose", local)
    assert [name for name, _ in stage_identity("pose", published)["files"]] == [
        f"{name}.{suffix}" for name in ("movenet-thunder", "nanodet") for suffix in ("json", "bin")
    ]
    for suffix in ("json", "bin"):
        (tmp_path / f"movenet-thunder.{suffix}").write_text("other content")
    other = local.model_copy(update={"weights": tmp_path / "movenet-thunder.json"})
    assert stage_identity("pose", other) != stage_identity("pose", local)


def test_published_weights_of_a_hub_count_by_their_content() -> None:
    files = stage_identity("pose", Pose(estimator="vitpose", detector="rtdetr"))["files"]
    assert [name for name, _ in files] == [*["model.safetensors"] * 2, "config.json", "preprocessor_config.json"]
    assert len({sha256 for _, sha256 in files}) == 4


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_what_a_worker_occupies(estimator: str, detector: str) -> None:
    weights = {"weights": "a.onnx"} if estimator in ("onnx", "yolo", "mmpose") else {}
    own = {} if estimator in ("yolo", "movenet_multipose", "keypointrcnn") else {"detector": detector}
    detector_weights = {"detector_weights": "a.onnx"} if own and detector in ("onnx", "yolo") else {}
    stage = Pose.model_validate({"estimator": estimator} | weights | own | detector_weights)
    onnx_computes = why_no_cuda() is None
    detects = own and detector not in ("mini", "whole_frame") and (detector not in ("onnx", "yolo") or onnx_computes)
    computes = detects or estimator not in ("onnx", "yolo") or onnx_computes
    assert stage.resources().num_gpus == (0.5 if computes else 0)
    assert stage.model_copy(update={"workers_per_gpu": 1}).resources().num_gpus == (1 if computes else 0)
    assert stage.model_copy(update={"device": "cpu"}).resources().num_gpus == 0


@pytest.mark.skipif(why_no_cuda() is None, reason="this onnxruntime can use GPUs")
def test_a_gpu_that_onnxruntime_cannot_use_is_refused_in_time(reddest: Path) -> None:
    stage = Pose(estimator="onnx", weights=reddest, detector="whole_frame", device="cuda")
    clips, frames = tables({"a": [jpeg(None)]})
    [problem] = stage.prepare(clips, fetch=False)
    assert problem.fatal
    assert problem.text == (
        "device: cuda is set, but the installed onnxruntime has no CUDAExecutionProvider: pip install onnxruntime-gpu "
        "in place of onnxruntime, or set device: auto"
    )
    with pytest.raises(StageError, match="has no CUDAExecutionProvider"):
        run(stage, clips, frames)


PLANNING = """
import sys
from stages.pose.detectors import DETECTORS
from stages.pose.estimators import ESTIMATORS
from stages.pose.stage import Pose

for name in ESTIMATORS:
    stage = Pose(estimator=name, weights=sys.argv[1] if name in ("onnx", "yolo", "mmpose") else None)
    stage.files(), stage.resources()
for name in DETECTORS:
    stage = Pose(detector=name, detector_weights="a.onnx" if name in ("onnx", "yolo") else None)
    stage.files(), stage.resources()
heavy = {"torch", "torchvision", "cv2", "scipy", "timm", "onnx", "onnxruntime", "transformers", "ultralytics", "mmpose"}
print(*heavy & set(sys.modules))
"""


def test_planning_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "a.json").touch()  # the config of mmpose
    command = [sys.executable, "-c", PLANNING, tmp_path / "a.onnx"]
    planned = subprocess.run(command, capture_output=True, text=True, check=True)
    assert planned.stdout.strip() == ""


@pytest.mark.parametrize(
    ("estimator", "package", "extra"),
    [("onnx", "onnxruntime", "onnx"), ("yolo", "ultralytics", "yolo"), ("vitpose", "transformers", "transformers")],
)
def test_a_missing_package_names_its_extra(
    reddest: Path, monkeypatch: pytest.MonkeyPatch, estimator: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    detector = {} if estimator == "yolo" else {"detector": "whole_frame"}
    stage = Pose.model_validate({"estimator": estimator, "weights": reddest} | detector)
    with pytest.raises(StageError, match=rf"needs {package}.*pip install 'action-pipeline\[{extra}\]'"):
        run(stage, *tables({"a": [jpeg(None)]}))


def test_a_detector_whose_package_is_missing_names_its_extra(reddest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    stage = Pose(estimator="onnx", weights=reddest, detector="rtdetr", detector_weights=reddest)
    with pytest.raises(StageError, match=r"rtdetr needs transformers.*pip install 'action-pipeline\[transformers\]'"):
        run(stage, *tables({"a": [jpeg(None)]}))


@pytest.mark.usefixtures("green")
def test_given_and_estimated_skeletons_are_converted_to_one_layout(reddest: Path, tmp_path: Path) -> None:
    given = np.full((1, 2 * T, 25, 3), 50.0)
    given[..., 2] = 1
    np.savez(tmp_path / "a.npz", keypoints=given, layout="body25")
    stage = Pose(estimator="onnx", weights=reddest, detector="green_detector:Green", convert_to="openpose18")
    clips = {name: [jpeg(dot) for dot in dots(0)] for name in ("estimated", "given")}
    estimated, given_row = run(stage, *tables(clips, {"given": tmp_path / "a.npz"}))
    for row, missing in ((estimated, ["neck"]), (given_row, [])):
        assert row["layout"] == "openpose18"
        found = np.frombuffer(row["keypoints"], np.float16).reshape(row["persons"], T, 18, 3)
        absent = [joint for i, joint in enumerate(layout("openpose18").joints) if not found[..., i, 2].any()]
        assert absent == missing
    (refused,) = run(Pose(convert_to="ntu25"), *tables({"a": clips["given"]}, {"a": _coco(tmp_path)}))
    assert refused["error"] == "coco17 lacks 13 of the 25 joints of ntu25: " + refused["error"].partition(": ")[2]
    assert refused["keypoints"] is None
    assert "convert_to" not in keyed_parameters(Pose())


def _coco(folder: Path) -> Path:
    np.savez(folder / "coco.npz", keypoints=np.full((1, 2 * T, 17, 3), 50.0), layout="coco17")
    return folder / "coco.npz"


def test_an_onnx_model_of_a_layout_of_ones_own(reddest: Path, tmp_path: Path) -> None:
    own = layout("coco17").definition() | {"name": "mine"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(own))
    stage = Pose(estimator="onnx", weights=reddest, detector="whole_frame", layout=str(tmp_path / "mine.yaml"))
    (tmp_path / "mine.yaml").unlink()
    (row,) = run(stage, *tables({"a": [jpeg(dot) for dot in dots(0)]}))
    assert layout(row["layout"]).name == "mine" and layout(row["layout"]).flip == layout("coco17").flip
    with pytest.raises(ValidationError, match="did you mean 'coco17'"):
        Pose(estimator="onnx", weights=reddest, layout="coco71")


def test_skeletons_in_space_are_not_of_a_video(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", keypoints=np.ones((1, 2 * T, 20, 4)), layout="kinect20")
    (row,) = run(Pose(), *tables({"a": [jpeg(None)] * T}, {"a": tmp_path / "a.npz"}))
    assert "skeletons in space, not in pixels of the video: use the stage skeletons" in row["error"]
