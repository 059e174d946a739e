"""Learning curves: what is drawn is looked up in matplotlib's own objects and in the image."""

import math
from typing import Any
from xml.etree import ElementTree

from matplotlib.figure import Figure

from stages.report.curves import THEMES, Chart, learning_charts


def epoch(number: int, **values: Any) -> dict[str, Any]:
    return {"epoch": number, "loss": 1.0 / number, "accuracy": 0.5, "val_loss": None, "val_accuracy": None} | values


def texts(chart: Chart, theme: str) -> set[str]:
    return {"".join(element.itertext()).strip() for element in ElementTree.fromstring(chart.images[theme]).iter()}


def test_curves_run_over_all_epochs_in_both_themes(drawn: list[Figure]) -> None:
    charts = learning_charts([epoch(i) for i in range(1, 101)])
    assert [chart.title for chart in charts] == ["Loss", "Accuracy"]
    assert [chart.text for chart in charts] == [
        "Loss by epoch, last values: training 0.01",
        "Accuracy by epoch, last values: training 50%",
    ]
    (line,) = drawn[0].axes[0].get_lines()
    assert line.get_xydata().tolist() == [[i, 1.0 / i] for i in range(1, 101)]
    for chart in charts:
        assert set(chart.images) == set(THEMES)
        for name, theme in THEMES.items():
            image = chart.images[name].decode()
            assert all(color in image for color in theme) and "#ffffff" not in image
        assert not any(color in chart.images["dark"].decode() for color in THEMES["light"])
    assert {"0%", "100%", "epoch", "training 50%"} <= texts(charts[1], "light")


def test_validation_is_drawn_where_it_was_measured(drawn: list[Figure]) -> None:
    history = [epoch(1), epoch(2, val_loss=0.5), epoch(3), epoch(4, val_loss=0.4, val_accuracy=0.9), epoch(5)]
    loss, accuracy = learning_charts(history)
    assert loss.text == "Loss by epoch, last values: training 0.2, validation 0.4"
    training, validation = drawn[0].axes[0].get_lines()
    values = validation.get_ydata().tolist()
    assert [None if math.isnan(value) else value for value in values] == [None, 0.5, None, 0.4, None]
    assert validation.get_markevery() == [3], "the last value that is known"
    assert (training.get_color(), validation.get_color()) == (THEMES["light"].text, THEMES["light"].leading)
    assert "validation 90%" in texts(accuracy, "dark")


def test_missing_and_extreme_values(drawn: list[Figure]) -> None:
    assert learning_charts([]) == []
    assert learning_charts([epoch(1, loss=None, accuracy=float("nan"))]) == []
    (loss,) = learning_charts([epoch(1, loss=0.0, accuracy=None)])
    assert loss.text.endswith("training 0")
    assert "1" in texts(loss, "light"), "the only epoch is a tick"
    learning_charts([epoch(1, loss=-2.5, accuracy=None), epoch(2, loss=1e6, accuracy=None)])
    low, high = drawn[-1].axes[0].get_ylim()
    assert low == -2.5 and high > 1e6


def test_the_images_are_the_same_bytes_twice() -> None:
    history = [epoch(1), epoch(2)]
    assert learning_charts(history) == learning_charts(history)
