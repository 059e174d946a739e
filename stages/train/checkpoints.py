"""Checkpoint files: tensors and progress in one safetensors file, so that they always belong together."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from pipeline.errors import StageError
from pipeline.files import replace_file

Tensors = dict[str, torch.Tensor]


def save_checkpoint(path: Path, parts: dict[str, Tensors], progress: dict[str, Any]) -> None:
    """Write the tensors of each part, such as the model, and the progress as JSON in the file's header."""
    tensors = {f"{part}/{name}": tensor for part, state in parts.items() for name, tensor in state.items()}
    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, _header(progress))
    replace_file(path, content)


def load_checkpoint(path: Path, place: str) -> tuple[dict[str, Tensors], dict[str, Any]] | None:
    """What ``save_checkpoint`` wrote, or None if there is no checkpoint yet. Raises StageError if it is damaged.

    place: what to remove in order to start over.
    All tensors are on the CPU. Models and optimizers copy them to where they belong when they load them.
    """
    if not path.is_file():
        return None
    parts: dict[str, Tensors] = {}
    try:
        with safe_open(path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118  (safe_open is no dict)
                part, name = key.split("/", 1)
                parts.setdefault(part, {})[name] = file.get_tensor(key)
            return parts, json.loads(file.metadata()["progress"])
    except (SafetensorError, KeyError, ValueError) as error:
        raise StageError(f"the checkpoint {place} is damaged ({error}): remove it to start over") from None


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Tensors:
    """The tensors that an optimizer keeps for each parameter, such as its moments."""
    states = optimizer.state_dict()["state"]
    return {f"{i}/{name}": tensor for i, state in states.items() for name, tensor in state.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Load what ``optimizer_tensors`` returned."""
    states: dict[int, Tensors] = {}
    for key, tensor in tensors.items():
        i, name = key.split("/")
        states.setdefault(int(i), {})[name] = tensor
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})


def _header(progress: dict[str, Any]) -> dict[str, str]:
    return {"progress": json.dumps(progress)}
