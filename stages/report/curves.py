"""Draws learning curves: loss and accuracy over the epochs, in training and, where it was measured, in validation."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from stages.report.plot import svg

WIDTH, HEIGHT = 5.0, 2.6
"""Inches of a chart."""


class Theme(NamedTuple):
    """Colors of a chart, those of the page around it."""

    text: str
    grid: str
    leading: str
    """Of the curve that counts: validation, or training where nothing was validated."""


LIGHT = Theme("#5b6270", "#e2e3e6", "#1d6fd8")
THEMES = {"light": LIGHT, "dark": Theme("#9aa2b1", "#2b313b", "#5aa2ff")}
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "curves",  # the same bytes for the same curves
    "savefig.transparent": True,
    "svg.fonttype": "none",  # text stays text: smaller, and in the reader's font
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "ytick.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "grid.color": LIGHT.grid,
    **dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), LIGHT.text),
}


class Chart(NamedTuple):
    title: str
    text: str
    """What the chart shows, for readers who cannot see it."""
    images: dict[str, bytes]
    """An SVG image for each of THEMES, with a transparent background."""


def in_all_themes(light: bytes) -> dict[str, bytes]:
    """An SVG image in the light theme, and in the other ones: drawing it again would take as long again."""
    images = {}
    for name, theme in THEMES.items():
        images[name] = light
        for color, other in zip(LIGHT, theme, strict=True):
            images[name] = images[name].replace(color.encode(), other.encode())
    return images


def learning_charts(history: Sequence[dict[str, Any]]) -> list[Chart]:
    """A chart of the loss and one of the accuracy, as far as the history has their figures."""
    epochs = [int(epoch["epoch"]) for epoch in history]
    charts = []
    for title, column, form in (("Loss", "loss", "{:.3g}"), ("Accuracy", "accuracy", "{:.0%}")):
        curves: dict[str, list[float]] = {}
        for name, key in (("training", column), ("validation", f"val_{column}")):
            values = [_number(epoch.get(key)) for epoch in history]
            known = [value for value in values if not math.isnan(value)]
            if known:
                curves[f"{name} {form.format(known[-1])}"] = values
        if curves:
            text = f"{title} by epoch, last values: {', '.join(curves)}"
            charts.append(Chart(title, text, in_all_themes(_draw(epochs, curves, column == "accuracy"))))
    return charts


def _number(value: Any) -> float:
    """NaN, which interrupts a curve, for what is missing or infinite."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.nan


def _draw(epochs: list[int], curves: dict[str, list[float]], percent: bool) -> bytes:
    """``curves``: a value per epoch, by what the legend says."""
    with matplotlib.rc_context(STYLE):
        figure = Figure((WIDTH, HEIGHT), layout="constrained")
        chart = figure.subplots()
        for name, values in curves.items():
            leading = name == list(curves)[-1]
            last = max(i for i, value in enumerate(values) if not math.isnan(value))
            chart.plot(
                epochs, values, label=name, color=LIGHT.leading if leading else LIGHT.text,
                linestyle="-" if leading else "--", linewidth=1.6, marker="o", markersize=4.5, markevery=[last],
            )  # fmt: skip
        chart.set_xlabel("epoch")
        chart.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
        if percent:
            chart.set_ylim(-0.02, 1.02)
            chart.yaxis.set_major_formatter(PercentFormatter(1, 0))
        else:
            chart.set_ylim(bottom=min(0.0, chart.dataLim.y0))
        figure.legend(loc="outside upper right", ncols=2, labelcolor="linecolor")
        return svg(figure)
