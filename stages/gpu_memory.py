"""What is said where the memory of a GPU does not suffice: that is no clip's fault, so no clip is to be lost by it."""

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import StageError

SHARED = "set workers_per_gpu: 1 or a smaller batch, or end what else runs on it"
"""What to do in stages of which several processes share a GPU."""


@contextmanager
def enough_gpu_memory(remedy: str = SHARED) -> Iterator[None]:
    """Raises StageError with the remedy in place of PyTorch's OutOfMemoryError."""
    try:
        yield
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # by its name, since not all who need this load PyTorch
            raise
        reason = str(error).partition(".")[0]
        raise StageError(f"the GPU's memory does not suffice ({reason}): {remedy}") from error
