"""Variants that repeat each other become one row: checked against sums over all clips, and by what must not matter."""

from collections.abc import Callable, Collection
from itertools import product
from typing import Any

import numpy as np
import pytest

from pipeline.errors import StageError
from pipeline.stage_inputs import VariantInputs
from stages.predict.evaluate import figures
from stages.predict.intervals import wilson_interval
from stages.report.comparison import RESAMPLES, VariantResult, compare, label_text, mean_history, row_text

CLASSES = ("hug", "kick", "wave")
LABELS = [name for name in CLASSES for _ in range(20)]
IDS = [f"{i:02}.mp4" for i in range(len(LABELS))]


def result(labels: dict[str, Any], wrong: Collection[int], tested: Collection[int] = range(len(IDS))) -> VariantResult:
    """A variant whose figures are those of the evaluation itself."""
    probabilities = [np.eye(3)[(i // 20 + (i in wrong)) % 3] for i in tested]
    metrics = figures(list(CLASSES), [IDS[i] for i in tested], [LABELS[i] for i in tested], probabilities)
    right = {IDS[i]: i not in wrong for i in tested}
    return VariantResult(labels, metrics | {"failed": 1, "split": "test"}, frozenset(right), right)


def drawn(seed: int, share: float) -> set[int]:
    """Which clips are wrong."""
    return set(np.flatnonzero(np.random.default_rng(seed).random(len(IDS)) < share).tolist())


def test_without_pooling_every_variant_is_a_row_with_its_own_figures() -> None:
    variants = [result({"width": width, "frames": 8}, drawn(width, 0.3)) for width in (4, 8, 16)]
    compared = compare(variants, ())
    assert compared["axes"] == ["width"] and compared["pool"] == [], "frames has one label alone"
    assert [row["metrics"] for row in compared["rows"]] == [variant.metrics for variant in variants]
    assert [row["labels"] for row in compared["rows"]] == [{"width": 4}, {"width": 8}, {"width": 16}]
    assert all((row["folds"], row["repeats"], row["sd"]) == (1, 1, None) for row in compared["rows"])


def test_folds_are_put_together_to_the_figures_of_all_clips() -> None:
    wrong = drawn(1, 0.3)
    folds = [range(start, len(IDS), 7) for start in range(7)]
    whole = result({}, wrong).metrics
    (row,) = compare([result({"fold": k}, wrong, fold) for k, fold in enumerate(folds)], ["fold"])["rows"]
    assert (row["folds"], row["repeats"], row["sd"], row["difference"]) == (7, 1, None, None)
    assert row["metrics"]["failed"] == 7
    assert row["metrics"]["confusion"] == whole["confusion"] and row["metrics"]["classes"] == whole["classes"]
    for figure in ("top1", "top1_interval", "top5", "mean_class", "clips"):
        assert row["metrics"][figure] == pytest.approx(whole[figure]), figure
    for name in CLASSES:
        assert row["metrics"]["per_class"][name] == pytest.approx(whole["per_class"][name])


def test_a_clip_of_several_folds_counts_once() -> None:
    wrong = drawn(1, 0.3)
    thirds = [range(start, len(IDS), 3) for start in range(3)]
    pairs = [[*thirds[0], *thirds[1]], [*thirds[0], *thirds[2]], [*thirds[1], *thirds[2]]]
    whole = result({}, wrong).metrics
    (row,) = compare([result({"fold": k}, wrong, fold) for k, fold in enumerate(pairs)], ["fold"])["rows"]
    assert (row["folds"], row["repeats"]) == (3, 1)
    for figure in ("top1", "top1_interval", "clips", "per_class"):
        assert row["metrics"][figure] == whole[figure], figure


def test_seeds_are_averaged_and_count_a_clip_once() -> None:
    wrongs = [drawn(seed, 0.2 + 0.1 * seed) for seed in range(3)]
    (row,) = compare([result({"seed": seed}, wrong) for seed, wrong in enumerate(wrongs)], ["seed"])["rows"]
    accuracies = [1 - len(wrong) / len(IDS) for wrong in wrongs]
    assert row["accuracies"] == pytest.approx(accuracies)
    assert row["sd"] == pytest.approx(np.std(accuracies, ddof=1))
    metrics = row["metrics"]
    assert (row["folds"], row["repeats"], metrics["clips"], metrics["failed"]) == (1, 3, len(IDS), 1)
    assert metrics["top1"] == pytest.approx(np.mean(accuracies))
    assert metrics["top1_interval"] == pytest.approx(wilson_interval(sum(accuracies) / 3 * len(IDS), len(IDS)))
    assert np.sum(metrics["confusion"]) == 3 * len(IDS)
    assert {figures["clips"] for figures in metrics["per_class"].values()} == {20}


def test_folds_and_seeds_at_once_with_two_axes_left() -> None:
    folds = {"a": range(0, 30), "b": range(30, 60)}
    labels = product(folds, (4, 8), ("x", "y"), (0, 1, 2))
    variants = [
        result({"fold": fold, "width": width, "how": how, "seed": seed}, drawn(width + seed, 0.3), folds[fold])
        for fold, width, how, seed in labels
    ]
    compared = compare(variants, ["seed", "fold"])
    assert compared["axes"] == ["width", "how"] and compared["pool"] == ["fold", "seed"]
    assert [tuple(row["labels"].values()) for row in compared["rows"]] == list(product((4, 8), ("x", "y")))
    assert sorted(i for row in compared["rows"] for i in row["members"]) == list(range(len(variants)))
    for row in compared["rows"]:
        assert (row["folds"], row["repeats"]) == (2, 3)
        wrongs = [drawn(row["labels"]["width"] + seed, 0.3) for seed in range(3)]
        assert row["accuracies"] == pytest.approx([1 - len(wrong) / len(IDS) for wrong in wrongs])


def test_a_class_that_a_fold_lacks_or_that_its_model_does_not_know() -> None:
    variants = [result({"fold": 0}, (), range(0, 20)), result({"fold": 1}, (), range(20, 60))]
    shorter = variants[0].metrics | {"classes": ["hug"], "confusion": [[20]]}
    (row,) = compare([variants[0]._replace(metrics=shorter), variants[1]], ["fold"])["rows"]
    assert row["metrics"]["classes"] == list(CLASSES)
    assert row["metrics"]["confusion"] == (20 * np.eye(3, dtype=int)).tolist()


def test_rows_are_compared_with_the_best_one_clip_by_clip() -> None:
    good, bad = drawn(1, 0.1), drawn(1, 0.1) | set(range(10))
    compared = compare([result({"how": "bad"}, bad), result({"how": "good"}, good), result({"how": "too"}, good)], ())
    worse, best, equal = compared["rows"]
    assert compared["best"] == 1 and best["difference"] is None
    assert equal["difference"] == {"mean": 0, "interval": [0, 0]}
    differences = np.array([(i in good) - (i in bad) for i in range(len(IDS))], float)
    assert worse["difference"]["mean"] == pytest.approx(differences.mean())
    resampled = np.random.default_rng(5).choice(differences, (RESAMPLES, len(IDS))).mean(1)
    assert worse["difference"]["interval"] == pytest.approx(np.quantile(resampled, (0.025, 0.975)), abs=0.02)
    assert worse["difference"]["interval"][1] < 0
    other_clips = [result({"how": "a"}, good, range(30)), result({"how": "b"}, good, range(30, 60))]
    assert all(row["difference"] is None for row in compare(other_clips, ())["rows"])


def test_a_result_is_read_from_its_tables(make_variant: Callable[..., VariantInputs]) -> None:
    variant = make_variant(tested=(1, 2, 3, 4), wrong=(2,), labels_of_axes={"fold": 1})
    found = VariantResult.of(variant, {"split": "test"})
    assert found.labels == {"fold": 1}
    assert found.right == {"001.mp4": True, "002.mp4": False, "003.mp4": True, "004.mp4": True}
    assert found.tested == set(found.right)
    without = VariantResult.of(make_variant("bare", without=("predictions",)), {"split": "test"})
    assert len(without.tested) == 6 and without.right == {}


def test_folds_with_unequal_numbers_of_variants_are_refused() -> None:
    variants = [
        result({"seed": 0}, (), range(30)),
        result({"seed": 1}, (), range(30)),
        result({"seed": 2}, (), range(30, 60)),
    ]
    with pytest.raises(StageError, match="different numbers of repetitions"):
        compare(variants, ["seed"])


def test_names_for_people() -> None:
    variants = [
        result({"model.tokens": tokens, "a.size": 1 + flip, "b.size": flip}, ())
        for tokens, flip in ((None, True), ("x", False))
    ]
    compared = compare(variants, ())
    assert compared["titles"] == {"model.tokens": "tokens", "a.size": "a.size", "b.size": "b.size"}
    assert [row_text(row, compared["titles"]) for row in compared["rows"]] == [
        "tokens none, a.size 2, b.size yes",
        "tokens x, a.size 1, b.size no",
    ]
    assert label_text([1, "a"]) == "1, a"


def test_learning_curves_are_averaged_where_there_is_a_value() -> None:
    one = [
        {"epoch": 1, "loss": 2.0, "val_loss": None, "by": "a"},
        {"epoch": 2, "loss": 1.0, "val_loss": 1.0, "by": "a"},
    ]
    other = [{"epoch": 1, "loss": 4.0, "val_loss": 0.5, "by": "b"}]
    unknown = {"accuracy": None, "val_accuracy": None}
    assert mean_history([one, other]) == [{"epoch": 1, "loss": 3.0, "val_loss": 0.5} | unknown]
    assert [epoch["loss"] for epoch in mean_history([one])] == [2.0, 1.0]
    assert mean_history([[], one]) == []


def test_intervals_are_over_groups_where_clips_come_in_groups() -> None:
    """Clips that are copies of each other say nothing new: the intervals are those of a sixth of the clips."""
    wrong, better = ({i for i in range(len(IDS)) if (i // 6) % 3 == k} for k in (0, 1))
    groups = {clip_id: f"recording {i // 6}" for i, clip_id in enumerate(IDS)}
    alone = [result({"fold": k // 2, "width": k % 2}, [wrong, better][k % 2], range(k // 2, 60, 2)) for k in range(4)]
    rows = compare(alone, ["fold"])["rows"]
    grouped = compare([variant._replace(groups=groups) for variant in alone], ["fold"])["rows"]
    for row, own in zip(grouped, rows, strict=True):
        assert row["metrics"]["groups"] == 10 and row["metrics"]["top1"] == own["metrics"]["top1"]
        width, before = (float(np.diff(one["metrics"]["top1_interval"])[0]) for one in (row, own))
        assert width > 1.8 * before
    (difference,) = [row["difference"] for row in grouped if row["difference"]]
    (before,) = [row["difference"] for row in rows if row["difference"]]
    assert difference["mean"] == pytest.approx(before["mean"])
    assert np.diff(difference["interval"]) > 1.8 * np.diff(before["interval"])
