import re

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline.errors import ManifestError, StageError
from pipeline.keys import keyed_parameters
from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from recognizer.skeletons import find_layout, layout
from stages.pose.given import Skeletons
from stages.pose.stage import Pose
from stages.predict.stage import Predict
from stages.predict.views import NO_NUMBERS
from stages.tables import CLIPS, MODELS, PREDICTIONS, SHARDS
from stages.train.pretrained import Pretrained


def model_table(**change) -> pa.Table:
    """A model with random weights, as training hands it on."""
    torch.manual_seed(0)
    small = {"class_names": ("down", "right"), "width": 4, "size": 32, "heads": 2, "blocks": 1, "frames": 4}
    model = Recognizer(RecognizerConfig(**(small | change))).eval()
    config, weights = model.serialize()
    return pa.Table.from_pylist([{"config": config, "weights": weights, "history": "[]"}], schema=MODELS.schema)


def predicted(stage: Predict, clips: pa.Table, shards: pa.Table, models: pa.Table) -> dict[str, list[float]]:
    table = stage.process(clips, {"shards": shards}, stage.load({"models": models}))
    assert table.schema == PREDICTIONS.schema and table["clip_id"].to_pylist() == clips["clip_id"].to_pylist()
    assert all(names == ["down", "right"] for names in table["class_names"].to_pylist())
    return dict(zip(table["clip_id"].to_pylist(), table["probabilities"].to_pylist(), strict=True))


@pytest.mark.parametrize("modality", ["rgb+pose", "rgb", "pose"])
@pytest.mark.parametrize("views", [1, 6])
def test_batches_change_nothing(made_set, modality, views):
    clips, files = made_set(frames=9, persons=lambda i: 1 + i % 3)
    models = model_table(modality=modality, preprocessing={"scale": 0.75, "flip": True})
    found = [
        predicted(Predict(views=views, batch=batch, device="cpu", precision="fp32"), clips, files.read(), models)
        for batch in (None, 1, 5, 64)
    ]
    for clip_id, probabilities in found[0].items():
        assert sum(probabilities) == pytest.approx(1)
        assert all(other[clip_id] == pytest.approx(probabilities, abs=1e-5) for other in found[1:])


def test_an_answer_that_is_no_number_is_the_clip_s_error(made_set):
    clips, files = made_set(3)
    models = model_table(modality="pose")
    stage = Predict(device="cpu", precision="fp32")
    loaded = stage.load({"models": models})
    with torch.no_grad():
        next(loaded.parameters()).fill_(torch.nan)
    table = stage.process(clips, {"shards": files.read()}, loaded)
    assert table["error"].unique().to_pylist() == [NO_NUMBERS]
    assert table["probabilities"].null_count == len(clips)


def test_mixed_precision_gives_nearly_the_same(made_set):
    clips, files = made_set(4)
    exact, mixed = (
        predicted(Predict(precision=precision, device="cpu"), clips, files.read(), model_table())
        for precision in ("fp32", "bf16")
    )
    assert exact != mixed
    for clip_id, probabilities in exact.items():
        assert mixed[clip_id] == pytest.approx(probabilities, abs=0.02)


def test_several_views_are_averaged(made_set):
    """Of 8 frames, a network of 4 sees the second of each pair, and then the first of each."""
    clips, files = made_set(6, frames=8)
    models = model_table(preprocessing={"flip": False})
    exact = {"device": "cpu", "precision": "fp32"}
    seconds, firsts = (
        predicted(Predict(**exact), clips, every_other_frame(files.read(), first), models) for first in (1, 0)
    )
    both = predicted(Predict(views=2, **exact), clips, files.read(), models)
    for clip_id, mean in both.items():
        assert seconds[clip_id] != pytest.approx(firsts[clip_id], abs=1e-5)
        halves = zip(seconds[clip_id], firsts[clip_id], strict=True)
        assert mean == pytest.approx([(a + b) / 2 for a, b in halves], abs=1e-6)
    assert Predict(views=2).load({"models": models}).training is False


