import json
from typing import Any

import pyarrow as pa
import pytest

from pipeline.errors import StageError
from stages.predict.evaluate import Evaluate, accuracy_text, figures
from stages.predict.stage import Predict
from stages.tables import CLIPS, PREDICTIONS

NAMES = ["a", "b", "c", "d", "e", "f"]


def probabilities(*ranked: str) -> list[float]:
    """Probabilities that fall in the order of the named classes, then of the others."""
    order = [*ranked, *(name for name in NAMES if name not in ranked)]
    return [0.5 ** (order.index(name) + 1) for name in NAMES]


def prediction(clip_id: str, *ranked: str, error: str | None = None) -> dict[str, Any]:
    found = {"probabilities": probabilities(*ranked), "class_names": NAMES} if not error else {}
    return dict.fromkeys(PREDICTIONS.schema.names) | {"clip_id": clip_id, "error": error} | found


@pytest.fixture
def evaluated(tmp_path, context, write_table, files_of, clip_row, variant):
    def evaluate(clips: dict[str, tuple[str | None, str]], predictions: list[dict[str, Any]]) -> dict[str, Any]:
        """clips: label and split by id."""
        index = pa.Table.from_pylist([clip_row(clip_id, *of) for clip_id, of in clips.items()], schema=CLIPS.schema)
        files = files_of([write_table(tmp_path / "p.parquet", predictions, PREDICTIONS.schema)])
        stage = Evaluate()
        table = stage.run(variant(index, predictions=files), context)
        stage.export(table, tmp_path / "run", tmp_path)
        written = json.loads((tmp_path / "run" / "metrics.json").read_text())
        assert written == json.loads(table["metrics"][0].as_py())
        return written

    return evaluate


