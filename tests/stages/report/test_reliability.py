"""The reliability chart: what is drawn is looked up in matplotlib's own objects and in the image."""

from typing import Any

import pytest
from matplotlib.figure import Figure

from stages.predict.evaluate import figures
from stages.report.comparison import VariantResult, compare
from stages.report.curves import THEMES
from stages.report.reliability import calibration_text, reliability_chart


def metrics(right: int, wrong: int, sure: float = 0.9) -> dict[str, Any]:
    """Of so many clips, all recognized as the first of two classes."""
    labels = ["a"] * right + ["b"] * wrong
    found = figures(["a", "b"], [f"{i}" for i in range(len(labels))], labels, [[sure, 1 - sure]] * len(labels))
    return found | {"failed": 0, "split": "test", "classes_without_clips": [], "classes_without_training_clips": []}


def test_a_dot_for_each_bin_at_its_score_and_accuracy(drawn: list[Figure]) -> None:
    mixed = figures(["a", "b"], list("vwxyz"), list("aaaab"), [[0.9, 0.1]] * 2 + [[0.6, 0.4]] * 3)
    chart = reliability_chart(mixed)
    assert chart is not None and set(chart.images) == set(THEMES)
    assert chart.text == "Clips recognized rightly, by their mean score: 67% of 3 with 0.60, 100% of 2 with 0.90"
    dots = drawn[0].axes[0].collections[1]
    assert dots.get_offsets().tolist() == [pytest.approx([0.6, 2 / 3]), pytest.approx([0.9, 1.0])]
    few, many = sorted(dots.get_sizes())
    assert few / many == pytest.approx(2 / 3)
    for name, theme in THEMES.items():
        assert theme.leading in chart.images[name].decode() and "#ffffff" not in chart.images[name].decode()
    assert reliability_chart(mixed) == chart, "the same bytes twice"


def test_an_evaluation_of_ones_own_has_no_chart() -> None:
    assert reliability_chart({"top1": 0.5}) is None


def test_clips_of_folds_and_seeds_are_counted_together() -> None:
    both = [metrics(6, 2), metrics(1, 7, sure=0.7)]
    results = [VariantResult({"fold": i}, own, frozenset(f"{i}"), {}) for i, own in enumerate(both)]
    pooled = compare(results, ["fold"])["rows"][0]["metrics"]
    assert {own["clips"] for own in pooled["reliability"]} == {0, 8}
    assert pooled["ece"] == pytest.approx((8 * (0.9 - 6 / 8) + 8 * (0.7 - 1 / 8)) / 16)
    without = [own._replace(metrics={k: v for k, v in own.metrics.items() if k != "reliability"}) for own in results]
    assert "ece" not in compare(without, ["fold"])["rows"][0]["metrics"]


def test_a_clip_that_was_tested_with_three_seeds_counts_once() -> None:
    clips = frozenset(map(str, range(8)))
    results = [VariantResult({"seed": seed}, metrics(6, 2), clips, {}) for seed in range(3)]
    pooled = compare(results, ["seed"])["rows"][0]["metrics"]
    assert {own["clips"] for own in pooled["reliability"]} == {0, 8}
    assert pooled["ece"] == pytest.approx(0.9 - 6 / 8)


def test_what_validation_clips_said() -> None:
    calibration = {"temperature": 0.5, "min_scores": {"0.8": 0.412, "0.9": 0.63}, "validation_clips": 40}
    own = {"config": {"width": 4} | calibration, "history": [{}, {"calibration": calibration | {"ece": [0.2, 0.05]}}]}
    assert calibration_text(metrics(3, 1), [own]) == (
        "The expected calibration error on the tested clips, in 15 bins, is 15.0%. The temperature is 0.50, chosen on "
        "40 validation clips, on which it took the error from 20.0% to 5.0%. Of these clips, so many are right from a "
        "score on: 80% from 0.41 on, 90% from 0.63 on."
    )
    loaded = own | {"history": []}
    assert "chosen on 40 validation clips. Of these" in calibration_text(metrics(3, 1), [loaded])
    other = {
        "config": calibration | {"temperature": 0.8, "validation_clips": 120},
        "history": [{"calibration": calibration | {"validation_clips": 120, "ece": [0.4, 0.01]}}],
    }
    text = calibration_text(metrics(3, 1), [own, other])
    assert "is 0.50 to 0.80, chosen on 160 validation clips, on which it took the error from 35.0% to 2.0%." in text
    assert "right from a score" not in text
    for nothing in ({"config": {"width": 4}, "history": [{}]}, {"config": None, "history": []}):
        assert calibration_text(metrics(3, 1), [nothing]).endswith("that takes at least 20 validation clips.")
