"""A recognizer as two files, config.json and model.safetensors, in a folder or on the Hugging Face hub."""

import os
from pathlib import Path
from typing import Self

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

from recognizer.config import RecognizerConfig
from recognizer.config_file import CONFIG_FILE, WEIGHTS_FILE, read_config


class Savable(nn.Module):
    """A network that is built from its configuration alone, saved and loaded."""

    def __init__(self, config: RecognizerConfig) -> None:
        super().__init__()
        self.config = config

    def serialize(self) -> tuple[str, bytes]:
        """Return the text of config.json and the bytes of model.safetensors; equal weights give equal bytes."""
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(self.state_dict().items())}
        return self.config.model_dump_json(indent=2), safetensors.torch.save(weights)

    @classmethod
    def deserialize(cls, config_json: str, weights: bytes) -> Self:
        """Return the recognizer that ``serialize`` was called on, on the CPU and in evaluation mode.

        Raises ValueError if either is damaged or the two do not belong together.
        """
        config = read_config(config_json)
        try:
            tensors = safetensors.torch.load(weights)
            with torch.device("meta"):  # a damaged configuration may ask for more memory than there is
                cls(config).load_state_dict(tensors, assign=True)
            recognizer = cls(config)
            recognizer.load_state_dict(tensors)
        except SafetensorError as error:
            raise ValueError(f"{WEIGHTS_FILE} is damaged or not a safetensors file: {error}") from error
        except RuntimeError as error:
            raise ValueError(f"{WEIGHTS_FILE} does not belong to this {CONFIG_FILE}: {error}") from error
        return recognizer.eval()

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json and model.safetensors into a folder, each completely or not at all."""
        config_json, weights = self.serialize()
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in ((WEIGHTS_FILE, weights), (CONFIG_FILE, config_json.encode())):
            partial = folder / f".{name}.{os.getpid()}"
            partial.write_bytes(content)
            partial.replace(folder / name)

    @classmethod
    def from_pretrained(cls, source: str | Path) -> Self:
        """Return the recognizer saved in a folder or in a repository of the Hugging Face hub (``owner/name``).

        Raises FileNotFoundError if there is none, and ValueError, which names the source, if the files are damaged.
        """
        paths = [Path(source) / name for name in (CONFIG_FILE, WEIGHTS_FILE)]
        if not Path(source).is_dir():
            paths = [_download(str(source), path.name) for path in paths]
        for path in paths:
            if not path.is_file():
                raise FileNotFoundError(
                    f"{path.parent} holds no {path.name}: it is not the folder of a saved recognizer"
                )
        try:
            return cls.deserialize(paths[0].read_text(encoding="utf-8"), paths[1].read_bytes())
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from error


def _download(repository: str, name: str) -> Path:
    """The path of a hub repository's file in the local cache."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(repository, name))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise FileNotFoundError(
            f"{repository} is not a folder, and {name} cannot be downloaded from a hub repository of that name: {error}"
        ) from error
