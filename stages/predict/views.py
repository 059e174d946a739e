"""Class probabilities of clips, averaged over several views of each."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import torch

from pipeline.errors import StageError
from pipeline.stage import Row
from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from recognizer.skeletons import layout
from stages.cache.shards import Sample, sample_of
from stages.devices import chosen_precision
from stages.skeletons.conversion import convert
from stages.train.augment import apply_view, fixed_views
from stages.train.batches import collate

NO_NUMBERS = "the network's answer is not a number: are its weights damaged?"


def are_numbers(probabilities: Sequence[float]) -> bool:
    """Whether a network has answered at all: damaged weights give NaN."""
    return all(map(math.isfinite, probabilities))


@torch.inference_mode()
def mean_probabilities(
    recognizer: Recognizer,
    rows: Iterable[Row],
    views: int,
    batch: int | None = None,
    frames: int | None = None,
    precision: Literal["auto", "fp32", "bf16"] = "fp32",
) -> dict[str, list[float]]:
    """The probabilities of each clip, one per class, by clip id.

    rows: of the shards. They are read one by one, so that only the clips of a batch are in memory.
    batch: views per batch, of one or several clips; None: see ``Predict.batch``.
    frames: per view; None: as many as the network was trained on.
    precision: see ``stages.devices.chosen_precision``.
    """
    device = next(recognizer.parameters()).device
    batch = batch or (1 if device.type == "cpu" and recognizer.config.uses_rgb else 8)
    bf16 = chosen_precision(precision, device) == "bf16"
    sums: dict[str, torch.Tensor] = {}
    counts: dict[str, int] = {}
    pending: list[Sample] = []

    def flush() -> None:
        # Fill up the batch: rounding depends on its size, and a clip's result must not depend on its neighbors.
        views = [pending.pop(0) for _ in range(min(batch, len(pending)))]
        ready = collate(views + views[-1:] * (batch - len(views)), device)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            logits = recognizer(ready.frames, ready.keypoints)
        found = (logits[: len(views)].float() / recognizer.config.temperature).softmax(-1)
        for view, probabilities in zip(views, found, strict=True):
            sums[view.clip_id] = sums.get(view.clip_id, 0) + probabilities.double().cpu()

    for row in rows:
        samples = views_of(row, recognizer.config, views, frames)
        counts[row["clip_id"]] = len(samples)
        pending += samples
        while len(pending) >= batch:
            flush()
    if pending:
        flush()
    return {clip_id: (total / counts[clip_id]).tolist() for clip_id, total in sums.items()}


def views_of(row: Row, config: RecognizerConfig, views: int, frames: int | None = None) -> list[Sample]:
    """Up to ``views`` views of a shard's clip, as the network saw clips in training.

    frames: per view; None: as many as in training.

    Skeletons of another joint layout are converted to the model's.

    Raises StageError if the shard's layout has fewer than half of the model's joints, or the shard fewer frames than
    ``frames``.
    """
    sample = sample_of(row, config.modality, config.persons)
    if sample.keypoints is not None and row["layout"] != config.layout:
        own, wanted = layout(row["layout"]), layout(config.layout)
        try:
            sample = sample._replace(keypoints=convert(sample.keypoints, own, wanted))
        except ValueError as error:
            raise StageError(
                f"the model was trained on {wanted.name} skeletons, but {row['clip_id']} has {own.name}: {error}: use "
                "the pose estimator it was trained with"
            ) from error
    if frames is not None and frames > sample.frame_count:
        raise StageError(
            f"frames: {frames} frames are asked for, but the shard of {row['clip_id']} holds {sample.frame_count}: "
            f"set fewer, or have the stage that samples frames make at least {frames}"
        )
    scale, flip = config.preprocessing.get("scale", 1.0), config.preprocessing.get("flip", False)
    chosen = fixed_views(sample.frame_count, frames or config.frames, views, scale, flip)
    return [apply_view(sample, view, config.size, config.layout) for view in chosen]
