"""Class probabilities from a recognizer, averaged over the views of each clip."""

from collections.abc import Iterable
from typing import Literal

import torch

from pipeline.errors import StageError
from pipeline.stage import Row
from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from stages.cache.shards import Sample, sample_of
from stages.devices import chosen_precision
from stages.train.augment import apply_view, fixed_views
from stages.train.batches import collate


@torch.inference_mode()
def mean_probabilities(
    recognizer: Recognizer,
    rows: Iterable[Row],
    views: int,
    batch: int | None = None,
    frames: int | None = None,
    precision: Literal["auto", "fp32", "bf16"] = "fp32",
) -> dict[str, list[float]]:
    """The probabilities of each clip by its id, one a class.

    rows: of the shards; read one after the other, so that only ``batch`` clips are in memory.
    batch: views in the network at once, of several clips or of one; None: see ``Predict.batch``.
    frames: of each view; None: as many as the network was trained on.
    precision: see ``stages.devices.chosen_precision``.
    """
    device = next(recognizer.parameters()).device
    batch = batch or (1 if device.type == "cpu" and recognizer.config.uses_rgb else 8)
    bf16 = chosen_precision(precision, device) == "bf16"
    sums: dict[str, torch.Tensor] = {}
    counts: dict[str, int] = {}
    waiting: list[Sample] = []

    def flush() -> None:
        # Always as many views, since rounding depends on their number, and a clip must not on its neighbors.
        views = [waiting.pop(0) for _ in range(min(batch, len(waiting)))]
        ready = collate(views + views[-1:] * (batch - len(views)), device)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            logits = recognizer(ready.frames, ready.keypoints)
        found = logits[: len(views)].float().softmax(-1)
        for view, probabilities in zip(views, found, strict=True):
            sums[view.clip_id] = sums.get(view.clip_id, 0) + probabilities.double().cpu()

    for row in rows:
        samples = views_of(row, recognizer.config, views, frames)
        counts[row["clip_id"]] = len(samples)
        waiting += samples
        while len(waiting) >= batch:
            flush()
    if waiting:
        flush()
    return {clip_id: (total / counts[clip_id]).tolist() for clip_id, total in sums.items()}


def views_of(row: Row, config: RecognizerConfig, views: int, frames: int | None = None) -> list[Sample]:
    """Up to ``views`` views of a shard's clip, as the network was trained to see it, or of another number of frames.

    Raises StageError where the model's joint layout is not that of the shard, and where the shard holds fewer frames
    than ``frames`` asks for.
    """
    if config.uses_pose and row["layout"] not in (None, config.layout):
        raise StageError(
            f"the model was trained on {config.layout} skeletons, but {row['clip_id']} has {row['layout']}: "
            "use the pose estimator it was trained with"
        )
    sample = sample_of(row, config.modality, config.persons)
    if frames is not None and frames > sample.frame_count:
        raise StageError(
            f"frames: {frames} frames are asked for, but the shard of {row['clip_id']} holds {sample.frame_count}: "
            f"ask for fewer, or let the stage that samples them give at least {frames}"
        )
    how = config.preprocessing
    chosen = fixed_views(
        sample.frame_count, frames or config.frames, views, how.get("scale", 1.0), how.get("flip", False)
    )
    return [apply_view(sample, view, config.size, config.layout) for view in chosen]
