"""Gathers the part of the page that depends only on the inputs: figures, learning curves, sample clips."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pyarrow.compute as pc

from pipeline.stage import Row
from pipeline.stage_inputs import TableFiles, VariantInputs
from recognizer.model import Recognizer
from stages.explanation.attention import attended
from stages.explanation.drawing import pictures
from stages.images import encoded
from stages.predict.intervals import count_groups
from stages.report.comparison import VariantResult, compare
from stages.report.samples import choose, draw
from stages.tables import METRICS, MODELS, PREDICTIONS, SHARDS, SKELETONS

EXPLAINED = 3
"""Sample clips that are also shown with the attention of the network."""


def gather(variants: list[VariantInputs], samples: int, pool: Sequence[str]) -> tuple[str, list[bytes]]:
    """Return the facts, as JSON with sorted keys, and the JPEG images that the facts refer to by position.

    pool: the axes along which variants are pooled into one row.

    The sample clips are those of the first variant, which the page shows in most detail.
    """
    images: list[bytes] = []
    figures = [_figures(variant) for variant in variants]
    results = [VariantResult.of(variant, one["metrics"]) for variant, one in zip(variants, figures, strict=True)]
    facts = {
        "data": _data(variants[0]),
        "variants": figures,
        "comparison": compare(results, pool),
        "samples": _samples(variants[0], figures[0]["metrics"]["split"], samples, images),
    }
    return json.dumps(_finite(facts), sort_keys=True, ensure_ascii=False, allow_nan=False), images


def _data(variant: VariantInputs) -> dict[str, Any]:
    """The number of clips in the index, and of the groups that they come in, by split."""
    splits = [split or "without a split" for split in variant.clips["split"].to_pylist()]
    known = variant.clips["group"].to_pylist() if "group" in variant.clips.column_names else [None] * len(splits)
    of_split: defaultdict[str, list[str | None]] = defaultdict(list)
    for split, group in zip(splits, known, strict=True):
        of_split[split].append(group)
    groups = {split: count_groups(own) for split, own in of_split.items()}
    return {"clips": len(splits), "splits": Counter(splits), "groups": groups}


def _figures(variant: VariantInputs) -> dict[str, Any]:
    """The metrics of a variant, and how it was trained."""
    metrics = json.loads(variant.inputs[METRICS.name].read()["metrics"][0].as_py())
    figures = {"name": variant.name, "metrics": metrics, "history": [], "config": None, "parameters": None}
    if MODELS.name in variant.inputs:
        model = variant.inputs[MODELS.name].read().to_pylist()[0]
        figures["history"] = json.loads(model["history"] or "[]")
        figures["config"] = json.loads(model["config"] or "null")
        figures["parameters"] = _parameter_count(model["weights"])
    return figures


def _parameter_count(weights: bytes | None) -> int | None:
    """Number of values in a safetensors file, according to its header: 8 bytes of length, then JSON with the shapes."""
    if not weights:
        return None
    header = json.loads(weights[8 : 8 + int.from_bytes(weights[:8], "little")])
    return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")


def _samples(variant: VariantInputs, split: str, count: int, images: list[bytes]) -> list[dict[str, Any]]:
    """Draw up to ``count`` clips of the split that was evaluated, appending to ``images``.

    Returns the facts about each clip; none if the variant has no predictions or no shards.
    """
    if count == 0 or PREDICTIONS.name not in variant.inputs or SHARDS.name not in variant.inputs:
        return []
    tested = variant.clips.filter(pc.equal(variant.clips["split"], split))
    chosen = choose(tested, variant.inputs[PREDICTIONS.name], count)
    clip_ids = {sample.clip_id for sample in chosen}
    shards = {row["clip_id"]: row for row in _rows_of(clip_ids, variant.inputs[SHARDS.name])}
    estimators = {}
    if SKELETONS.name in variant.inputs:
        skeletons = _rows_of(clip_ids, variant.inputs[SKELETONS.name], ["clip_id", "error", "estimator"])
        estimators = {row["clip_id"]: row["estimator"] for row in skeletons}

    recognizer = _recognizer(variant)
    facts: list[dict[str, Any]] = []
    for sample in chosen:
        if sample.clip_id not in shards:
            continue
        shard = shards[sample.clip_id]
        strip = draw(shard)
        facts.append(
            sample._asdict()
            | {
                "images": list(range(len(images), len(images) + len(strip.images))),
                "times": strip.times,
                "persons": shard["persons"] if shard["keypoints"] else None,
                "estimator": estimators.get(sample.clip_id),
            }
        )
        images.extend(strip.images)
        facts[-1]["attention"] = _attention(recognizer, shard, images) if recognizer and len(facts) <= EXPLAINED else []
    return facts


def _recognizer(variant: VariantInputs) -> Recognizer | None:
    """The trained network; None without a model, or if the model of a custom stage is not a recognizer."""
    if MODELS.name not in variant.inputs:
        return None
    model = variant.inputs[MODELS.name].read().to_pylist()[0]
    try:
        return Recognizer.deserialize(model["config"], model["weights"])
    except ValueError:
        return None


def _attention(recognizer: Recognizer, shard: Row, images: list[bytes]) -> list[dict[str, Any]]:
    """Draw the attention of the network, appending to ``images``."""
    facts = []
    for picture in pictures(attended(recognizer, shard)):
        facts.append({"caption": picture.caption, "image": len(images)})
        images.append(encoded(picture.image, ".jpg"))
    return facts


def _rows_of(clip_ids: Collection[str], files: TableFiles, columns: list[str] | None = None) -> Iterator[Row]:
    """The rows of some clips, without those that failed; reads only as much of the table as necessary."""
    left = set(clip_ids)
    for path in files.paths:
        if not left:
            return
        if left.isdisjoint(files.read_one(path, ["clip_id"])["clip_id"].to_pylist()):
            continue
        table = files.read_one(path, columns)
        for i, clip_id in enumerate(table["clip_id"].to_pylist()):
            if clip_id in left:
                left.remove(clip_id)
                row = table.slice(i, 1).to_pylist()[0]
                if row["error"] is None:
                    yield row


def _finite(value: Any) -> Any:
    """The same JSON value with null for NaN and infinity, which JSON cannot express."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
