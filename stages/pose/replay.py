"""Networks on a GPU as CUDA graphs: all kernels of a forward pass in one launch.

A network such as HRNet has more than a thousand small kernels. To launch them one by one takes Python five times as
long as a GPU takes to compute a batch.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

WARM_UP = 3
"""Passes before the recording, in which libraries choose their algorithms and reserve memory."""


class Recording(NamedTuple):
    """The kernels for one shape of input, and where they read and write."""

    graph: torch.cuda.CUDAGraph
    given: Tensor
    found: Tensor


class Replayed:
    """A network in evaluation on a GPU, for inputs of few shapes: each is recorded when it comes first."""

    def __init__(self, network: Callable[[Tensor], Tensor]) -> None:
        self._network = network
        self._recordings: dict[torch.Size, Recording] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """The network's output for x, which is on the GPU; valid until the next call."""
        if x.shape not in self._recordings:
            self._recordings[x.shape] = self._record(x)
        recording = self._recordings[x.shape]
        recording.given.copy_(x)
        recording.graph.replay()
        return recording.found

    def _record(self, x: Tensor) -> Recording:
        given, graph = x.clone(), torch.cuda.CUDAGraph()
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(WARM_UP):
                self._network(given)
        torch.cuda.current_stream().wait_stream(beside)
        with torch.cuda.graph(graph):
            found = self._network(given)
        return Recording(graph, given, found)
