"""Where mixed precision must not go."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


def differentiable_on_cpus(convolve: Callable[P, R]) -> Callable[P, R]:
    """Let autocast have its way with a function's convolutions on CPUs only where nobody asks for gradients.

    In bfloat16 oneDNN may return wrong or infinite gradients of a 3D convolution, as it does for two frames. What it
    computes forward is right, and takes half of float32's time.
    """

    @wraps(convolve)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with torch.autocast("cpu", enabled=torch.is_autocast_enabled("cpu") and not torch.is_grad_enabled()):
            return convolve(*args, **kwargs)

    return wrapped
