"""Where torch computes, and with how many threads."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pipeline.errors import StageError


def chosen_device(name: str) -> torch.device:
    """``auto``: a GPU if there is one. Raises StageError where a GPU is asked for and missing."""
    if name == "cuda" and not torch.cuda.is_available():
        raise StageError("device: cuda is set, but torch finds no GPU here: set device: auto, or give the stage a GPU")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Compute with this many threads inside the block; None leaves the number alone."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def deterministic() -> Iterator[None]:
    """Equal results from equal inputs inside the block: always on CPUs, on GPUs where the operations allow it."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
