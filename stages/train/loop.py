"""The training loop: plain PyTorch, read from top to bottom.

All randomness of a clip comes from (seed, epoch, clip id) and that of a step from (seed, step). So the result does not
depend on the number of reading threads, and an interrupted training resumes to the result it would have had. Several
processes that share the batches run the same loop (``stages.train.data_parallel``) and take the same steps as a single
one, up to rounding.
"""

import math
import time
from collections.abc import Iterable, Sequence
from copy import deepcopy
from functools import partial
from hashlib import blake2b
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.errors import StageError
from pipeline.stage_inputs import StageContext
from recognizer.backbone import load_kinetics400
from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from stages.cache.shards import Sample, Shards
from stages.devices import chosen_device, chosen_precision, compiled, deterministic, threads
from stages.local_files import local_path
from stages.train.activations import checkpoint_activations
from stages.train.augment import apply_view, fixed_views, jitter_joints, random_view
from stages.train.batches import Batch, batches, reading_threads
from stages.train.calibration import calibrate
from stages.train.data_parallel import DataParallelGroup
from stages.train.labels import LabeledClips
from stages.train.log import TrainingLog
from stages.train.mixup import mixup, mixup_loss, mixup_share
from stages.train.optimizer import learning_rate, parameter_groups
from stages.train.recipe import Recipe
from stages.train.start import model_files
from stages.train.state import History, Progress, TrainingState, update_average
from stages.train.transfer import take_weights

CHECKPOINT = "checkpoint.safetensors"


def fit(
    recipe: Recipe,
    config: RecognizerConfig,
    shards: Shards,
    clips: LabeledClips,
    context: StageContext,
    group: DataParallelGroup | None = None,
    number: int = 0,
) -> tuple[Recognizer, History]:
    """Train a single network, from the checkpoint in ``context.folder`` if there is one.

    group: where several processes train together, all of which call this function; the main one writes checkpoints.
    number: of the network among those of an ensemble.

    Returns the model on the CPU and the figures of each epoch. Raises StageError if the loss is no longer finite.
    """
    with threads(recipe.threads), deterministic():
        return Training(recipe, config, shards, clips, context, group or DataParallelGroup(), number).run()


