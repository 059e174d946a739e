"""The models that the pose stage knows by name: what each costs, and whether its published weights are here."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import ManifestError
from pipeline.registry import did_you_mean
from stages.pose.detectors import DETECTORS, Detector, declared_detector
from stages.pose.estimators import ESTIMATORS, Estimator, TopDownEstimator, find_estimator
from stages.pose.zoo import Published, copy, fetch, is_here

HEAD = ("model", "kind", "size", "license", "published accuracy", "CPU time", "weights")


class Model(NamedTuple):
    """An estimator or a detector of the package."""

    name: str
    cls: type[Estimator] | type[Detector]

    @property
    def kind(self) -> str:
        return "estimator" if issubclass(self.cls, Estimator) else "detector"

    @property
    def published(self) -> Published | None:
        """The weights that it downloads if the manifest says nothing else."""
        if issubclass(self.cls, Estimator):
            return self.cls.published(next(iter(self.cls.input_sizes), None))
        return self.cls.published()

    @property
    def row(self) -> Sequence[str]:
        """What ``HEAD`` says."""
        card, published = self.cls.card, self.published
        takes_weights = "weights" in self.cls.takes if issubclass(self.cls, Estimator) else self.cls.takes_weights
        if published:
            size, weights = f"{published.megabytes:g} MB", "downloaded" if is_here(published) else "not here"
        else:
            size, weights = "", "your file" if takes_weights else "none needed"
        if card is None:
            return self.name, self.kind, size, "", "", "", weights
        per = "person" if issubclass(self.cls, TopDownEstimator) else "frame"
        time = "not measured" if card.milliseconds is None else f"{card.milliseconds:g} ms a {per}"
        return self.name, self.kind, size, card.license, card.accuracy, time, weights


def models() -> Iterator[Model]:
    """All of them, estimators first."""
    yield from (Model(name, find_estimator(name)) for name in ESTIMATORS)
    yield from (Model(name, declared_detector(name)) for name in DETECTORS)


def get(names: Sequence[str], folder: Path | None, source: Path | None) -> Iterator[Path]:
    """Bring the weights of these models to a folder, or to where the pose stage looks for them, and check them.

    source: a folder that has them; None: they are downloaded. Yields the files. Raises ManifestError for unknown names,
    before anything is fetched, and StageError for files that cannot be had or are not genuine; those of ``source``
    before anything is copied.
    """
    wanted = {name: _published(name) for name in names}
    if source:
        copy(wanted, source, folder)
    for published in wanted.values():
        if not source:
            fetch(published, "weights", folder)
        yield from (file.path if folder is None else folder / file.name for file in published.files)


def _published(name: str) -> Published:
    found = [model.published for model in models() if model.name == name]
    if not found:
        known = [model.name for model in models() if model.published]
        raise ManifestError(
            f"no model is called {name!r}{did_you_mean(name, known, most=0) or '.'} pipeline models lists them"
        )
    if found[0] is None:
        raise ManifestError(f"{name} has no weights to download")
    return found[0]