def test_figures_counted_by_hand(evaluated):
    clips = {f"{i}": (label, "test") for i, label in enumerate("aaabbc")}
    clips |= {"failed": ("a", "test"), "gone": ("b", "test"), "no label": (None, "test"), "other": ("a", "train")}
    predictions = [
        prediction("0", "a"),
        prediction("1", "a"),
        prediction("2", "b", "a"),
        prediction("3", "b"),
        prediction("4", "a", "c", "d", "e", "f"),  # b is sixth
        prediction("5", "c"),
        prediction("failed", error="no person"),
        prediction("no label", "a"),
        prediction("other", "a"),
    ]
    metrics = evaluated(clips, predictions)
    assert metrics["top1"] == pytest.approx(4 / 6) and metrics["top5"] == pytest.approx(5 / 6)
    assert metrics["mean_class"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert (metrics["clips"], metrics["failed"], metrics["unlabeled"]) == (6, 2, 1)
    assert metrics["classes"] == NAMES
    assert [row[:3] for row in metrics["confusion"][:3]] == [[2, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert sum(map(sum, metrics["confusion"])) == 6
    assert metrics["per_class"]["b"] == {"clips": 2, "accuracy": 0.5}
    assert metrics["per_class"]["f"] == {"clips": 0, "accuracy": None}
    assert metrics["wrong"] == [
        {"clip_id": "2", "label": "a", "predicted": "b", "probability": 0.5},
        {"clip_id": "4", "label": "b", "predicted": "a", "probability": 0.5},
    ]


def test_what_scores_are_worth_counted_by_hand():
    found = figures(["a", "b"], list("wxyz"), ["a", "a", "b", "b"], [[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.45, 0.55]])
    bins = {i: own for i, own in enumerate(found["reliability"]) if own["clips"]}
    assert len(found["reliability"]) == 15 and bins.keys() == {8, 13}
    assert bins[13] == {"clips": 3, "score": pytest.approx(0.9), "accuracy": pytest.approx(2 / 3)}
    assert bins[8] == {"clips": 1, "score": pytest.approx(0.55), "accuracy": 1.0}
    assert found["reliability"][0] == {"clips": 0, "score": None, "accuracy": None}
    assert found["ece"] == pytest.approx((3 * (0.9 - 2 / 3) + 0.45) / 4)


def test_a_label_that_the_model_does_not_know_is_always_wrong(evaluated):
    metrics = evaluated({"0": ("a", "test"), "1": ("zzz", "test")}, [prediction("0", "a"), prediction("1", "a")])
    assert metrics["classes"] == [*NAMES, "zzz"] and metrics["top1"] == 0.5
    assert metrics["confusion"][-1][0] == 1 and metrics["per_class"]["zzz"]["accuracy"] == 0
    few = figures(["a", "b"], ["0", "1"], ["a", "zzz"], [[0.4, 0.6], [0.9, 0.1]])
    assert (few["top1"], few["top5"]) == (0, 0.5)


def test_fewer_classes_than_five():
    metrics = figures(["a", "b"], ["0", "1"], ["a", "b"], [[0.9, 0.1], [0.9, 0.1]])
    assert (metrics["top1"], metrics["top5"]) == (0.5, 1.0)


def test_nothing_to_compare(evaluated):
    with pytest.raises(StageError, match="no clip has the split test"):
        evaluated({"0": ("a", "train")}, [prediction("0", "a")])
    with pytest.raises(StageError, match="none of the 1 clips of the split test has a prediction"):
        evaluated({"0": ("a", "test")}, [prediction("0", error="cannot be decoded")])
    with pytest.raises(StageError, match="has a label"):
        evaluated({"0": (None, "test")}, [prediction("0", "a")])


@pytest.mark.parametrize(
    ("rows", "predicted", "problem"),
    [
        ([("a", "test")], "test", None),
        ([("a", "test")], None, None),
        ([("a", "test")], "val", "split: test is compared with the labels, but val is predicted: give both the same"),
        (
            [("a", "train")],
            None,
            "no clip has the split test: set the split parameters of the index, or leave evaluate",
        ),
        ([(None, "test")], "test", "none of the 1 clips of the split test has a label"),
    ],
)
def test_what_will_be_missing_is_known_before_anything_runs(clip_row, rows, predicted, problem):
    clips = [clip_row(f"{i}", *row) for i, row in enumerate(rows)]
    table = pa.Table.from_pylist(clips, schema=CLIPS.schema)
    found = list(Evaluate().check(table, {PREDICTIONS.name: Predict(split=predicted)}))
    assert [found.fatal for found in found] == ([] if problem is None else [True])
    assert problem is None or found[0].text.startswith(problem)


def test_what_the_figures_leave_out(tmp_path, context, write_table, files_of, clip_row, variant):
    """Failed clips, classes without a test clip or a training clip, and groups."""
    rows = [clip_row(f"{i}", label, "test") | {"group": f"recording {i // 2}"} for i, label in enumerate("aabb")]
    rows += [clip_row("failed", "a", "test"), clip_row("only tested", "zzz", "test")]
    rows += [clip_row(f"train {label}", label, "train") for label in "abcdef"]
    predictions = [prediction(f"{i}", label) for i, label in enumerate("aaba")]
    predictions += [prediction("failed", error="no person"), prediction("only tested", "a")]
    files = files_of([write_table(tmp_path / "p.parquet", predictions, PREDICTIONS.schema)])
    table = Evaluate().run(variant(pa.Table.from_pylist(rows, schema=CLIPS.schema), predictions=files), context)
    metrics = json.loads(table["metrics"][0].as_py())
    assert (metrics["clips"], metrics["failed"], metrics["groups"]) == (5, 1, 3)
    assert metrics["classes_without_clips"] == ["c", "d", "e", "f"]
    assert metrics["classes_without_training_clips"] == ["zzz"]
    assert accuracy_text(metrics).endswith(
        ", 5 clips of 3 groups, 1 failed, 4 classes without clips, 1 class without training clips"
    )
    low, high = metrics["top1_interval"]
    assert low < 0.2 < 0.9 < high


def test_classes_all_of_whose_clips_failed_are_not_in_the_mean_and_said(evaluated):
    found = [prediction("0", "a"), prediction("1", error="no person")]
    metrics = evaluated({"0": ("a", "test"), "1": ("b", "test"), "2": ("b", "train")}, found)
    assert metrics["mean_class"] == 1 and "b" in metrics["classes_without_clips"]
    assert "1 failed, 5 classes without clips" in accuracy_text(metrics)


def test_without_training_clips_the_model_says_what_it_has_learned(evaluated):
    metrics = evaluated({"0": ("a", "test"), "1": ("zzz", "test")}, [prediction("0", "a"), prediction("1", "a")])
    assert metrics["classes_without_training_clips"] == ["zzz"]
    assert metrics["groups"] is None
