"""Line charts as coordinates: where the axes' ticks stand and where a curve runs. The page turns them into SVG."""

import math
from itertools import groupby
from typing import Any, NamedTuple

WIDTH, HEIGHT = 480, 250
LEFT, RIGHT, TOP, BOTTOM = 50, 54, 12, 38
"""Pixels of the chart around its axes; the right margin holds the curves' last values."""


class Tick(NamedTuple):
    at: float
    """Pixels: x of a tick of the epochs, y of one of the values."""
    text: str


class Curve(NamedTuple):
    name: str
    path: str
    """SVG path, interrupted where a value is missing."""
    x: float
    """The last point."""
    y: float
    text: str
    text_y: float


class Chart(NamedTuple):
    title: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    curves: list[Curve]


def learning_charts(history: list[dict[str, Any]]) -> list[Chart]:
    """Loss and accuracy over the epochs, in training and, where it was measured, in validation."""
    charts = []
    for title, column, percent in (("Loss", "loss", False), ("Accuracy", "accuracy", True)):
        series = {
            name: [(int(epoch["epoch"]), _number(epoch.get(key))) for epoch in history]
            for name, key in (("training", column), ("validation", f"val_{column}"))
        }
        shown = {name: points for name, points in series.items() if any(value is not None for _, value in points)}
        if shown:
            charts.append(_chart(title, shown, percent))
    return charts


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _chart(title: str, series: dict[str, list[tuple[int, float | None]]], percent: bool) -> Chart:
    epochs = [epoch for points in series.values() for epoch, _ in points]
    values = [value for points in series.values() for _, value in points if value is not None]
    low, high = (0.0, 1.0) if percent else (min(0.0, *values), max(values))
    first, last = min(epochs), max(epochs)
    y_values = _ticks(low, high, 5)
    low, high = y_values[0], max(y_values[-1], y_values[0] + 1e-9)

    def x_of(epoch: float) -> float:
        share = (epoch - first) / (last - first) if last > first else 0.5
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y_of(value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)

    def text_of(value: float) -> str:
        return f"{value:.0%}" if percent else f"{value:.3g}"

    curves = []
    for name, points in series.items():
        known = [(x_of(epoch), y_of(value), value) for epoch, value in points if value is not None]
        x, y, value = known[-1]
        pieces = [list(piece) for present, piece in groupby(points, lambda point: point[1] is not None) if present]
        path = " ".join(
            "M" + " L".join(f"{x_of(epoch)} {y_of(value)}" for epoch, value in piece if value is not None)
            for piece in pieces
        )
        curves.append(Curve(name, path, x, y, text_of(value), y))
    return Chart(
        title,
        [
            Tick(x_of(epoch), f"{epoch:g}")
            for epoch in _ticks(first, last, 6)
            if first <= epoch <= last and epoch % 1 == 0
        ],
        [Tick(y_of(value), text_of(value)) for value in y_values],
        _apart(curves),
    )


def _apart(curves: list[Curve], gap: float = 14) -> list[Curve]:
    """Move the last values' texts apart where they would cover each other."""
    moved: list[Curve] = []
    for curve in sorted(curves, key=lambda curve: curve.y):
        lowest = moved[-1].text_y + gap if moved else -math.inf
        moved.append(curve._replace(text_y=max(curve.y, lowest)))
    return sorted(moved, key=lambda curve: curves.index(curve._replace(text_y=curve.y)))


def _ticks(low: float, high: float, count: int) -> list[float]:
    """About ``count`` round numbers from ``low`` to ``high``, in steps of 1, 2 or 5 times a power of ten."""
    if high <= low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= rough)
    return [round(i * step, 10) for i in range(math.ceil(low / step), math.ceil(high / step) + 1)]
