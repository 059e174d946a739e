"""What the models of a pose stage need from elsewhere, looked for before anything is decoded."""

from collections.abc import Iterator, Mapping
from glob import escape
from pathlib import Path

from pipeline.errors import ManifestError, StageError
from pipeline.stage import Problem
from stages.local_files import local_copy
from stages.places import url_of
from stages.plugins import load_class
from stages.pose.detectors import DETECTORS, declared_detector
from stages.pose.estimators import Size, TopDownEstimator, find_estimator
from stages.pose.zoo import Published, fetch, is_here, unavailable, why_unreachable

CONFIGS = ("config.json", "preprocessor_config.json")
"""What lies beside weights for Hugging Face's transformers."""


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


def here(weights: Path, option: str) -> Path:
    """A file of weights or, if it is at a URL, its copy, with those of the files beside it that belong to it. Raises
    ManifestError."""
    url = url_of(weights)
    if url is None:
        return weights
    stem, name = escape(weights.stem), escape(weights.name)
    return local_copy(url, option, f"{stem}.bin", f"{stem}.json", f"{name}.data", f"{name}_data", *CONFIGS)


def out_of_reach(given: Mapping[str, Path | None]) -> Iterator[Problem]:
    """Weights at URLs that this machine cannot read. given: the file by parameter."""
    for option, weights in given.items():
        try:
            if weights is not None:
                here(weights, option)
        except ManifestError as error:
            yield Problem(str(error))


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


def why_no_gpu(
    estimator: str, weights: Path | None, detector: str, detector_weights: Path | None
) -> Iterator[str | None]:
    """For each model that would run on a GPU: why it cannot do so here, or None."""
    cls = find_estimator(estimator)
    if cls.uses_gpu:
        yield cls.why_no_gpu(weights)
    if issubclass(cls, TopDownEstimator) and (found := declared_detector(detector)).uses_gpu:
        yield found.why_no_gpu(detector_weights)


def check_detector(detector: str) -> Iterator[Problem]:
    """A user's own detector has to import here as it will in the workers."""
    if detector not in DETECTORS:
        try:
            load_class(detector, "detector")
        except StageError as error:
            yield Problem(str(error))