class Training:
    """One training, as each of its processes runs it. The methods stand in the order in which they are called."""

    def __init__(
        self,
        recipe: Recipe,
        config: RecognizerConfig,
        shards: Shards,
        clips: LabeledClips,
        context: StageContext,
        group: DataParallelGroup,
        number: int,
    ) -> None:
        """Build the network and its optimizer, and resume from the checkpoint if there is one."""
        self.recipe, self.config, self.shards, self.clips, self.group = recipe, config, shards, clips, group
        self.device = chosen_device(recipe.device)
        self.precision = chosen_precision(recipe.precision, self.device)
        self.autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")
        self.reading_threads = shards.reading_threads(recipe.workers or reading_threads(self.device))
        self.steps_per_epoch = math.ceil(len(clips.train) / (recipe.batch * recipe.accumulate))
        self.epochs = max(recipe.epochs, math.ceil(recipe.least_steps / self.steps_per_epoch))
        self.total_steps = self.epochs * self.steps_per_epoch

        model, self.started = initial_model(recipe, config, number)
        model = model.to(self.device)
        group.prepare(model)
        average = deepcopy(model).requires_grad_(False) if recipe.ema else None
        optimizer = torch.optim.AdamW(
            parameter_groups(model, recipe.weight_decay, recipe.layer_decay), fused=self.device.type == "cuda"
        )
        if recipe.checkpoint_activations:
            checkpoint_activations(model)
        self.network = compiled(model, self.device) if recipe.compile else model

        self.state = TrainingState(model, average, optimizer)
        self.checkpoint, self.keep = context.folder / checkpoint_name(number), context.keep
        self.state.restore(self.checkpoint, context.place(self.checkpoint))
        self.saved_at = time.monotonic()
        self.log = TrainingLog(context, self.steps_done, group.is_main, number)

    @property
    def steps_done(self) -> int:
        """Steps that are complete, of all epochs."""
        return self.state.progress.epoch * self.steps_per_epoch + self.state.progress.step

    def run(self) -> tuple[Recognizer, History]:
        """Train to the last epoch."""
        state = self.state
        with self.log:
            while state.progress.epoch < self.epochs:
                figures = {"epoch": state.progress.epoch + 1, **self._train_epoch(), **self._validate()}
                started = self.started if state.progress.epoch == 0 else {}
                state.progress = state.progress.after_epoch({**figures, "precision": self.precision, **started})
                self._save()
        if state.best:
            state.result.load_state_dict(state.best)
        return calibrated(state.result.cpu().eval(), state.progress.calibration, state.progress.history)

    def _train_epoch(self) -> dict[str, float]:
        """Take the steps of the current epoch that are not done yet. Returns the figures of the whole epoch."""
        recipe, progress = self.recipe, self.state.progress
        shuffle = np.random.default_rng(seed_of(recipe.seed, "order", progress.epoch))
        order = shuffle.permutation(self.clips.train).tolist()
        steps = [chunked(clip_ids, recipe.batch) for clip_ids in chunked(order, recipe.batch * recipe.accumulate)]
        remaining = steps[progress.step :]
        to_read = [self.group.clips_to_read(clip_ids, bool(recipe.mixup)) for step in remaining for clip_ids in step]
        loader = batches(to_read, partial(self._training_sample, progress.epoch), self.device, self.reading_threads)
        self.state.model.train()
        for step in remaining:
            lr = self._train_step(step, islice(loader, len(step)))
            progress.step += 1
            figures = {"loss": progress.loss / progress.clips, "accuracy": progress.correct / progress.clips, "lr": lr}
            self.log.plot(self.steps_done - 1, {"train/loss": figures["loss"], "train/lr": lr})
            self.log.report(self.steps_done, self.total_steps, {"epoch": progress.epoch + 1, **figures})
            overdue = time.monotonic() - self.saved_at >= 60 * recipe.checkpoint_minutes
            if overdue and progress.step < self.steps_per_epoch:
                self._save()
        self.log.plot(self.steps_done - 1, {"train/accuracy": figures["accuracy"]})
        return figures

    def _train_step(self, step_clips: Sequence[Sequence[str]], loader: Iterable[Batch]) -> float:
        """Follow the gradient of the mean loss over the clips of a step, in all processes. Returns the learning rate.

        step_clips: the clip ids of each batch whose gradients are accumulated. loader: this process's part of them.
        """
        recipe, state, step = self.recipe, self.state, self.steps_done
        warmup = min(recipe.warmup_epochs * self.steps_per_epoch, self.total_steps / 3)
        lr = learning_rate(step, self.total_steps, warmup, recipe.lr)
        for parameters in state.optimizer.param_groups:
            parameters["lr"] = lr * parameters["lr_share"]
        torch.manual_seed(seed_of(recipe.seed, "step", step))
        state.optimizer.zero_grad()
        clip_count, taken = sum(map(len, step_clips)), 0
        loss_and_hits = torch.zeros(2, dtype=torch.float64, device=self.device)
        for clip_ids, batch in zip(step_clips, loader, strict=True):
            taken += len(clip_ids)
            share = mixup_share(recipe.mixup, seed_of(recipe.seed, "mixup", step, taken))
            loss_and_hits += self._add_gradients(clip_ids, batch, share, clip_count)
        self.group.all_reduce_gradients(state.model.parameters())
        norm_1 = nn.utils.clip_grad_norm_(state.model.parameters(), recipe.clip_gradient)[None]
        # Once a step, since a GPU that is waited for has nothing to do.
        loss, hits, norm = torch.cat([loss_and_hits, norm_1]).tolist()
        loss, hits = self.group.all_reduce(loss, hits)
        state.progress.loss += loss
        state.progress.correct += int(hits)
        state.progress.clips += clip_count
        if not (math.isfinite(state.progress.loss) and math.isfinite(norm)):
            raise divergence_error(step, state.progress, lr, norm, [i for clip_ids in step_clips for i in clip_ids])
        state.optimizer.step()
        if state.average is not None:
            update_average(state.average, state.model, min(recipe.ema, (1 + step) / (10 + step)))
        return lr

    def _add_gradients(self, clip_ids: Sequence[str], batch: Batch, share: float, clip_count: int) -> torch.Tensor:
        """Add the gradients of a batch's part of the step's mean loss. Returns the sum of its losses and its hits, in
        this process, float64 2.

        clip_ids: of the batch in all processes. share: of each clip in mixup. clip_count: of the whole step.
        """
        extra = len(batch.clip_ids) - len(self.group.share(clip_ids))
        target = targets_of(batch, self.clips.targets, self.device)
        with self.group.batch_of(len(clip_ids)):
            with self.autocast:
                logits = self.network(*mixup(batch, share, extra)).float()
            loss = mixup_loss(logits, target, share, extra, self.recipe.label_smoothing)
            (loss / clip_count).backward()
        return torch.stack([loss.detach(), (logits.argmax(-1) == target[extra:]).sum()]).double()

    def _validate(self) -> dict[str, float | None]:
        """Loss and accuracy on the validation clips; None where there are none."""
        if not self.clips.val:
            return {"val_loss": None, "val_accuracy": None}
        shares = [self.group.share(clip_ids) for clip_ids in chunked(self.clips.val, self.recipe.batch)]
        sample = partial(validation_sample, self.recipe, self.config, self.shards)
        loader = batches(list(filter(None, shares)), sample, self.device, self.reading_threads)
        with self.autocast:
            found = evaluate(self.state.result, loader, self.clips.targets, self.group)
        self.log.plot(self.steps_done - 1, {"val/loss": found.loss, "val/accuracy": found.accuracy})
        is_last = self.state.progress.epoch + 1 == self.epochs
        if self.state.keep_if_best(found.accuracy) if self.recipe.keep == "best" else is_last:
            logits_NK, target_N = self.group.all_gather(found.logits_NK), self.group.all_gather(found.target_N)
            self.state.progress.calibration = calibrate(logits_NK, target_N)
        return {"val_loss": found.loss, "val_accuracy": found.accuracy}

    def _save(self) -> None:
        if self.group.is_main:
            self.state.save(self.checkpoint)
            self.keep(self.checkpoint)
        self.saved_at = time.monotonic()

    def _training_sample(self, epoch: int, clip_id: str) -> Sample:
        rng = np.random.default_rng(seed_of(self.recipe.seed, epoch, clip_id))
        sample = self.shards.read(clip_id)
        view = random_view(self.recipe.augment, rng, sample.frame_count, self.config.frames)
        return jitter_joints(apply_view(sample, view, self.config.size, self.config.layout), self.recipe.augment, rng)


