import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load
from torchvision.models.video import mc3_18

from pipeline.errors import StageError
from pipeline.keys import keyed_parameters
from pipeline.stage_inputs import StageContext, TableFiles, VariantInputs
from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from stages.devices import chosen_precision
from stages.predict.views import mean_probabilities
from stages.tables import CLIPS, SHARDS
from stages.train.calibration import calibrate
from stages.train.checkpoints import load_checkpoint
from stages.train.labels import training_clips
from stages.train.stage import Train

TINY = {"width": 4, "size": 16, "heads": 2, "blocks": 1, "dropout": 0.1}


def train(work_folder: Path, clips: pa.Table, files: TableFiles, **parameters: Any) -> dict[str, Any]:
    """The row that a small training makes."""
    work_folder.mkdir(exist_ok=True)
    defaults = {"model": TINY, "epochs": 2, "batch": 3, "threads": 1, "device": "cpu"}
    context = StageContext(work_folder, lambda done, total, **figures: None)
    return Train(**(defaults | parameters)).run([VariantInputs("", clips, {"shards": files})], context).to_pylist()[0]


def test_it_learns_and_says_so(made_set, tmp_path):
    clips, files = made_set(24, size=32)
    shown = []
    stage = Train(
        model={**TINY, "width": 8, "size": 32}, epochs=8, batch=4, lr=3e-3, threads=1, device="cpu", val_share=0.2
    )
    table = stage.run(
        [VariantInputs("", clips, {"shards": files})],
        StageContext(tmp_path, lambda done, total, **more: shown.append((done, total, more))),
    )
    history = json.loads(table["history"][0].as_py())
    assert [row["epoch"] for row in history] == list(range(1, 9))
    assert history[-1]["val_accuracy"] == 1.0 and history[-1]["loss"] < history[0]["loss"]
    done, total, figures = shown[-1]
    assert done == total and figures.keys() == {"epoch", "loss", "accuracy", "lr"}
    assert list((tmp_path / "tensorboard").iterdir())

    stage.export(table, tmp_path / "run", tmp_path)
    model = Recognizer.from_pretrained(tmp_path / "run" / "model")
    assert model.config.class_names == ("down", "right") and model.config.frames == 4
    assert model.config.layout == "coco17" and model.config.preprocessing == {
        "scale": 0.875,
        "flip": True,
        "seconds": 0.4,
    }
    assert json.loads((tmp_path / "run" / "history.json").read_text()) == history


def test_few_clips_are_passed_more_often_for_the_least_number_of_steps(made_set, tmp_path):
    clips, files = made_set(12)

    def epochs(**parameters: Any) -> int:
        return len(json.loads(train(tmp_path / str(parameters), clips, files, val_share=0, **parameters)["history"]))

    assert epochs(batch=5, least_steps=9) == 5  # of two steps each
    assert epochs(batch=5, least_steps=4) == epochs(batch=5) == 2
    assert "least_steps" not in keyed_parameters(Train())


