"""Chooses correctly and wrongly recognized clips, and draws some frames of each with the skeletons."""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow as pa

from pipeline.errors import StageError
from pipeline.stage import Row
from pipeline.stage_inputs import TableFiles
from stages.cache.shards import keypoints_of
from stages.frame_sampling import sample_frames
from stages.images import encoded, tile
from stages.overlay import draw_skeletons

FRAMES = 6
"""Frames shown per clip, evenly spaced."""
SIDE = 232
"""Pixels of a frame's longer side on the page."""
JPEG_QUALITY = 80


class ShownClip(NamedTuple):
    """A clip and how it was recognized."""

    clip_id: str
    label: str
    predicted: str
    probability: float


class Strip(NamedTuple):
    """Some frames of a clip as JPEG images."""

    images: list[bytes]
    times: list[float] | None
    """Seconds from the first frame of the file; None if the shards have no times, as with skeletons alone."""


def choose(clips: pa.Table, predictions: TableFiles, count: int) -> list[ShownClip]:
    """Up to ``count`` clips, wrong ones first; half of them are wrong if there are enough.

    Wrong: the most confident ones, every confusion once before any appears twice. Right: every class once before any
    appears twice, otherwise in an order that depends only on the clip's id.
    """
    labels = dict(zip(clips["clip_id"].to_pylist(), clips["label"].to_pylist(), strict=True))
    right: list[ShownClip] = []
    wrong: list[ShownClip] = []
    for row in _predicted_rows(predictions):
        label = labels.get(row["clip_id"])
        if label is None:
            continue
        best = int(np.argmax(row["probabilities"]))
        sample = ShownClip(row["clip_id"], label, row["class_names"][best], float(row["probabilities"][best]))
        (right if sample.predicted == label else wrong).append(sample)
    wrong.sort(key=lambda sample: (-sample.probability, sample.clip_id))
    right.sort(key=lambda sample: hashlib.sha256(sample.clip_id.encode()).digest())
    wrong, right = _each_kind_first(wrong), _each_kind_first(right)
    shown = wrong[: max(count // 2, count - len(right))]
    return shown + right[: count - len(shown)]


def _predicted_rows(predictions: TableFiles) -> Iterator[Row]:
    for table in predictions:
        yield from (row for row in table.to_pylist() if row["error"] is None)


def _each_kind_first(samples: list[ShownClip]) -> list[ShownClip]:
    """The same clips in rounds: the first of each (label, predicted) pair, then the second ones, and so on."""
    seen: dict[tuple[str, str], int] = {}
    rounds = []
    for sample in samples:
        kind = (sample.label, sample.predicted)
        seen[kind] = seen.get(kind, 0) + 1
        rounds.append(seen[kind])
    return [sample for _, sample in sorted(zip(rounds, samples, strict=True), key=lambda pair: pair[0])]


def draw(shard: Row) -> Strip:
    """The strip of one row of the shards: frames, skeletons or both."""
    frames, times = shard["frames"], shard["times"]
    skeletons = keypoints_of(shard) if shard["keypoints"] else None
    count = len(frames) if skeletons is None else skeletons.shape[1]
    shown = sample_frames(count, min(FRAMES, count))
    images = []
    for i in shown:
        image = tile(_decoded(frames[i]) if frames else None, SIDE)
        if skeletons is not None:
            image = draw_skeletons(image, skeletons[:, i], shard["layout"])
        images.append(encoded(image, ".jpg", JPEG_QUALITY))
    return Strip(images, [round(float(times[i]), 2) for i in shown] if times else None)


def _decoded(jpeg: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise StageError("a frame in the shards is not a JPEG image: make the shards again with --force on their stage")
    return image