@pytest.mark.parametrize("modality", ["rgb+pose", "rgb", "pose"])
def test_other_numbers_of_frames_than_in_training(made_set, modality):
    clips, files = made_set(4, frames=8)
    models = model_table(modality=modality)
    few, trained, as_trained, all_of_them = (
        predicted(Predict(frames=frames, device="cpu"), clips, files.read(), models) for frames in (1, 4, None, 8)
    )
    assert trained == as_trained
    assert len({tuple(found["right/00"]) for found in (few, trained, all_of_them)}) == 3
    assert predicted(Predict(device="cpu"), clips, every_other_frame(files.read(), 1), models) == trained


def every_other_frame(shards: pa.Table, first: int) -> pa.Table:
    """The shards of 8 frames with every other one of them. From 1 on, these are the middles of each quarter."""

    def thinned(row: dict) -> dict:
        keypoints = np.frombuffer(row["keypoints"], np.float16).reshape(row["persons"], 8, 17, 3)
        return row | {"frames": row["frames"][first::2], "keypoints": keypoints[:, first::2].tobytes()}

    return pa.Table.from_pylist([thinned(row) for row in shards.to_pylist()], schema=SHARDS.schema)


def test_more_frames_than_the_shards_hold(made_set):
    clips, files = made_set(3, frames=8)
    with pytest.raises(StageError, match="9 frames are asked for, but the shard of right/00 holds 8: set fewer"):
        predicted(Predict(frames=9, device="cpu"), clips, files.read(), model_table())


def test_what_is_part_of_the_key():
    assert keyed_parameters(Predict(frames=8)) != keyed_parameters(Predict())
    assert keyed_parameters(Predict(precision="fp32")) != keyed_parameters(Predict())
    assert keyed_parameters(Predict(batch=3)) == keyed_parameters(Predict())


def test_labels_and_order_do_not_matter(made_set):
    clips, files = made_set(6)
    models, shards = model_table(), files.read()
    order = [3, 0, 5, 2, 1, 4]
    unlabeled = clips.drop_columns(["label", "split"])
    straight = predicted(Predict(device="cpu", batch=1), clips, shards, models)
    shuffled = predicted(Predict(device="cpu", batch=1), unlabeled.take(order), shards.take(order), models)
    assert straight == shuffled


def test_the_split_is_selected(made_set):
    clips, _ = made_set(12)
    assert Predict().select(clips)["clip_id"].to_pylist() == ["right/04", "down/05", "right/10", "down/11"]
    assert Predict(split=None).select(clips).num_rows == 12
    with pytest.raises(ManifestError, match=r"no clip of the index has the split val \(there are: test, train\)"):
        Predict(split="val").select(clips)


def test_a_model_that_does_not_fit(made_set):
    clips, files = made_set(3)
    text = "trained on ntu25 skeletons, but right/00 has coco17: coco17 lacks 13 of the 25 joints of ntu25: spine_base,"
    with pytest.raises(StageError, match=text):
        predicted(Predict(device="cpu"), clips, files.read(), model_table(layout="ntu25"))
    models = model_table().set_column(1, "weights", pa.array([b"noise"], pa.large_binary()))
    with pytest.raises(StageError, match="the model does not load"):
        Predict(device="cpu").load({"models": models})


@pytest.mark.parametrize("modality", ["rgb+pose", "pose"])
def test_a_model_sees_skeletons_of_another_layout_by_the_names_of_joints(made_set, modality):
    """The same skeletons with their joints in another order, and with more joints, give the same probabilities."""
    clips, files = made_set(4)
    models = model_table(modality=modality)
    exact = Predict(device="cpu", precision="fp32")
    straight = predicted(exact, clips, files.read(), models)
    for name in ("openpose18", "body25", "mediapipe33"):
        assert predicted(exact, clips, in_layout(files.read(), name), models) == straight
    model = model_table(modality=modality, layout="openpose18")
    lacking = predicted(exact, clips, files.read(), model)
    assert lacking == predicted(exact, clips, in_layout(files.read(), "openpose18"), model)