def checkpoint_name(number: int) -> str:
    """The file name of the checkpoint of a network of an ensemble."""
    return f"checkpoint-{number + 1}.safetensors" if number else CHECKPOINT


def validation_sample(recipe: Recipe, config: RecognizerConfig, shards: Shards, clip_id: str) -> Sample:
    """A clip as it is validated on: its center, at even times."""
    sample = shards.read(clip_id)
    view = fixed_views(sample.frame_count, config.frames, 1, recipe.augment.test_scale, flip=False)[0]
    return apply_view(sample, view, config.size, config.layout)


def initial_model(recipe: Recipe, config: RecognizerConfig, number: int = 0) -> tuple[Recognizer, dict[str, Any]]:
    """The network before the first step, and what it took of the model that it starts from, under ``start``.

    number: of the network among those of an ensemble. Of an ensemble that it starts from, it takes the network of the
    same number or, if that sees something else, the first that sees the same.

    Raises StageError where the weights to start from cannot be had or do not fit.
    """
    torch.manual_seed(seed_of(recipe.seed, "weights"))
    model = Recognizer(config)
    try:
        if recipe.backbone == "kinetics400" and model.backbone is not None:
            file = recipe.backbone_file
            load_kinetics400(model.backbone, file and local_path(file, "backbone_file"))
        if recipe.start_from is None:
            return model, {}
        start = Recognizer.from_pretrained(model_files(recipe.start_from)[0].parent)
    except (OSError, ValueError) as error:
        raise StageError(str(error)) from error
    try:
        return model, {"start": take_weights(model, alike(start, config.modality, number))}
    except ValueError as error:
        raise StageError(f"start_from: nothing of {recipe.start_from} can be used: {error}") from error


def alike(start: Recognizer, modality: str, number: int) -> Recognizer:
    """The network of a recognizer that another one, which sees ``modality``, is to start from."""
    networks = [start, *(other for other in start.others if isinstance(other, Recognizer))]
    preferred = [*networks[number : number + 1], *networks]
    return next((network for network in preferred if network.config.modality == modality), start)


