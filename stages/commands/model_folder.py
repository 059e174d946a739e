"""The folder of a trained model, from what people call it: a run, a variant of one, or the folder itself."""

from pathlib import Path

from pipeline.errors import ManifestError
from pipeline.exports import is_outdated
from pipeline.run import MANIFEST
from stages.commands.trained_run import MODEL, run_and_variant
from stages.train.usage import Usage

CONFIG = "config.json"


def model_folder(model: str) -> Path:
    """The folder with config.json and model.safetensors. Raises ManifestError."""
    path = Path(model)
    if (path / CONFIG).is_file():
        return path
    run, variant = run_and_variant(model)
    folder = (run / "variants" / variant if variant else run) / MODEL
    if not folder.is_dir():
        variants = sorted(found.parent for found in run.glob(f"variants/*/{MODEL}"))
        if variants and not variant:
            choices = ", ".join(map(str, variants))
            raise ManifestError(f"{run}: the run has several models; give one as --model: {choices}")
        raise ManifestError(f"{folder}: the run has no trained model yet; finish it first")
    return folder


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
