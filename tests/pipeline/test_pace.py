"""The estimate of how much longer a stage takes."""

from typing import Any

from pipeline.pace import Pace


def progress(time: float, done: float, **figures: Any) -> dict[str, Any]:
    return {"event": "progress", "time": time, "done": done, "total": 100, "figures": figures}


def test_the_time_left_is_that_of_the_mean_rate() -> None:
    pace = Pace()
    assert pace.text(progress(10, 20, epoch=1)) == "20 of 100, epoch 1"
    assert pace.text(progress(40, 30, epoch=1)) == "30 of 100, epoch 1, 3 min 30 s left"
    assert pace.text(progress(250, 100)) == "100 of 100"


def test_starting_again_counts_anew() -> None:
    pace = Pace()
    pace.text(progress(0, 60))
    pace.text(progress(90, 90))
    assert pace.text(progress(1000, 50)) == "50 of 100"
    assert pace.text(progress(1010, 60)) == "60 of 100, 40.0 s left"
