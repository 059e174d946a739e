"""Pretrained: a saved model instead of a training."""

from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from pipeline.errors import ManifestError, StageError
from pipeline.stage import KnownFile, WholeStage, unkeyed
from pipeline.stage_inputs import StageContext, VariantInputs
from recognizer.config_file import CONFIG_FILE, WEIGHTS_FILE, read_config
from recognizer.skeletons import Layout, layout
from stages.local_files import as_known, errors_name_urls
from stages.places import url_of
from stages.tables import MODELS
from stages.train.start import model_at


class Pretrained(WholeStage):
    """Loads a saved recognizer for prediction."""

    key_name: ClassVar[str | None] = "stages.pretrained:Pretrained"
    version: ClassVar[int] = 1
    makes = MODELS

    path: Path = unkeyed(...)
    """Folder or URL with ``model.safetensors`` and ``config.json``, such as ``runs/NAME/model``. Results depend on the
    files' content, not on where they are."""

    def files(self) -> tuple[Path | KnownFile, ...]:
        return tuple(map(as_known, self._files()))

    def _files(self) -> tuple[Path, Path]:
        url = url_of(self.path)
        folder = self.path if url is None else model_at(url, "path")
        if folder is None:
            raise ManifestError(f"path: {url} holds no trained model ({CONFIG_FILE} and {WEIGHTS_FILE})")
        return folder / CONFIG_FILE, folder / WEIGHTS_FILE

    def layout(self) -> Layout | None:
        """The joint layout of the skeletons that the model was trained on; None if it sees none, or is damaged."""
        try:
            config = read_config(self._files()[0].read_bytes())
        except (OSError, ValueError):
            return None  # loading the model will say what is wrong
        return layout(config.layout) if config.uses_pose else None

    def run(self, variants: list[VariantInputs], context: StageContext) -> pa.Table:
        with errors_name_urls():
            return self._loaded()

    def _loaded(self) -> pa.Table:
        from recognizer.model import Recognizer

        try:
            config, weights = (file.read_bytes() for file in self._files())
            Recognizer.deserialize(config.decode(), weights)
        except OSError as error:
            raise StageError(f"no saved recognizer in {self.path}: {error.filename}: {error.strerror}") from error
        except ValueError as error:
            raise StageError(f"the model in {self.path} does not load: {error}") from error
        return pa.Table.from_pylist(
            [{"config": config.decode(), "weights": weights, "history": "[]"}], schema=self.makes.schema
        )
