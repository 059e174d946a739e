"""Chooses clips worth looking at, right and wrong ones, and draws a few frames of each with the skeletons on them."""

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
from stages.report.overlay import draw_skeletons

FRAMES = 6
"""Frames shown of a clip, evenly spaced."""
SIDE = 232
"""Pixels of a frame's longer side on the page; smaller ones are enlarged first, so that skeletons stay fine lines."""
JPEG_QUALITY = 80
BLANK = (30, 34, 42)
"""Behind the skeletons of a recognizer that sees no frames."""


class Sample(NamedTuple):
    """A clip and what it was taken for."""

    clip_id: str
    label: str
    predicted: str
    probability: float


class Strip(NamedTuple):
    """Some frames of a clip as JPEG images."""

    images: list[bytes]
    times: list[float] | None
    """Seconds from the first frame of the file; None where the shards do not say, as those of skeletons alone."""


def choose(clips: pa.Table, predictions: TableFiles, count: int) -> list[Sample]:
    """Up to ``count`` clips, half of them wrong ones where there are so many, wrong ones first.

    Wrong: the most confident ones, every confusion once before any twice. Right: every class once before any twice,
    else in an order that depends on nothing but the clip's id.
    """
    labels = dict(zip(clips["clip_id"].to_pylist(), clips["label"].to_pylist(), strict=True))
    right: list[Sample] = []
    wrong: list[Sample] = []
    for row in _predicted_rows(predictions):
        label = labels.get(row["clip_id"])
        if label is None:
            continue
        best = int(np.argmax(row["probabilities"]))
        sample = Sample(row["clip_id"], label, row["class_names"][best], float(row["probabilities"][best]))
        (right if sample.predicted == label else wrong).append(sample)
    wrong.sort(key=lambda sample: (-sample.probability, sample.clip_id))
    right.sort(key=lambda sample: hashlib.sha256(sample.clip_id.encode()).digest())
    wrong, right = _each_kind_first(wrong), _each_kind_first(right)
    shown = wrong[: max(count // 2, count - len(right))]
    return shown + right[: count - len(shown)]


def _predicted_rows(predictions: TableFiles) -> Iterator[Row]:
    for table in predictions:
        yield from (row for row in table.to_pylist() if row["error"] is None)


def _each_kind_first(samples: list[Sample]) -> list[Sample]:
    """The same samples in rounds: the first of every (label, predicted) pair, then the second ones, and so on."""
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
    chosen = np.unique(np.linspace(0, count - 1, min(FRAMES, count)).round().astype(int))
    images = []
    for i in chosen:
        image = _tile(frames[i] if frames else None)
        if skeletons is not None:
            image = draw_skeletons(image, skeletons[:, i], shard["layout"])
        _, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        images.append(jpeg.tobytes())
    return Strip(images, [round(float(times[i]), 2) for i in chosen] if times else None)


def _tile(jpeg: bytes | None) -> np.ndarray:
    """The frame, uint8 H,W,3 RGB, with its longer side SIDE pixels long; a dark square where there is none."""
    if jpeg is None:
        return np.full((SIDE, SIDE, 3), BLANK, np.uint8)
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise StageError("a frame in the shards is no JPEG image; make them again with --force on the cache stage")
    scale = SIDE / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
