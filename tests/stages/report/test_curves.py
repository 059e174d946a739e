from typing import Any

from stages.report.curves import HEIGHT, WIDTH, learning_charts


def epoch(number: int, **values: Any) -> dict[str, Any]:
    return {"epoch": number, "loss": 1.0 / number, "accuracy": 0.5, "val_loss": None, "val_accuracy": None} | values


def test_curves_stay_inside_and_fall_with_the_loss() -> None:
    loss, accuracy = learning_charts([epoch(i) for i in range(1, 101)])
    assert [chart.title for chart in (loss, accuracy)] == ["Loss", "Accuracy"]
    points = [tuple(map(float, point.split())) for point in loss.curves[0].path.removeprefix("M").split(" L")]
    assert len(points) == 100
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    assert points == sorted(points), "later epochs lie further to the right, lower losses further down"
    assert accuracy.curves[0].text == "50%"
    assert [tick.text for tick in accuracy.y_ticks] == ["0%", "20%", "40%", "60%", "80%", "100%"]


def test_validation_is_drawn_where_it_was_measured() -> None:
    history = [epoch(1), epoch(2, val_loss=0.5), epoch(3), epoch(4, val_loss=0.4, val_accuracy=0.9)]
    loss, accuracy = learning_charts(history)
    assert [curve.name for curve in loss.curves] == ["training", "validation"]
    assert loss.curves[1].path.count("M") == 2, "interrupted where a value is missing"
    assert accuracy.curves[1].text == "90%"


def test_missing_and_extreme_values() -> None:
    assert learning_charts([]) == []
    assert learning_charts([epoch(1, loss=None, accuracy=float("nan"))]) == []
    (loss, _) = learning_charts([epoch(1, loss=0.0)])
    assert loss.curves[0].text == "0"
    (loss, _) = learning_charts([epoch(1, loss=-2.5), epoch(2, loss=1e6)])
    assert all(0 <= curve.y <= HEIGHT for curve in loss.curves)


def test_the_last_values_do_not_cover_each_other() -> None:
    (_, accuracy) = learning_charts([epoch(1), epoch(2, val_accuracy=0.5)])
    first, second = accuracy.curves
    assert first.y == second.y and abs(first.text_y - second.text_y) >= 12
