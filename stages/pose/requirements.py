"""What the models of a pose stage need from elsewhere, looked for before anything is decoded."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import StageError
from pipeline.stage import Problem
from stages.plugins import load_class
from stages.pose.detectors import DETECTORS, Detector, declared_detector
from stages.pose.estimators import Estimator, Size, TopDownEstimator, find_estimator
from stages.pose.zoo import Published, fetch, is_here, unavailable, why_unreachable


def missing_weights(
    estimator: str, weights: Path | None, input_size: Size | None, detector: str, detector_weights: Path | None
) -> Iterator[tuple[str, Published]]:
    """The weights that have to be downloaded, each with the parameter that takes a local path instead."""
    cls = find_estimator(estimator)
    wanted = [("weights", weights, cls.published(input_size))]
    if issubclass(cls, TopDownEstimator):
        wanted.append(("detector_weights", detector_weights, declared_detector(detector).published()))
    for option, given, published in wanted:
        if given is None and published is not None and not is_here(published):
            yield option, published


def get(missing: Iterator[tuple[str, Published]]) -> Iterator[Problem]:
    """Download what is missing, and say what cannot be had."""
    for option, published in missing:
        try:
            fetch(published, option)
        except StageError as error:
            yield Problem(str(error))


def look_for(missing: Iterator[tuple[str, Published]]) -> Iterator[Problem]:
    """Say what a run would download, and whether it could."""
    for option, published in missing:
        if reason := why_unreachable(published):
            yield Problem(unavailable(published, option, reason))
        else:
            urls = " and ".join(file.url for file in published.files)
            yield Problem(f"{published.megabytes:.0f} MB will be downloaded: {urls}", fatal=False)


def check_device(device: str, estimator: str, detector: str) -> Iterator[Problem]:
    """A model that cannot use the GPU that ``device: cuda`` asks for."""
    cls = find_estimator(estimator)
    models: list[type[Estimator] | type[Detector]] = [cls]
    if issubclass(cls, TopDownEstimator):
        models.append(declared_detector(detector))
    if device == "cuda":
        yield from (Problem(reason) for reason in dict.fromkeys(model.why_no_gpu for model in models) if reason)


def check_detector(detector: str) -> Iterator[Problem]:
    """A user's own detector has to import here as it will in the workers."""
    if detector not in DETECTORS:
        try:
            load_class(detector, "detector")
        except StageError as error:
            yield Problem(str(error))