def test_killed_at_any_moment_it_ends_with_the_same_bits(made_set, training_process, checkpointed, tmp_path):
    def kill_when(reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Train in another process, kill it with SIGKILL once its checkpoint is so far, and return how far it is."""
        process = training_process(folder, stage, clips, files)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            if (progress := checkpointed(folder)) and reached(progress):
                break
            time.sleep(0.002)
        process.kill()
        assert process.wait() == -9, "the training must still be running when it is killed"
        return checkpointed(folder)

    clips, files = made_set(18)
    Recognizer(RecognizerConfig(class_names=("right", "up"), **TINY)).save_pretrained(tmp_path / "start")
    recipe = {
        "model": TINY,
        "start_from": str(tmp_path / "start"),
        "epochs": 5,
        "batch": 2,
        "accumulate": 2,
        "ema": 0.9,
        "keep": "best",
        "checkpoint_minutes": 0,
    }
    undisturbed = train(tmp_path / "undisturbed", clips, files, **recipe | {"checkpoint_minutes": 10})

    folder = tmp_path / "killed"
    stage = Train(**recipe, threads=1, device="cpu")
    within_an_epoch = kill_when(lambda at: at["step"] >= 2)
    assert within_an_epoch["step"] >= 2 or within_an_epoch["epoch"] > 0
    later = kill_when(lambda at: at["epoch"] >= 2)
    assert later["epoch"] >= 2
    assert train(folder, clips, files, **recipe) == undisturbed
    assert train(folder, clips, files, **recipe) == undisturbed, "a finished training is not gone through again"


def test_reading_threads_do_not_change_the_result(made_set, tmp_path):
    clips, files = made_set()
    one, four = (train(tmp_path / str(n), clips, files, workers=n) for n in (1, 4))
    assert one == four
    assert train(tmp_path / "seed", clips, files, seed=1)["weights"] != one["weights"]


@pytest.mark.parametrize(
    "change",
    [
        {"batch": 100},
        {"batch": 1},
        {"frames": 2},
        {"frames": 7},
        {"val_share": 0.0, "precision": "bf16"},
        {"precision": "fp32"},
        {"layer_decay": 0.7},
        {"model": {**TINY, "modality": "pose"}},
        {"model": {**TINY, "modality": "rgb"}, "mixup": 0.4},
    ],
    ids=str,
)
def test_recipes(made_set, tmp_path, change):
    clips, files = made_set()
    row = train(tmp_path / "work", clips, files, **change)
    history = json.loads(row["history"])
    assert len(history) == 2 and all(figure["loss"] > 0 for figure in history)
    assert {figure["precision"] for figure in history} == {
        chosen_precision(change.get("precision", "auto"), torch.device("cpu"))
    }
    assert Recognizer.deserialize(row["config"], row["weights"]).config.frames == change.get("frames", 4)


@pytest.mark.parametrize(
    "change",
    [
        {"mixup": 0.4},
        {"label_smoothing": 0.0},
        {"clip_gradient": 1e-3},
        {"ema": 0.5},
        {"weight_decay": 1.0},
        {"augment": {"flip": False}},
    ],
    ids=str,
)
def test_what_a_recipe_says_is_done(made_set, tmp_path, change):
    clips, files = made_set()
    rgb = {"model": {**TINY, "modality": "rgb"}}
    without, with_it = (train(tmp_path / str(len(c)), clips, files, **rgb, **c) for c in ({}, change))
    assert without["weights"] != with_it["weights"]


def test_layers_far_from_the_head_learn_slowly(made_set, tmp_path):
    clips, files = made_set()
    start, slow = (
        load(train(tmp_path / f"{c}", clips, files, **c)["weights"]) for c in ({"lr": 1e-12}, {"layer_decay": 1e-3})
    )
    moved = {name: (slow[name] - start[name]).abs().max() for name in start if name.endswith("weight")}
    assert moved["backbone.stem.0.weight"] < 1e-6 < 1e-4 < moved["head.classifier.weight"]


def test_less_memory_makes_the_same_bits(made_set, tmp_path):
    clips, files = made_set()
    recipe = {"model": {**TINY, "blocks": 2, "drop_path": 0.3}, "accumulate": 2, "ema": 0.9}
    plain, frugal = (
        train(tmp_path / f"{less}", clips, files, **recipe, checkpoint_activations=less) for less in (False, True)
    )
    assert plain == frugal


@pytest.mark.skipif(
    "PIPELINE_TEST_COMPILE" not in os.environ, reason="takes minutes: set PIPELINE_TEST_COMPILE to compile a network"
)
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_a_compiled_network_learns_the_same(made_set, tmp_path, device):
    clips, files = made_set()
    recipe = {
        "model": {**TINY, "modality": "pose"},
        "batch": 3,
        "val_share": 0,
        "device": device,
        "precision": "fp32",
    }  # of 8 clips: the last batch is smaller
    plain, quick = (train(tmp_path / f"{c}", clips, files, **recipe, compile=c) for c in (False, True))
    for one, other in zip(json.loads(quick["history"]), json.loads(plain["history"]), strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-3)


def test_clips_may_have_fewer_or_more_persons(made_set, tmp_path):
    clips, files = made_set(persons=lambda i: 1 if i % 3 else 3)
    assert json.loads(train(tmp_path / "work", clips, files)["history"])[-1]["loss"] > 0


def test_accumulated_batches_take_the_step_of_one_large_batch(made_set, tmp_path):
    """Up to batch normalization, which is part of the backbone: pose alone has none."""
    clips, files = made_set()
    model = {**TINY, "modality": "pose", "dropout": 0.0}
    exact = {"model": model, "lr": 1e-3, "precision": "fp32"}  # bfloat16 rounds sums of other lengths otherwise
    large = train(tmp_path / "large", clips, files, batch=4, **exact)
    small = train(tmp_path / "small", clips, files, batch=2, accumulate=2, **exact)
    assert json.loads(small["history"])[-1]["loss"] == pytest.approx(json.loads(large["history"])[-1]["loss"], rel=1e-5)


def test_a_backbone_may_start_from_other_weights(made_set, tmp_path):
    clips, files = made_set(6)
    path = tmp_path / "mc3_18.pth"
    torch.manual_seed(1)
    start = mc3_18(weights=None).state_dict()
    torch.save(start, path)
    recipe = {"backbone": "kinetics400", "model": TINY | {"width": 64}, "epochs": 1, "lr": 1e-9, "val_share": 0}
    row = train(tmp_path / "work", clips, files, **recipe, backbone_file=path)
    trained = Recognizer.deserialize(row["config"], row["weights"]).backbone.stem[0].weight
    assert torch.allclose(trained, start["stem.0.weight"], atol=1e-6)
    with pytest.raises(StageError, match=r"no backbone weights at .*gone\.pth"):
        train(tmp_path / "gone", clips, files, **recipe, backbone_file=tmp_path / "gone.pth")


def test_a_training_starts_from_the_weights_of_another_model(made_set, tmp_path):
    clips, files = made_set()
    first = train(tmp_path / "first", clips, files)
    model = tmp_path / "model"
    Recognizer.deserialize(first["config"], first["weights"]).save_pretrained(model)
    renamed = pa.array(["up" if label == "down" else label for label in clips["label"].to_pylist()])
    others = clips.set_column(clips.schema.get_field_index("label"), "label", renamed)
    row = train(tmp_path / "second", others, files, start_from=str(model), lr=1e-12)

    start, trained = load(first["weights"]), load(row["weights"])
    classifier = ["head.classifier.weight", "head.classifier.bias"]
    for name in start.keys() - set(classifier):
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):  # which follow the clips
            torch.testing.assert_close(trained[name], start[name], atol=1e-6, rtol=0)
    for name in classifier:  # of down and right before, now of right and up
        torch.testing.assert_close(trained[name][0], start[name][1], atol=1e-6, rtol=0)
        assert not torch.allclose(trained[name][1], start[name][0], atol=1e-6)
    history = json.loads(row["history"])
    taken = history[0]["start"]
    assert (taken["classes"], taken["partly"], taken["new"], taken["differs"]) == (["right"], classifier, [], [])
    assert taken["of"] - taken["taken"] == 2 and "start" not in history[1]

    with pytest.raises(StageError, match=r"nothing of .* can be used: no matrix .* width is 4 there and 8 here"):
        train(tmp_path / "wide", clips, files, start_from=str(model), model=TINY | {"width": 8})
    (model / "model.safetensors").write_bytes(b"noise")
    with pytest.raises(StageError, match=r"model\.safetensors is damaged"):
        train(tmp_path / "damaged", clips, files, start_from=str(model))


def test_the_best_epoch_is_kept(made_set, tmp_path):
    clips, files = made_set()
    recipe = {"val_share": 0.3, "lr": 0.05, "epochs": 5}
    row = train(tmp_path / "best", clips, files, keep="best", **recipe)
    accuracies = [figure["val_accuracy"] for figure in json.loads(row["history"])]
    best, _ = load_checkpoint(tmp_path / "best" / "checkpoint.safetensors", "") or pytest.fail("no checkpoint")
    kept, last = (load(r["weights"]) for r in (row, train(tmp_path / "last", clips, files, **recipe)))
    assert accuracies.index(max(accuracies)) < 4, "the best epoch of this training must not be its last one"
    assert all(kept[name].equal(tensor) for name, tensor in best["best"].items())
    assert any(not kept[name].equal(tensor) for name, tensor in last.items())
    with pytest.raises(StageError, match="keep: best needs validation clips"):
        train(tmp_path / "none", clips, files, keep="best", val_share=0)


def test_validation_clips_say_what_scores_are_worth(made_set, tmp_path):
    clips, files = made_set(72)
    recipe = {"model": TINY, "val_share": 0.45, "keep": "best", "epochs": 3, "lr": 2e-3, "precision": "fp32"}
    row = train(tmp_path / "work", clips, files, **recipe)
    config, history = json.loads(row["config"]), json.loads(row["history"])
    assert 20 <= config["validation_clips"] < 48 and config["temperature"] != 1
    said = history[-1]["calibration"]
    assert said == {name: config[name] for name in ("temperature", "min_scores", "validation_clips")} | {
        "ece": said["ece"]
    }
    assert ["calibration" in figures for figures in history] == [False, False, True]
    assert train(tmp_path / "work", clips, files, **recipe) == row, "it is kept with the checkpoint"

    recognizer = Recognizer.deserialize(row["config"], row["weights"])
    learned = training_clips(clips, clips["clip_id"].to_pylist(), recipe["val_share"])
    shards = [shard for shard in files.read().to_pylist() if shard["clip_id"] in learned.val]
    predicted = mean_probabilities(recognizer, shards, views=1)
    logits_NK = np.log([predicted[clip_id] for clip_id in learned.val]) * config["temperature"]
    again = calibrate(logits_NK, np.array([learned.targets[clip_id] for clip_id in learned.val]))
    assert again["temperature"] == pytest.approx(config["temperature"], rel=1e-3)
    assert again["min_scores"] == pytest.approx(config["min_scores"], rel=1e-3)


def test_only_a_training_that_has_changed_has_a_new_version(clip_row):
    def version(counts: dict[str, int], **recipe: Any) -> int:
        rows = [clip_row(f"{split}/{i:03}", "a", split) for split, clips in counts.items() for i in range(clips)]
        return Train(**recipe).version_for(pa.Table.from_pylist(rows, schema=CLIPS.schema))

    assert version({"train": 400}, val_share=0) == version({"train": 20}, val_share=0.5) == 4
    assert version({"train": 30, "val": 19}, val_share=0.9) == 4, "clips of the split val are all that validate"
    assert version({"train": 3, "val": 20}, val_share=0) == version({"train": 400}) == 5
    rows = [clip_row(f"{i}", "ab"[i % 2], "train") | {"group": f"{i // 10}"} for i in range(100)]
    clips = pa.Table.from_pylist(rows, schema=CLIPS.schema)
    for share in (0.1, 0.2, 0.3):
        held_out = len(training_clips(clips, clips["clip_id"].to_pylist(), share).val)
        assert Train(val_share=share).version_for(clips) == (5 if held_out >= 20 else 4)
    alone = [clip_row(f"{i}", f"{i}", "train") for i in range(40)]
    assert Train().version_for(pa.Table.from_pylist(alone, schema=CLIPS.schema)) == Train.version == 6


def test_a_training_that_diverges_names_step_rate_and_clips(made_set, tmp_path):
    clips, files = made_set()
    with pytest.raises(
        StageError, match=r"diverged in step \d+ \(epoch \d\).* learning rate .*e\+.*: (right|down)/\d\d"
    ):
        train(tmp_path / "work", clips, files, lr=1e30, warmup_epochs=0, epochs=3)


def test_a_damaged_checkpoint_is_named(made_set, tmp_path):
    clips, files = made_set()
    train(tmp_path / "work", clips, files)
    (tmp_path / "work" / "checkpoint.safetensors").write_bytes(b"noise")
    with pytest.raises(StageError, match=r"checkpoint\.safetensors is damaged .* remove it"):
        train(tmp_path / "work", clips, files)


def test_a_checkpoint_of_another_network_is_named(made_set, tmp_path):
    clips, files = made_set()
    train(tmp_path / "work", clips, files)
    with pytest.raises(StageError, match=r"checkpoint\.safetensors belongs to another network"):
        train(tmp_path / "work", clips, files, model={**TINY, "blocks": 2})


def test_what_a_training_occupies_decides_what_runs_beside_it():
    assert Train().resources() == (os.cpu_count(), 1)
    assert Train(threads=3, device="cpu").resources() == (3, 0)
    assert Train().spreads() is None
    assert Train(data_parallel=2, batch=2).resources() is None
    assert Train(data_parallel=2, batch=2).spreads() == (1, 1)


def test_parameters_that_contradict_the_data_or_each_other():
    for name, value in {"class_names": ["a"], "layout": "ntu25", "frames": 8}.items():
        with pytest.raises(ValidationError, match=f"{name} comes from"):
            Train(model={name: value})
    with pytest.raises(ValidationError, match="mixup blends pixels"):
        Train(mixup=0.2)
    with pytest.raises(ValidationError, match="smallest side, largest side"):
        Train(augment={"scale": [1.0, 0.5]})
    with pytest.raises(ValidationError, match="kinetics400 needs a network that sees frames"):
        Train(backbone="kinetics400", model={"width": 32})
    with pytest.raises(ValidationError, match="8 processes cannot share a batch of 4"):
        Train(batch=4, data_parallel=8)
    with pytest.raises(ValidationError, match="compile and checkpoint_activations exclude each other"):
        Train(compile=True, checkpoint_activations=True)
    with pytest.raises(ValidationError, match="layer_decay"):
        Train(layer_decay=0)
    stage = Train(model={"width": 16}, epochs=3)
    assert Train.model_validate_json(stage.model_dump_json()) == stage


def test_clips_of_the_splits_train_and_val_are_all_it_asks_for(clip_row):
    rows = [clip_row(f"{split}.mp4", f"label {split}", split) for split in ("train", "val", "test", None)]
    chosen = Train(model=TINY).select(pa.Table.from_pylist(rows, schema=CLIPS.schema))
    assert chosen["clip_id"].to_pylist() == ["train.mp4", "val.mp4"]


def test_what_is_not_trained_on_leaves_no_trace(made_set, files_of, write_table, tmp_path):
    clips, files = made_set()
    chosen = Train(model=TINY).select(clips)
    given = TableFiles(files.paths, files.open, SHARDS.schema, frozenset(chosen["clip_id"].to_pylist()))
    path = files.paths[1]
    rows = files.read_one(path).to_pylist()
    changed = [row for row in rows if row["clip_id"] not in given.clip_ids]
    assert changed
    before = train(tmp_path / "before", chosen, given)
    for row in changed:
        row |= {"frames": row["frames"][:1], "times": [0.0, 50.0], "layout": "pennaction13", "keypoints": b""}
    write_table(Path(path), rows, SHARDS.schema)
    after = train(tmp_path / "after", chosen, given)
    assert (before["config"], before["weights"]) == (after["config"], after["weights"])


@pytest.mark.gpu
@pytest.mark.parametrize("recipe", [{}, {"checkpoint_activations": True}, {"ema": 0.9, "accumulate": 2}])
def test_a_gpu_learns_what_a_cpu_does(made_set, tmp_path, exact_gpu, recipe):
    clips, files = made_set()
    model = {**TINY, "dropout": 0}  # random numbers of a GPU are its own
    histories = {
        device: json.loads(
            train(tmp_path / device, clips, files, device=device, precision="fp32", model=model, **recipe)["history"]
        )
        for device in ("cpu", "cuda")
    }
    for here, there in zip(histories["cpu"], histories["cuda"], strict=True):
        assert there["loss"] == pytest.approx(here["loss"], rel=1e-3)


@pytest.mark.gpu
def test_on_a_gpu_it_is_interrupted_and_resumed(made_set, tmp_path, training_process, checkpointed):
    clips, files = made_set()
    recipe = {"epochs": 40, "device": "cuda", "checkpoint_minutes": 0}
    undisturbed = train(tmp_path / "whole", clips, files, **recipe)
    defaults = {"model": TINY, "batch": 3, "threads": 1}
    process = training_process(tmp_path / "killed", Train(**(defaults | recipe)), clips, files)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None and not checkpointed(tmp_path / "killed").get("epoch"):
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -9, "it was still running"
    assert checkpointed(tmp_path / "killed")["epoch"] < 40
    resumed = train(tmp_path / "killed", clips, files, **recipe)
    histories = [json.loads(row["history"]) for row in (undisturbed, resumed)]
    assert {row["precision"] for row in histories[1]} == {chosen_precision("auto", torch.device("cuda"))}
    # Not to the bit: some gradients are sums in no fixed order there.
    assert [row["epoch"] for row in histories[1]] == [row["epoch"] for row in histories[0]]
    assert histories[1][0]["loss"] == pytest.approx(histories[0][0]["loss"], rel=1e-3)
    assert histories[1][-1]["loss"] == pytest.approx(histories[0][-1]["loss"], rel=0.2)
