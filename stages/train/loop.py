"""The training loop: plain PyTorch, read from top to bottom.

All randomness of a clip comes from (seed, epoch, clip id) and of a step from (seed, step), so nothing depends on the
number of reading threads, and a training that was interrupted goes on to the result it would have had. Several
processes that share the batches run the same loop (``stages.train.data_parallel``), and take the steps of
one up to rounding.
"""

import math
import time
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from functools import partial
from hashlib import blake2b
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.tensorboard import SummaryWriter

from pipeline.errors import StageError
from pipeline.stage_inputs import StageContext
from recognizer.backbone import load_kinetics400
from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from stages.cache.shards import Sample, Shards
from stages.devices import chosen_device, chosen_precision, compiled, deterministic, threads
from stages.train.activations import checkpoint_activations
from stages.train.augment import fixed_views, random_view, seen, shaken
from stages.train.batches import Batch, batches
from stages.train.checkpoints import Tensors, load_checkpoint, optimizer_tensors, restore_optimizer, save_checkpoint
from stages.train.data_parallel import DataParallelGroup
from stages.train.labels import LabeledClips
from stages.train.mixup import mixed, mixed_loss, mixed_share
from stages.train.optimizer import learning_rate, parameter_groups
from stages.train.recipe import Recipe

CHECKPOINT = "checkpoint.safetensors"

History = list[dict[str, Any]]


@dataclass
class Progress:
    """How far a training is: what a checkpoint holds besides tensors."""

    epoch: int = 0
    step: int = 0
    """Steps done in this epoch."""
    loss: float = 0.0
    """Sum over the clips of this epoch."""
    correct: int = 0
    clips: int = 0
    best: float = -1.0
    """Highest validation accuracy."""
    history: History = field(default_factory=list)


def fit(
    recipe: Recipe,
    config: RecognizerConfig,
    shards: Shards,
    clips: LabeledClips,
    context: StageContext,
    team: DataParallelGroup | None = None,
) -> tuple[Recognizer, History]:
    """Train a recognizer, from the checkpoint in ``context.folder`` if there is one.

    team: where several processes train together, all of which call this function; the first writes the checkpoints.

    Returns the model on the CPU and the figures of each epoch. Raises StageError where the loss is no longer finite.
    """
    with threads(recipe.threads), deterministic():
        return _fit(recipe, config, shards, clips, context, team or DataParallelGroup())


