"""Draws a comparison: accuracy over a numeric axis, as in the paper's ablations, or row by row."""

import io
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.report.comparison import Row, label_text, row_text

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "comparison",  # the same bytes for the same rows
    "text.parse_math": False,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e2e3e6",
    "axes.axisbelow": True,
}
WIDTH, HEIGHT = 6.0, 3.4
"""Inches of a chart with lines."""
ROW_HEIGHT = 0.32
"""Inches per row, in a chart drawn row by row."""
DOT: dict[str, Any] = {"s": 11, "facecolors": "white", "linewidths": 0.9, "zorder": 3}
"""A single repetition."""
DODGE = 0.012
"""Distance between points of different lines, as a share of the axis, so that error bars do not overlap."""


def draw_comparison(comparison: dict[str, Any]) -> bytes:
    """The rows of ``comparison.compare`` as an SVG image: accuracy in percent with the 95 % interval over clips, and
    single repetitions as hollow dots.

    With one or two axes, one of them numeric, accuracy is drawn over the numeric axis, with one line for each label of
    the other. Everything else is drawn row by row.
    """
    rows, axes, titles = comparison["rows"], comparison["axes"], comparison["titles"]
    over = next((axis for axis in axes if _is_numeric(rows, axis)), None) if len(axes) <= 2 else None
    with matplotlib.rc_context(STYLE):
        figure = Figure((WIDTH, HEIGHT if over else 1.0 + ROW_HEIGHT * len(rows)), layout="constrained")
        chart = figure.subplots()
        if over:
            other = next((axis for axis in axes if axis != over), None)
            _lines(chart, rows, over, other, titles)
        else:
            _rows(chart, rows, titles)
        return svg(figure)


def svg(figure: Figure) -> bytes:
    """The figure as an SVG image; the same bytes for the same drawing, if the style sets a ``svg.hashsalt``."""
    image = io.BytesIO()
    figure.savefig(image, format="svg", metadata={"Date": None})
    return image.getvalue()


def _is_numeric(rows: list[Row], axis: str) -> bool:
    return all(type(row["labels"][axis]) in (int, float) for row in rows)


def _lines(chart: Axes, rows: list[Row], over: str, other: str | None, titles: dict[str, str]) -> None:
    series: dict[str, list[Row]] = {}
    for row in rows:
        series.setdefault(label_text(row["labels"][other]) if other else "", []).append(row)
    places = sorted({row["labels"][over] for row in rows})
    step = DODGE * (places[-1] - places[0])
    for i, (name, line) in enumerate(series.items()):
        line = sorted(line, key=lambda row: row["labels"][over])
        x = np.array([row["labels"][over] for row in line]) + (i - (len(series) - 1) / 2) * step
        color = _color(i, len(series))
        mean, errors = _accuracies(line)
        chart.errorbar(x, mean, errors, label=name, color=color, marker="o", markersize=4.5, capsize=3, linewidth=1.4)
        for place, row in zip(x, line, strict=True):
            chart.scatter(*np.broadcast_arrays(place, _repeats(row)), **DOT, edgecolors=color)
    chart.set_xticks(places)
    chart.set_xlabel(titles[over])
    chart.set_ylabel("top-1 (%)")
    if other:
        chart.legend(title=titles[other], frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _rows(chart: Axes, rows: list[Row], titles: dict[str, str]) -> None:
    mean, errors = _accuracies(rows)
    y = np.arange(len(rows))
    chart.errorbar(mean, y, xerr=errors, fmt="o", color=_color(0, 1), markersize=5.5, capsize=3, linewidth=1.4)
    for place, row in zip(y, rows, strict=True):
        chart.scatter(*np.broadcast_arrays(_repeats(row), place), **DOT, edgecolors=_color(0, 1))
    chart.set_yticks(y, [row_text(row, titles) for row in rows])
    chart.set_ylim(len(rows) - 0.4, -0.6)
    chart.set_xlabel("top-1 (%)")


def _accuracies(rows: list[Row]) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy of each row in percent, and the extent of the interval below and above."""
    mean = 100 * np.array([row["metrics"]["top1"] for row in rows])
    low, high = 100 * np.array([row["metrics"]["top1_interval"] for row in rows]).T
    return mean, np.maximum([mean - low, high - mean], 0)


def _repeats(row: Row) -> np.ndarray:
    """Accuracy of each repetition in percent, if there are several."""
    return 100 * np.array(row["accuracies"] if row["repeats"] > 1 else [])


def _color(i: int, count: int) -> Any:
    return matplotlib.colormaps["viridis"](0.25 if count == 1 else 0.1 + 0.75 * i / (count - 1))
