"""Charts of comparisons: what is drawn is looked up in matplotlib's own objects and in the image."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from stages.predict.intervals import wilson_interval
from stages.report.plot import draw_comparison


def comparison(*labels: dict[str, Any], repeats: int = 1) -> dict[str, Any]:
    rows = []
    for i, own in enumerate(labels):
        top1 = 0.5 + 0.04 * i
        metrics = {"top1": top1, "top1_interval": wilson_interval(50 * top1, 50)}
        accuracies = [top1 + 0.01 * (k - (repeats - 1) / 2) for k in range(repeats)]
        rows.append({"labels": own, "metrics": metrics, "repeats": repeats, "accuracies": accuracies})
    axes = list(labels[0])
    return {"axes": axes, "pool": [], "titles": {axis: axis for axis in axes}, "rows": rows, "best": len(rows) - 1}


def test_one_numeric_axis_is_a_line_with_error_bars(drawn: list[Figure]) -> None:
    draw_comparison(comparison({"frames": 16}, {"frames": 4}, {"frames": 8}))
    (chart,) = drawn[0].axes
    (container,) = chart.containers
    line, _, (bars,) = container
    assert list(line.get_xdata()) == [4, 8, 16] and list(line.get_ydata()) == pytest.approx([54, 58, 50])
    low, high = wilson_interval(25, 50)
    assert bars.get_segments()[2].tolist() == [pytest.approx([16, 100 * low]), pytest.approx([16, 100 * high])]
    assert list(chart.get_xticks()) == [4, 8, 16] and chart.get_xlabel() == "frames"


@pytest.mark.parametrize("second", [(1, 2), ("own", "shifted")])
def test_a_second_axis_is_a_line_for_each_of_its_labels(second: tuple[Any, Any], drawn: list[Figure]) -> None:
    one, other = second
    draw_comparison(comparison(*({"keys": k, "window": w} for k, w in ((one, 4), (one, 8), (other, 4))), repeats=3))
    (chart,) = drawn[0].axes
    over = "keys" if isinstance(one, int) else "window"
    assert chart.get_xlabel() == over
    assert [len(container[0].get_xdata()) for container in chart.containers] == [2, 1]
    legend = chart.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == (["4", "8"] if over == "keys" else ["own", "shifted"])
    dots = [len(points.get_offsets()) for points in chart.collections if len(points.get_offsets()) > 1]
    assert dots == [3, 3, 3], "one for each repetition"


def test_other_axes_are_drawn_row_by_row(drawn: list[Figure]) -> None:
    labels = [{"tokens": "none", "flip": True, "size": 3}, {"tokens": "cross", "flip": False, "size": 4}]
    draw_comparison(comparison(*labels))
    (chart,) = drawn[0].axes
    assert [tick.get_text() for tick in chart.get_yticklabels()] == [
        "tokens none, flip yes, size 3",
        "tokens cross, flip no, size 4",
    ]


def test_the_image_is_the_same_bytes_twice_and_hostile_names_are_drawn_as_they_are() -> None:
    hostile = comparison({"a": "$\\frac{"}, {"a": "</svg><script>"}, {"a": "x" * 30})
    first, second = draw_comparison(hostile), draw_comparison(hostile)
    assert first == second
    tags = {re.sub(r"\{.*\}", "", element.tag) for element in ElementTree.fromstring(first).iter()}
    assert "script" not in tags