class Evaluation(NamedTuple):
    """Figures over the clips of all processes, and the logits and classes of this process's N clips."""

    loss: float
    """Mean cross entropy."""
    accuracy: float
    logits_NK: np.ndarray
    target_N: np.ndarray


@torch.inference_mode()
def evaluate(
    model: Recognizer, loader: Iterable[Batch], targets: dict[str, int], group: DataParallelGroup
) -> Evaluation:
    """What a model makes of the clips of all processes' loaders."""
    model.eval()
    loss, correct, clips = 0.0, 0.0, 0.0
    logits_NK = [np.zeros((0, len(model.config.class_names)), np.float32)]  # as a process may have no clips
    target_N = [np.zeros(0, np.int64)]
    for batch in loader:
        logits = model(batch.frames, batch.keypoints).float()
        target = targets_of(batch, targets, logits.device)
        loss += F.cross_entropy(logits, target, reduction="sum").item()
        correct += int((logits.argmax(-1) == target).sum())
        clips += len(target)
        logits_NK.append(logits.cpu().numpy())
        target_N.append(target.cpu().numpy())
    loss, correct, clips = group.all_reduce(loss, correct, clips)
    return Evaluation(loss / clips, correct / clips, np.concatenate(logits_NK), np.concatenate(target_N))


def targets_of(batch: Batch, targets: dict[str, int], device: torch.device) -> torch.Tensor:
    """The classes of a batch's clips, int64 B, on the device; a GPU is not waited for."""
    return torch.tensor([targets[clip_id] for clip_id in batch.clip_ids]).to(device, non_blocking=True)


class Validation(NamedTuple):
    figures: dict[str, float]
    """``val_loss`` and ``val_accuracy``; empty if there are no validation clips."""
    calibration: dict[str, Any]
    """See ``stages.train.calibration``."""


def validate(recipe: Recipe, model: Recognizer, shards: Shards, clips: LabeledClips) -> Validation:
    """What the validation clips say about a model that is ready, in one process."""
    if not clips.val:
        return Validation({}, {})
    device = chosen_device(recipe.device)
    sample = partial(validation_sample, recipe, model.config, shards)
    readers = shards.reading_threads(recipe.workers or reading_threads(device))
    is_bf16 = chosen_precision(recipe.precision, device) == "bf16"
    with threads(recipe.threads), torch.autocast(device.type, torch.bfloat16, enabled=is_bf16):
        loader = batches(chunked(clips.val, recipe.batch), sample, device, readers)
        found = evaluate(model.to(device), loader, clips.targets, DataParallelGroup())
    figures = {"val_loss": found.loss, "val_accuracy": found.accuracy}
    return Validation(figures, calibrate(found.logits_NK, found.target_N))


def calibrated(model: Recognizer, found: dict[str, Any], history: History) -> tuple[Recognizer, History]:
    """The model and its history with what its validation clips say about its scores, which is empty for too few."""
    if found:
        chosen = {name: value for name, value in found.items() if name in RecognizerConfig.model_fields}
        model.config = RecognizerConfig.model_validate(model.config.model_dump() | chosen)
        history = [*history[:-1], history[-1] | {"calibration": found}]
    return model, history


def seed_of(*parts: object) -> int:
    """A seed of 63 bits from any plain values, the same in every process and on every machine."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest()) >> 1


def chunked(clip_ids: Sequence[str], size: int) -> list[Sequence[str]]:
    """The clip ids in chunks of ``size``; the last one may be smaller."""
    return [clip_ids[i : i + size] for i in range(0, len(clip_ids), size)]


def divergence_error(step: int, progress: Progress, lr: float, norm: float, clip_ids: Iterable[str]) -> StageError:
    """The error of a training whose loss or gradient is no longer finite."""
    return StageError(
        f"training diverged in step {step + 1} (epoch {progress.epoch + 1}): the sum of losses is {progress.loss:g}, "
        f"the norm of the gradient {norm:g}, the learning rate {lr:g}. Set a smaller lr or more warmup_epochs, or look "
        f"at the clips of this step: {', '.join(clip_ids)}"
    )
