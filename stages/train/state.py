"""What a training changes from step to step: all of it is in its checkpoints, so that it can be resumed."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.errors import StageError
from recognizer.model import Recognizer
from stages.train.checkpoints import Tensors, load_checkpoint, optimizer_tensors, restore_optimizer, save_checkpoint

History = list[dict[str, Any]]


@dataclass
class Progress:
    """How far a training is. Checkpoints hold these fields under their names."""

    epoch: int = 0
    """Epochs that are complete."""
    step: int = 0
    """Steps of the current epoch that are complete."""
    loss: float = 0.0
    """Sum over the clips of these steps."""
    correct: int = 0
    """How many of these clips were classified correctly."""
    clips: int = 0
    """How many clips these steps took."""
    best: float = -1.0
    """Highest validation accuracy so far."""
    history: History = field(default_factory=list)
    """Figures of each complete epoch."""
    calibration: dict[str, Any] = field(default_factory=dict)
    """What the validation clips say about the scores of the model that is kept (see ``stages.train.calibration``)."""

    def after_epoch(self, figures: dict[str, Any]) -> "Progress":
        """The progress at the start of the next epoch, with the figures of the one that has ended."""
        return Progress(self.epoch + 1, best=self.best, history=[*self.history, figures], calibration=self.calibration)


@dataclass
class TrainingState:
    """Weights, optimizer and progress."""

    model: Recognizer
    average: Recognizer | None
    """Moving average of the model's weights, where the recipe asks for one."""
    optimizer: torch.optim.Optimizer
    progress: Progress = field(default_factory=Progress)
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    """Weights of the epoch with the highest validation accuracy, where the recipe asks for them; else empty."""

    @property
    def result(self) -> Recognizer:
        """The model that is validated and saved: the moving average where there is one."""
        return self.model if self.average is None else self.average

    def keep_if_best(self, accuracy: float) -> bool:
        """Keep a copy of the weights if their validation accuracy is the highest so far. Returns whether it is."""
        is_best = accuracy > self.progress.best
        if is_best:
            self.progress.best = accuracy
            self.best = {name: tensor.clone() for name, tensor in self.result.state_dict().items()}
        return is_best

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        parts: dict[str, Tensors] = {
            "model": self.model.state_dict(),
            "optimizer": optimizer_tensors(self.optimizer),
            "best": self.best,
        }
        if self.average is not None:
            parts["average"] = self.average.state_dict()
        save_checkpoint(path, parts, asdict(self.progress))

    def restore(self, path: Path, place: str) -> None:
        """Take over a checkpoint if there is one. Raises StageError if it is damaged or does not fit the network.

        place: what to remove in order to start over.
        """
        if (checkpoint := load_checkpoint(path, place)) is None:
            return
        parts, progress = checkpoint
        try:
            self.progress = Progress(**progress)
            self.model.load_state_dict(parts["model"])
            restore_optimizer(self.optimizer, parts.get("optimizer", {}))
            if self.average is not None:
                self.average.load_state_dict(parts["average"])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise StageError(
                f"the checkpoint {place} belongs to another network ({error}): remove it to start over"
            ) from error
        self.best = parts.get("best", {})


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the average's weights towards the model's; buffers (counters, running statistics) are copied."""
    for weight, target in zip(average.parameters(), model.parameters(), strict=True):
        weight.lerp_(target, 1 - decay)
    for buffer, current in zip(average.buffers(), model.buffers(), strict=True):
        buffer.copy_(current)
