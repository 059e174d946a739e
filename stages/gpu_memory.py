"""What is said where the memory of a GPU does not suffice: that is no clip's fault, so no clip is to be lost by it."""

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import StageError

SHARED = "set workers_per_gpu: 1 or a smaller batch, or end what else runs on it"
"""What to do in stages of which several processes share a GPU."""


@contextmanager
def enough_gpu_memory(remedy: str = SHARED) -> Iterator[None]:
    """Raises StageError with the remedy in place of what PyTorch and CUDA's libraries raise then."""
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        if not (("CUDA" in text and "out of memory" in text) or "ALLOC_FAILED" in text):
            raise
        reason = text.partition(".")[0].splitlines()[0]
        raise StageError(f"the GPU's memory does not suffice ({reason}): {remedy}") from error
