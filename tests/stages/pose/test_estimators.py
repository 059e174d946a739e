"""What estimators say of themselves, ours and a user's own."""

from pathlib import Path

import pytest

from pipeline.errors import StageError
from stages.pose.detectors import DETECTORS, Detector, declared_detector
from stages.pose.estimators import ESTIMATORS, TopDownEstimator, WholeImageEstimator, find_estimator

PARAMETERS = {"weights", "input_size", "layout", "detector", "detector_weights", "detect_every", "flip_test"}


@pytest.mark.parametrize("name", [*ESTIMATORS, "own_estimators:RedDot", "own_estimators:RedDotWithBody"])
def test_every_estimator_is_found_and_its_declaration_fits(name: str) -> None:
    cls = find_estimator(name)
    assert cls.takes <= PARAMETERS
    assert ("detector" in cls.takes) == issubclass(cls, TopDownEstimator) != issubclass(cls, WholeImageEstimator)
    assert "input_size" in cls.takes or not cls.input_sizes


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_is_found(name: str) -> None:
    assert issubclass(declared_detector(name), Detector)
    assert not declared_detector(name).__abstractmethods__


def test_a_class_of_another_kind_is_refused() -> None:
    with pytest.raises(StageError, match="own_estimators:NoEstimator is not a pose estimator: derive it from"):
        find_estimator("own_estimators:NoEstimator")


def test_what_a_class_lacks_is_named_before_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "unfinished.py").write_text(
        "from stages.pose.estimators import WholeImageEstimator\nclass Own(WholeImageEstimator):\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(StageError, match="unfinished:Own lacks people, layout"):
        find_estimator("unfinished:Own")
