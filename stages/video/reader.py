"""What the decode stage expects of a video reader."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np


class UnreadableError(Exception):
    """This reader cannot read the file, or not reliably: the next reader is tried."""


class Reader(ABC):
    """An open video, with a list of its frames, or at least of those in a span of interest.

    A user's own is called as ``MyReader(path, start, end)``, with the span in seconds, or None where it is open.

    Attributes:
        first: the first listed frame's number in the file (in display order, without discarded frames).
        times: float64 N, seconds from the file's first frame to each listed frame, increasing.
    """

    name: ClassVar[str]
    """The value in the ``reader`` column of the frames table."""
    first: int = 0
    times: np.ndarray

    @abstractmethod
    def read(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """The frames with these numbers in the file (``first`` to ``first + N - 1``, increasing): RGB, uint8 H,W,3,
        upright.

        Raises UnreadableError if another reader may be able to read the frame, ClipError if none is.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the file and free the decoder's memory."""