def _fit(
    recipe: Recipe,
    config: RecognizerConfig,
    shards: Shards,
    clips: LabeledClips,
    context: StageContext,
    team: DataParallelGroup,
) -> tuple[Recognizer, History]:
    # Build.
    device = chosen_device(recipe.device)
    precision = chosen_precision(recipe.precision, device)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
    torch.manual_seed(seed_of(recipe.seed, "weights"))
    model = Recognizer(config)
    if recipe.backbone == "kinetics400" and model.backbone is not None:
        try:
            load_kinetics400(model.backbone, recipe.backbone_file)
        except (OSError, ValueError) as error:
            raise StageError(str(error)) from error
    team.prepare(model.to(device))
    average = deepcopy(model).requires_grad_(False) if recipe.ema else None
    judged = average or model
    best: Tensors = {}
    optimizer = torch.optim.AdamW(parameter_groups(model, recipe.weight_decay, recipe.layer_decay))
    if recipe.checkpoint_activations:
        checkpoint_activations(model)
    network = compiled(model, device) if recipe.compile else model
    targets = clips.targets
    epoch_steps = math.ceil(len(clips.train) / (recipe.batch * recipe.accumulate))
    steps = recipe.epochs * epoch_steps

    # Resume.
    path = context.folder / CHECKPOINT
    at = Progress()
    if (checkpoint := load_checkpoint(path)) is not None:
        parts, state = checkpoint
        try:
            at = Progress(**state)
            model.load_state_dict(parts["model"])
            restore_optimizer(optimizer, parts.get("optimizer", {}))
            if average is not None:
                average.load_state_dict(parts["average"])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise StageError(
                f"the checkpoint {path} is of another network ({error}): remove it to start over"
            ) from error
        best = parts.get("best", {})

    def save() -> None:
        if not team.is_main:
            return
        parts = {"model": model.state_dict(), "optimizer": optimizer_tensors(optimizer), "best": best}
        save_checkpoint(path, parts | ({"average": average.state_dict()} if average else {}), asdict(at))

    def training_sample(epoch: int, clip_id: str) -> Sample:
        rng = np.random.default_rng(seed_of(recipe.seed, epoch, clip_id))
        sample = shards.read(clip_id)
        view = random_view(recipe.augment, rng, sample.frame_count, config.frames)
        return shaken(seen(sample, view, config.size, config.layout), recipe.augment, rng)

    def validation_sample(clip_id: str) -> Sample:
        sample = shards.read(clip_id)
        view = fixed_views(sample.frame_count, config.frames, 1, recipe.augment.test_scale, flip=False)[0]
        return seen(sample, view, config.size, config.layout)

    figures: dict[str, float] = {}
    saved = shown = time.monotonic()
    first_step = at.epoch * epoch_steps + at.step
    board = SummaryWriter(str(context.folder / "tensorboard"), purge_step=first_step) if team.is_main else None
    while at.epoch < recipe.epochs:
        order = np.random.default_rng(seed_of(recipe.seed, "order", at.epoch)).permutation(clips.train).tolist()
        todo = [list(chunked(group, recipe.batch)) for group in chunked(order, recipe.batch * recipe.accumulate)]
        ahead = [team.reads(group, before=bool(recipe.mixup)) for groups in todo[at.step :] for group in groups]
        loader = batches(ahead, partial(training_sample, at.epoch), device, recipe.workers)
        model.train()
        for groups in todo[at.step :]:
            # Step: the gradient of the mean loss over all clips of the groups, in all processes.
            step = at.epoch * epoch_steps + at.step
            lr = learning_rate(step, steps, min(recipe.warmup_epochs * epoch_steps, steps / 3), recipe.lr)
            for settings in optimizer.param_groups:
                settings["lr"] = lr * settings["lr_share"]
            torch.manual_seed(seed_of(recipe.seed, "step", step))
            optimizer.zero_grad()
            seen_clips: list[str] = []
            for group, batch in zip(groups, islice(loader, len(groups)), strict=True):
                seen_clips += group
                team.batch = len(group)
                lent = len(batch.clip_ids) - len(team.share(group))
                target = torch.tensor([targets[clip_id] for clip_id in batch.clip_ids], device=device)
                mix = mixed_share(recipe.mixup, seed_of(recipe.seed, "mixup", step, len(seen_clips)))
                with autocast:
                    logits = network(*mixed(batch, mix, lent)).float()
                loss = mixed_loss(logits, target, mix, lent, recipe.label_smoothing)
                (loss / sum(map(len, groups))).backward()
                loss_sum, correct = team.sums(loss.item(), int((logits.argmax(-1) == target[lent:]).sum()))
                at.loss += loss_sum
                at.correct += int(correct)
                at.clips += len(group)
            team.add_gradients(model.parameters())
            norm = nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_gradient).item()
            if not (math.isfinite(at.loss) and math.isfinite(norm)):
                raise diverged(step, at, lr, norm, seen_clips)
            optimizer.step()
            if average is not None:
                update_average(average, model, min(recipe.ema, (1 + step) / (10 + step)))
            at.step += 1

            # Log.
            figures = {"loss": at.loss / at.clips, "accuracy": at.correct / at.clips, "lr": lr}
            plot(board, step, {"train/loss": figures["loss"], "train/lr": lr})
            if time.monotonic() - shown > 1 or step + 1 == steps:
                shown = time.monotonic()
                context.progress(step + 1, steps, epoch=at.epoch + 1, **figures)

            # Save within a long epoch.
            if time.monotonic() - saved >= 60 * recipe.checkpoint_minutes and at.step < epoch_steps:
                save()
                saved = time.monotonic()

        # Evaluate.
        val_loss, val_accuracy = None, None
        if clips.val:
            shares = [share for group in chunked(clips.val, recipe.batch) if (share := team.share(group))]
            loader = batches(shares, validation_sample, device, recipe.workers)
            with autocast:
                val_loss, val_accuracy = evaluated(judged, loader, targets, team)
            plot(board, step, {"val/loss": val_loss, "val/accuracy": val_accuracy})
            if recipe.keep == "best" and val_accuracy > at.best:
                at.best = val_accuracy
                best = {name: tensor.clone() for name, tensor in judged.state_dict().items()}
        plot(board, step, {"train/accuracy": figures["accuracy"]})
        judgment = {"val_loss": val_loss, "val_accuracy": val_accuracy, "precision": precision}
        at.history.append({"epoch": at.epoch + 1, **figures, **judgment})

        # Save.
        at = Progress(epoch=at.epoch + 1, best=at.best, history=at.history)
        save()
        saved = time.monotonic()
    if board:
        board.close()

    if best:
        judged.load_state_dict(best)
    return judged.cpu().eval(), at.history


def seed_of(*parts: object) -> int:
    """A seed of 63 bits from any plain values, the same in every process and on every machine."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest()) >> 1


def chunked(clips: Sequence[str], size: int) -> list[Sequence[str]]:
    """The clips in groups of ``size``; the last one may be smaller."""
    return [clips[i : i + size] for i in range(0, len(clips), size)]


def plot(board: SummaryWriter | None, step: int, figures: dict[str, float]) -> None:
    """Draw a point of each curve, where this process has a board to draw on."""
    if board:
        for name, value in figures.items():
            board.add_scalar(name, value, step)


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the average's weights towards the model's; counts and running statistics are taken over."""
    for weight, target in zip(average.parameters(), model.parameters(), strict=True):
        weight.lerp_(target, 1 - decay)
    for buffer, current in zip(average.buffers(), model.buffers(), strict=True):
        buffer.copy_(current)


@torch.inference_mode()
def evaluated(
    model: nn.Module, loader: Iterable[Batch], targets: dict[str, int], team: DataParallelGroup
) -> tuple[float, float]:
    """Mean cross entropy and share of right answers over all clips of all processes' loaders."""
    model.eval()
    loss, correct, clips = 0.0, 0.0, 0.0
    for batch in loader:
        logits = model(batch.frames, batch.keypoints).float()
        target = torch.tensor([targets[clip_id] for clip_id in batch.clip_ids], device=logits.device)
        loss += F.cross_entropy(logits, target, reduction="sum").item()
        correct += int((logits.argmax(-1) == target).sum())
        clips += len(target)
    loss, correct, clips = team.sums(loss, correct, clips)
    return loss / clips, correct / clips


def diverged(step: int, at: Progress, lr: float, norm: float, clip_ids: Iterable[str]) -> StageError:
    """The error of a training whose loss or gradient is no longer finite."""
    return StageError(
        f"training diverged in step {step + 1} (epoch {at.epoch + 1}): the sum of losses is {at.loss:g}, the norm of "
        f"the gradient {norm:g}, the learning rate {lr:g}. Set a smaller lr or more warmup_epochs, or look at the "
        f"clips of this step: {', '.join(clip_ids)}"
    )
