"""Values as people read them."""

import pytest

from pipeline.texts import byte_size, count, duration, figures_text, sanitize


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.6, "1 h 00 min"),
        (4800, "1 h 20 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (12_345, "12.3 kB"), (114e6, "114.0 MB"), (2e12, "2.0 TB")]
)
def test_byte_sizes(size: float, text: str) -> None:
    assert byte_size(size) == text


def test_counts_and_figures() -> None:
    assert (count(1, "clip"), count(2000, "clip")) == ("1 clip", "2,000 clips")
    assert figures_text({"epoch": 3, "loss": 1.23456}) == "epoch 3, loss 1.235"


def test_names_of_files_cannot_control_the_terminal() -> None:
    assert sanitize("a\x1b[31m\nb\u202e") == "a\\x1b[31m\nb\\u202e"