def in_layout(shards: pa.Table, name: str) -> pa.Table:
    """COCO's skeletons in a layout that has all of its joints; its other joints are missing."""

    def converted(row: dict) -> dict:
        keypoints = np.frombuffer(row["keypoints"], np.float16).reshape(row["persons"], -1, 17, 3)
        found = np.zeros((*keypoints.shape[:2], layout(name).count, 3), np.float16)
        for i, joint in enumerate(layout("coco17").joints):
            found[:, :, layout(name).joints.index(joint)] = keypoints[:, :, i]
        return row | {"keypoints": found.tobytes(), "layout": name}

    return pa.Table.from_pylist([converted(row) for row in shards.to_pylist()], schema=SHARDS.schema)


@pytest.mark.parametrize(
    ("skeletons", "problem"),
    [
        ("coco17", None),
        ("body25", "lacks none of the 17 joints of coco17: they are treated"),
        ("jhmdb15", "jhmdb15 lacks 5 of the 17 joints of coco17: nose, left_eye, .* are treated as not visible"),
        ("own.yaml", r"own lacks 15 of the 17 joints of coco17: nose, .*: use the pose estimator it was trained with"),
    ],
)
def test_what_the_skeletons_lack_is_said_before_a_run(tmp_path, skeletons, problem):
    (tmp_path / "own.yaml").write_text("joints: [left_hip, right_hip]")
    row = model_table().to_pylist()[0]
    (tmp_path / "config.json").write_text(row["config"])
    joints = find_layout(skeletons, tmp_path).count
    np.savez(tmp_path / "a.npz", keypoints=np.ones((1, 4, joints, 3)) * 9, layout=skeletons)
    clip = {"clip_id": "a", "source": "1:1", "path": "a", "skeleton_path": str(tmp_path / "a.npz")}
    clips = pa.Table.from_pylist([clip | {"skeleton_source": "1:1"}], CLIPS.schema)
    for stage in (Skeletons(), Pose()):
        found = list(Predict().check(clips, {"models": Pretrained(path=tmp_path), "skeletons": stage}))
        assert len(found) == (problem is not None)
        if problem:
            assert re.search(problem, found[0].text) and found[0].fatal == (skeletons == "own.yaml")
    given = {"models": Pretrained(path=tmp_path), "skeletons": Pose(convert_to="jhmdb15")}
    assert "jhmdb15 lacks 5" in next(iter(Predict().check(clips, given))).text
    estimated = CLIPS.schema.empty_table()
    assert not list(Predict().check(estimated, {"models": Pretrained(path=tmp_path), "skeletons": Pose()}))


def test_one_thread_in_a_worker_and_as_before_after_it(made_set):
    clips, files = made_set(3)
    before = torch.get_num_threads()
    found = predicted(Predict(device="cpu"), clips, files.read(), model_table())
    assert torch.get_num_threads() == before
    assert np.isfinite(list(found.values())).all()


@pytest.mark.gpu
def test_a_gpu_predicts_the_same(made_set, exact_gpu):
    clips, files = made_set()
    cpu, gpu = (
        predicted(Predict(device=device, precision="fp32"), clips, files.read(), model_table())
        for device in ("cpu", "cuda")
    )
    for clip_id, probabilities in cpu.items():
        assert gpu[clip_id] == pytest.approx(probabilities, abs=1e-4)


def test_workers_share_a_gpu():
    assert Predict().resources().num_gpus == 0.5
    assert Predict(workers_per_gpu=3).resources().num_gpus == pytest.approx(1 / 3)
    assert Predict(device="cpu").resources().num_gpus == 0
