"""What the decode stage asks of a video reader."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np


class UnreadableError(Exception):
    """This reader cannot read the file, or doubts what it read; another one should try."""


class Reader(ABC):
    """An open video. A user's own reader is called as ``MyReader(path, start, end)``, with the span in seconds or None.

    Attributes:
        first: number of the first listed frame in the file (display order, discarded frames excluded).
        times: float64 [N], seconds from the file's first frame to each listed frame, increasing.
    """

    name: ClassVar[str]
    """What the rows of the frames table say in their ``reader`` column."""
    first: int = 0
    times: np.ndarray

    @abstractmethod
    def read(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """Frames by their numbers in the file (``first`` … ``first + N - 1``, increasing): uint8 H,W,3, RGB, upright.

        Raises UnreadableError where another reader may do better, ClipError where the frame is lost.
        """

    @abstractmethod
    def close(self) -> None:
        """Give back the file and the decoder's memory."""
