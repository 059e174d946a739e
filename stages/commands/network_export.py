"""Writes the network of a model as a file for other software."""

from pathlib import Path

from pipeline.errors import ManifestError
from stages.commands.model_folder import model_folder

FORMATS = ("onnx", "torchscript", "torch-export")


def export_model(model: str, form: str, frames: str | None, out: Path | None) -> Path:
    """Write the network and return the file. model: see ``model_folder``. out: by default ``model`` in the current
    folder.

    frames: how many the file takes, or ``dynamic``; None: as many as in training.
    """
    from recognizer.export import FORMATS as EXTENSIONS
    from recognizer.export import export
    from recognizer.model import Recognizer

    if frames not in (None, "dynamic") and not (frames or "").isdecimal():
        raise ManifestError(f"--frames: a number or dynamic, not {frames!r}")
    folder = model_folder(model)
    try:
        recognizer = Recognizer.from_pretrained(folder)
        number = recognizer.config.frames if frames is None else None if frames == "dynamic" else int(frames)
        file = out or Path(f"model{EXTENSIONS[form]}")
        export(recognizer, file, form, number)
    except (ValueError, ImportError) as error:
        raise ManifestError(str(error)) from error
    except OSError as error:
        raise ManifestError(f"--out: {error.filename}: {error.strerror}") from error
    return file
