"""Checkpoints of a training: tensors and figures in one safetensors file, so that both are of the same moment."""

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
    """Write the state of each part, such as the model's, and how far the training is (as JSON in the file's header)."""
    tensors = {f"{part}/{name}": tensor for part, state in parts.items() for name, tensor in state.items()}
    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, _header(progress))
    replace_file(path, content)


def load_checkpoint(path: Path) -> tuple[dict[str, Tensors], dict[str, Any]] | None:
    """What ``save_checkpoint`` wrote, or None where there is no checkpoint yet. All tensors are on the CPU: what takes
    them copies them to where it computes, but for AdamW's counts of steps, whose place is the CPU."""
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
        raise StageError(f"the checkpoint {path} is damaged ({error}): remove it to start over") from None


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Tensors:
    """The moments that an optimizer keeps for each parameter."""
    states = optimizer.state_dict()["state"]
    return {f"{i}/{name}": tensor for i, state in states.items() for name, tensor in state.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Give back what ``optimizer_tensors`` took."""
    states: dict[int, Tensors] = {}
    for key, tensor in tensors.items():
        i, name = key.split("/")
        states.setdefault(int(i), {})[name] = tensor
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})


def _header(progress: dict[str, Any]) -> dict[str, str]:
    return {"progress": json.dumps(progress)}
