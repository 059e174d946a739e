"""The comparison as CSV and Markdown."""

import csv
import io
from typing import Any

from stages.report.comparison_table import csv_text, difference_text, headline, markdown_text


def row(labels: dict[str, Any], top1: float, **change: Any) -> dict[str, Any]:
    metrics = {
        "top1": top1, "top1_interval": [top1 - 0.05, top1 + 0.04], "top5": 1.0, "mean_class": top1, "clips": 60,
        "failed": 0, "classes": ["hug", "kick"],
    }  # fmt: skip
    return {"labels": labels, "metrics": metrics, "repeats": 1, "folds": 1, "sd": None, "difference": None} | change


def comparison(*rows: dict[str, Any]) -> dict[str, Any]:
    axes = list(rows[0]["labels"])
    return {"axes": axes, "pool": [], "titles": {axis: axis.upper() for axis in axes}, "rows": rows, "best": 0}


def test_markdown_has_what_there_is_to_say() -> None:
    difference = {"mean": -0.032, "interval": [-0.061, 0.0004]}
    text = markdown_text(
        comparison(
            row({"a": "x|y"}, 0.9, repeats=3, sd=0.012, folds=10),
            row({"a": None}, 0.868, repeats=3, sd=0.0, folds=10, difference=difference),
        )
    )
    assert text.splitlines()[:4] == [
        "| A | top-1 (%) | SD | 95 % interval | mean class (%) | difference to the best top-1 |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| x\\|y | **90.0** | 1.2 | 85.0–94.0 | 90.0 |  |",
        "| none | 86.8 | 0.0 | 81.8–90.8 | 86.8 | −3.2 (−6.1 to 0.0) |",
    ]
    assert "60 test clips of 10 folds, mean of 3 repetitions" in text and "paired bootstrap" in text


def test_markdown_leaves_out_what_was_not_done() -> None:
    text = markdown_text(comparison(row({}, 0.5)))
    assert text.splitlines()[0] == "| variants | top-1 (%) | 95 % interval | mean class (%) |"
    assert text.splitlines()[2] == "| all | **50.0** | 45.0–54.0 | 50.0 |"
    assert text.splitlines()[-1] == "60 test clips; Wilson’s 95 % interval over the clips."


def test_csv_has_full_figures_and_empty_cells_for_what_is_not_known() -> None:
    text = csv_text(comparison(row({"a": "x, y"}, 1 / 3), row({"a": [1]}, 0.5, sd=0.25, repeats=2)), [1200, None])
    first, second = csv.DictReader(io.StringIO(text))
    assert (first["A"], float(first["top1"]), first["top1_sd"], first["parameters"]) == ("x, y", 1 / 3, "", "1200")
    assert (second["A"], second["top1_sd"], second["repetitions"], second["parameters"]) == ("1", "0.25", "2", "")


def test_signs_of_differences() -> None:
    assert difference_text(row({}, 0.5, difference={"mean": 0.1, "interval": [0.0, 0.2]})) == "+10.0 (0.0 to +20.0)"
    assert difference_text(row({}, 0.5)) == ""


def test_an_axis_may_be_called_like_a_figure() -> None:
    rows = comparison(row({"clips": "few"}, 0.5), row({"clips": "many"}, 0.6)) | {"titles": {"clips": "clips"}}
    lines = list(csv.DictReader(io.StringIO(csv_text(rows, [None, None]))))
    assert [(line["clips (axis)"], line["clips"]) for line in lines] == [("few", "60"), ("many", "60")]


def test_the_best_row_is_that_of_the_figure_that_comes_first() -> None:
    rows = comparison(row({"a": "frequent"}, 0.9), row({"a": "fair"}, 0.8))
    rows["rows"][0]["metrics"]["mean_class"] = 0.3
    assert headline(rows).startswith("best of 2, frequent: top-1 90.0 %")
    assert headline(rows, "mean_class").startswith("best of 2, fair: mean class 80.0 %")
