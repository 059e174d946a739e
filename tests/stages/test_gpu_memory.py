"""Memory of a GPU that does not suffice."""

import pytest
import torch

from pipeline.errors import StageError
from pipeline.rows import attempt
from stages.gpu_memory import enough_gpu_memory


def fails() -> dict[str, object]:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has")


def test_it_is_no_clips_failure_and_says_what_to_do() -> None:
    with pytest.raises(StageError, match=r"\(CUDA out of memory\): set workers_per_gpu: 1 or a smaller batch"):
        attempt("a", 10, enough_gpu_memory()(fails))


def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes differ"), enough_gpu_memory():
        raise RuntimeError("shapes differ")


@pytest.mark.gpu
def test_a_gpu_says_so() -> None:
    with pytest.raises(StageError, match="the GPU's memory does not suffice"), enough_gpu_memory():
        torch.empty(2**50, dtype=torch.uint8, device="cuda")
