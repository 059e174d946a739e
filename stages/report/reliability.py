"""Draws what scores are worth: how many clips were recognized rightly, of those with about the same score."""

from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from stages.predict.intervals import wilson_interval
from stages.report.curves import LIGHT, STYLE, Chart, in_all_themes
from stages.report.plot import svg

SIDE = 3.0
"""Inches of the chart."""
LARGEST = 110
"""Area of the dot of the fullest bin, in square points."""


def reliability_chart(metrics: dict[str, Any]) -> Chart | None:
    """Accuracy over the mean score, a dot per bin with its 95 % interval; None if the metrics have no bins.

    Dots on the diagonal mean what they say; their area is the number of clips.
    """
    bins = [own for own in metrics.get("reliability", []) if own["clips"]]
    if not bins:
        return None
    dots = ", ".join(f"{own['accuracy']:.0%} of {own['clips']:,} with {own['score']:.2f}" for own in bins)
    text = f"Clips recognized rightly, by their mean score: {dots}"
    return Chart("Right, by score", text, in_all_themes(_draw(bins)))


def calibration_text(metrics: dict[str, Any], variants: Sequence[dict[str, Any]]) -> str:
    """The error on the tested clips, and what the validation clips of these variants said (``config``, ``history``)."""
    bins = len(metrics["reliability"])
    text = f"The expected calibration error on the tested clips, in {bins} bins, is {metrics['ece']:.1%}. "
    configs = [own["config"] for own in variants if (own["config"] or {}).get("validation_clips")]
    if not configs:
        return f"{text}Nothing was calibrated: that takes at least 20 validation clips."
    low, high = (pick(config["temperature"] for config in configs) for pick in (min, max))
    text += f"The temperature is {low:.2f}{f' to {high:.2f}' if high > low else ''}, chosen on "
    text += f"{sum(config['validation_clips'] for config in configs):,} validation clips"
    said = [
        own["history"][-1]["calibration"] for own in variants if own["history"] and "calibration" in own["history"][-1]
    ]
    if clips := sum(own["validation_clips"] for own in said):
        before, after = (sum(own["ece"][i] * own["validation_clips"] for own in said) / clips for i in (0, 1))
        text += f", on which it took the error from {before:.1%} to {after:.1%}"
    if len(configs) == 1 and (scores := configs[0]["min_scores"]):
        reached = ", ".join(f"{float(share):.0%} from {score:.2f} on" for share, score in scores.items())
        text += f". Of these clips, so many are right from a score on: {reached}"
    return f"{text}."


def _draw(bins: list[dict[str, Any]]) -> bytes:
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": "reliability"}):
        figure = Figure((SIDE + 2, SIDE), layout="constrained")
        chart = figure.subplots()
        chart.plot((0, 1), (0, 1), color=LIGHT.text, linestyle="--", linewidth=1.0)
        score = [own["score"] for own in bins]
        right = [own["accuracy"] for own in bins]
        bounds = [wilson_interval(own["accuracy"] * own["clips"], own["clips"]) for own in bins]
        chart.vlines(score, *zip(*bounds, strict=True), color=LIGHT.leading, linewidth=1.2, alpha=0.6)
        most = max(own["clips"] for own in bins)
        sizes = [max(LARGEST * own["clips"] / most, 8) for own in bins]
        chart.scatter(score, right, sizes, color=LIGHT.leading, zorder=3)
        chart.set_xlabel("score")
        chart.set_xlim(0, 1.02)
        chart.set_ylim(-0.02, 1.02)
        for axis in (chart.xaxis, chart.yaxis):
            axis.set_major_formatter(PercentFormatter(1, 0))
        return svg(figure)
