"""What a training reports while it runs: curves for TensorBoard, and its progress for the user."""

import time
from types import TracebackType
from typing import Self

from torch.utils.tensorboard import SummaryWriter

from pipeline.stage_inputs import StageContext

INTERVAL = 1.0
"""Seconds between two reports of progress."""


class TrainingLog:
    """Writes curves and reports progress; in all processes but the main one it does nothing."""

    def __init__(self, context: StageContext, first_step: int, is_main: bool, number: int = 0) -> None:
        """first_step: points from this step on, of an interrupted run, are dropped from the curves. number: of the
        network among those of an ensemble, which have curves of their own."""
        self._progress = context.progress
        curves = context.folder / "tensorboard" / (f"network-{number + 1}" if number else "")
        self._board = SummaryWriter(str(curves), purge_step=first_step) if is_main else None
        self._reported = time.monotonic()

    def plot(self, step: int, figures: dict[str, float]) -> None:
        """Add a point to the curve of each figure."""
        if self._board is not None:
            for name, value in figures.items():
                self._board.add_scalar(name, value, step)

    def report(self, done: int, total: int, figures: dict[str, float]) -> None:
        """Report the steps done out of all steps, counted over all epochs: at most once a second, and at the end."""
        now = time.monotonic()
        if self._board is not None and (now - self._reported > INTERVAL or done == total):
            self._reported = now
            self._progress(done, total, **figures)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._board is not None:
            self._board.close()
