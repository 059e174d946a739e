"""Networks of Hugging Face transformers, from a safetensors file and the config.json beside it.

Such files may come from anybody. Nothing in them is executed, no other model is looked up, and they cannot make the
library build more than the file has weights for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import StageError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"

_MOST_BYTES = 1_000_000
_HIGHEST = 10_000
"""No network has so many layers, channels, categories or pixels of a side."""
_FOREIGN = {"auto_map", "trust_remote_code", "fusion_config", "quantization_config"}
"""Settings that name code to load, as those with _implementation in their names do (kernels that are downloaded)."""


def check_package(parameter: str) -> None:
    """Raise StageError unless transformers is installed. parameter: what needs it, for the error text."""
    try:
        import transformers
    except ImportError as error:
        raise StageError(
            f"{parameter} needs transformers, which is not installed: pip install 'action-pipeline[transformers]'"
        ) from error
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()


def beside(weights: Path | None, *names: str) -> list[Path]:
    """The files of these names in the folder of ``weights``, as far as they are there."""
    return [path for name in names if weights is not None and (path := weights.with_name(name)).is_file()]


def json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises StageError if it is none, or asks for more than it may."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise StageError(f"{path} is too large for a file of settings")
        found = json.loads(path.read_bytes())
        pairs = list(_pairs("", found))
    except FileNotFoundError as error:
        raise StageError(f"{path} not found: it belongs to the weights in that folder, copy it there") from error
    except (OSError, ValueError, RecursionError) as error:
        raise StageError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise StageError(f"{path} is not a JSON object")
    for name, value in pairs:
        if (name in _FOREIGN and value) or ("_implementation" in name and isinstance(value, str)):
            raise StageError(f"{path} has {name}: code or kernels of other origin are never loaded")
        if name == "backbone" and isinstance(value, str):
            raise StageError(f"{path} only names its backbone, {value!r}, which would have to be looked up elsewhere")
        if isinstance(value, int | float) and not abs(value) <= _HIGHEST:
            raise StageError(f"{path}: {name} is {value}, more than any model has")
    return found


def _pairs(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """All values at any depth, each with the name that it or the list around it has."""
    yield name, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _pairs(key, item)
    elif isinstance(value, list):
        for item in value:
            yield from _pairs(name, item)


def load(
    network: type[PreTrainedModel],
    config_class: type[PreTrainedConfig],
    described: dict[str, Any],
    weights: Path,
    device: str,
) -> PreTrainedModel:
    """The network with all its weights, in float32. Raises StageError that names the file and what is wrong with it.

    described: its config.json.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(weights)
    except (SafetensorError, OSError) as error:
        raise StageError(f"{weights} is not a safetensors file, the only kind that is read: {error}") from error
    kind = described["model_type"]
    try:
        config = config_class.from_dict(described)
        with torch.device("meta"):  # takes no memory
            wanted = sum(parameter.numel() for parameter in network(config).parameters())
        if wanted > sum(tensor.numel() for tensor in state.values()):
            raise ValueError(f"it holds fewer weights than the {wanted:,} of that network")
        model, found = network.from_pretrained(
            None, config=config, state_dict=state, dtype=torch.float32, output_loading_info=True
        )
        if missing := sorted(found["missing_keys"]):
            raise ValueError(f"it lacks {', '.join(missing[:3])}")
    except Exception as error:
        raise StageError(f"{weights} does not fit the {kind} that is described: {error}") from error
    return model.to(device)
