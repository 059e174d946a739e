"""How a trained model is used on videos, and the run that it comes from, if it still lies there."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import ManifestError
from pipeline.exports import is_outdated
from pipeline.registry import known_stages, load_stage
from pipeline.runs import MANIFEST
from pipeline.stage import MapStage
from stages.commands.trained_run import MODEL
from stages.plugins import CLASS
from stages.train.usage import Usage


def run_of(folder: Path) -> tuple[Path, str] | None:
    """The run that a model's folder is in, and the variant ("" if there are none); None if it is in no run."""
    parent = folder.absolute().parent
    run, variant = (parent.parents[1], parent.name) if parent.parent.name == "variants" else (parent, "")
    return (run, variant) if folder.name == MODEL and (run / MANIFEST).is_file() else None


def refuse_own_code(folder: Path, usage: Usage, settings: Sequence[str]) -> None:
    """Raise ManifestError for a model from elsewhere that would have code run which the package does not have.

    A model in its run's folder may name classes of the user's own, as the manifest did. Any other folder may come from
    anybody, and what it names could be anything that Python can import: the user has to name it too.

    settings: like ``pose.detector=my_module:MyDetector``.
    """
    if run_of(folder):
        return
    ours = {target.partition(".")[0] for target in known_stages().values()}
    for name, stage in usage.stages.items():
        if stage.uses.partition(":")[0].partition(".")[0] not in ours:
            raise ManifestError(
                f"{folder}: the stage {name} is code of somebody's own, {stage.uses}, which is run from the folder of "
                "the run that trained the model alone"
            )
        if not issubclass(load_stage(stage.uses), MapStage):  # others write files of their own
            raise ManifestError(f"{folder}: {stage.uses} is no stage between a video and what is predicted for it")
        for setting in _classes_in(name, stage.parameters):
            if setting not in settings:
                raise ManifestError(
                    f"{folder}: names code of somebody's own. If you know it, and trust who made the model, say so: "
                    f"--set {setting}"
                )


def _classes_in(place: str, value: Any) -> Iterator[str]:
    """What parameters name in the form ``module:Class``, as settings."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _classes_in(f"{place}.{name}", one)
    elif isinstance(value, list):
        for one in value:
            yield from _classes_in(place, one)
    elif isinstance(value, str) and CLASS.fullmatch(value):
        yield f"{place}={value}"


def usage_in(folder: Path) -> Usage:
    """How the model is used on videos. Raises ManifestError if that is not known."""
    try:
        return Usage.read(folder)
    except FileNotFoundError:
        raise ManifestError(
            f"{folder}: has no recognition.json, which says how the model is used on videos: its manifest has no stage "
            "that predicts, or an older version trained it: running the manifest again adds it, without training"
        ) from None
    except (OSError, ValueError) as error:
        raise ManifestError(str(error)) from None


def refuse_outdated(folder: Path) -> None:
    """Raise ManifestError for a model whose run has been changed since. Of a model that says nothing of its use on
    videos, this is not known."""
    if (found := run_of(folder)) is None:
        return
    try:
        model = Usage.read(folder).model
    except (OSError, ValueError):
        return
    run, variant = found
    if is_outdated(run, f"{model}[{variant}]" if variant else model):
        raise ManifestError(f"{folder}: the run has been changed since this model was trained; finish it first")
