"""How a trained model is used on videos, and the run that it comes from, if it still lies there."""

from pathlib import Path

from pipeline.errors import ManifestError
from pipeline.exports import is_outdated
from pipeline.runs import MANIFEST
from stages.commands.trained_run import MODEL
from stages.train.usage import Usage


def run_of(folder: Path) -> tuple[Path, str] | None:
    """The run that a model's folder is in, and the variant ("" if there are none); None if it is in no run."""
    parent = folder.absolute().parent
    run, variant = (parent.parents[1], parent.name) if parent.parent.name == "variants" else (parent, "")
    return (run, variant) if folder.name == MODEL and (run / MANIFEST).is_file() else None


def usage_in(folder: Path) -> Usage:
    """How the model is used on videos. Raises ManifestError if that is not known, or not true any more."""
    try:
        usage = Usage.read(folder)
    except FileNotFoundError:
        raise ManifestError(
            f"{folder}: has no recognition.json, which says how the model is used on videos: its manifest has no stage "
            "that predicts, or an older version trained it: running the manifest again adds it, without training"
        ) from None
    except (OSError, ValueError) as error:
        raise ManifestError(str(error)) from None
    if found := run_of(folder):
        run, variant = found
        if is_outdated(run, f"{usage.model}[{variant}]" if variant else usage.model):
            raise ManifestError(f"{folder}: the run has been changed since this model was trained; finish it first")
    return usage
