"""PyTorch checkpoints: their weights, without running anything that the file says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import StageError


class _LeftOut:
    """Stands in for the objects below: may be called with anything, and keeps nothing."""

    def __new__(cls, *content: object) -> "_LeftOut":
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        """Keep nothing of it."""


_TRAINING_LOGS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_LeftOut, name)
    for name in (
        "numpy.ndarray",
        "numpy.dtype",
        "numpy.core.multiarray._reconstruct",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray._reconstruct",
        "numpy._core.multiarray.scalar",
        "mmengine.logging.history_buffer.HistoryBuffer",
        "builtins.getattr",
    )
]
"""Objects in the training logs of MMPose's checkpoints, which torch.load refuses unless it is told what they are. NumPy
before 2 called its ``_core`` ``core``; a HistoryBuffer asks for its own methods with getattr."""


def load_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content on the CPU; NumPy arrays and training logs in it are left out.

    Raises StageError if it cannot be read, or holds anything else than plain values and tensors.
    """
    try:
        with torch.serialization.safe_globals(_TRAINING_LOGS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        lines = str(error).splitlines() or [type(error).__name__]
        reason = next((line.strip() for line in lines if "WeightsUnpickler" in line), lines[0])
        raise StageError(f"{path} cannot be read as a PyTorch checkpoint of plain weights: {reason}") from error
    return content if isinstance(content, dict) else {}
