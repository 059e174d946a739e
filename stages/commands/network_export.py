"""Writes the network of a model as a file for other software."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.errors import ManifestError
from stages.commands.model_folder import model_folder

FORMATS = ("onnx", "torchscript", "torch-export")


def export_model(model: str, form: str, frames: str | None, out: Path | None) -> Path:
    """Write the network and return the file. model: see ``model_folder``. out: by default ``model`` in the current
    folder.

    frames: how many the file takes, or ``dynamic``; None: as many as in training. A file that is there already stays
    until the new one is whole. Raises ManifestError that says what is wrong.
    """
    from recognizer.export import FORMATS as EXTENSIONS
    from recognizer.export import export
    from recognizer.model import Recognizer

    if frames not in (None, "dynamic") and not (frames or "").isdecimal():
        raise ManifestError(f"--frames: a number or dynamic, not {frames!r}")
    folder = model_folder(model)
    try:
        recognizer = Recognizer.from_pretrained(folder)
    except ValueError as error:
        raise ManifestError(str(error)) from error
    number = recognizer.config.frames if frames is None else None if frames == "dynamic" else int(frames)
    file = out or Path(f"model{EXTENSIONS[form]}")
    try:
        with _replacing(file) as written:
            export(recognizer, written, form, number)
    except (ValueError, ImportError) as error:
        raise ManifestError(str(error)) from error
    except OSError as error:
        raise ManifestError(f"--out: {file} cannot be written: {error.strerror or error}") from error
    return file


@contextmanager
def _replacing(file: Path) -> Iterator[Path]:
    """Where to write a file that takes the place of this one, unless something is raised. Formats keep its name inside,
    so it has the same one in a folder beside. Creates missing folders."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".export-", dir=file.parent) as folder:
        yield Path(folder) / file.name
        (Path(folder) / file.name).replace(file)
