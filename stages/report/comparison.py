"""Compares the variants of a matrix: variants that only repeat each other are pooled into one row.

Variants of a row that are tested on different clips are folds, and their clips are put together. Variants tested on the
same clips are repetitions (seeds), and their mean is taken. Intervals are over clips: a clip counts once, however often
it was predicted. Where clips come in groups, such as recordings, intervals are over groups.
"""

import json
import math
from collections.abc import Hashable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc

from pipeline.errors import StageError
from pipeline.stage_inputs import VariantInputs
from stages.predict.intervals import accuracy_interval, count_groups, per_group, wilson_interval
from stages.tables import PREDICTIONS
from stages.train.calibration import Bin, calibration_error

RESAMPLES = 2000
"""Of the bootstrap."""

TOP = 5
"""Top-5 is shown only where there are more classes than this: among fewer, every answer is a hit."""

CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")
"""The figures of an epoch that the page draws."""

Metrics = dict[str, Any]
Row = dict[str, Any]


class VariantResult(NamedTuple):
    """What the comparison needs of one variant."""

    labels: dict[str, Any]
    metrics: Metrics
    tested: frozenset[str]
    """The clips of the split that was evaluated."""
    right: dict[str, bool]
    """Whether each predicted clip was recognized; empty where the variant has no predictions."""
    groups: Mapping[str, str | None] = {}
    """The recording of each clip that was predicted and is not alone."""

    @classmethod
    def of(cls, variant: VariantInputs, metrics: Metrics) -> "VariantResult":
        tested = variant.clips
        if "split" in tested.column_names:
            tested = tested.filter(pc.equal(tested["split"], metrics["split"]))
        truth = {row["clip_id"]: row["label"] for row in tested.select(["clip_id", "label"]).to_pylist()}
        grouped = tested.select(["clip_id", "group"]).to_pylist() if "group" in tested.column_names else ()
        groups = {row["clip_id"]: row["group"] for row in grouped if row["group"] is not None}
        right = {}
        for partition in variant.inputs.get(PREDICTIONS.name, ()):
            for row in partition.to_pylist():
                if row["error"] is None and truth.get(row["clip_id"]) is not None:
                    predicted = row["class_names"][int(np.argmax(np.array(row["probabilities"], np.float32)))]
                    right[row["clip_id"]] = predicted == truth[row["clip_id"]]
        return cls(dict(variant.labels), metrics, frozenset(truth), right, groups)


def compare(variants: Sequence[VariantResult], pool: Sequence[str]) -> dict[str, Any]:
    """The rows of the comparison, JSON-ready, in the order of their first variant.

    pool: the axes along which variants are pooled into one row, such as seeds and folds.

    ``axes`` are the other axes that have several labels, and ``titles`` their short names. Each row holds its
    ``labels`` on these axes, the positions of its variants (``members``), the number of its ``folds`` and repetitions
    (``repeats``), ``metrics`` like those of one variant, the accuracy of each repetition (``accuracies``) and their
    standard deviation ``sd``, and the ``difference`` to the best row with its interval, where both rows have
    predictions of the same clips.
    """
    known = list(dict.fromkeys(axis for variant in variants for axis in variant.labels))
    kept = [axis for axis in known if axis not in pool]
    axes = [axis for axis in kept if len({_key(variant.labels.get(axis)) for variant in variants}) > 1]
    groups: dict[Hashable, list[int]] = {}
    for i, variant in enumerate(variants):
        groups.setdefault(tuple(_key(variant.labels.get(axis)) for axis in kept), []).append(i)
    rows = []
    for members in groups.values():
        first = variants[members[0]]
        row = _row([variants[i] for i in members])
        rows.append({"labels": {axis: first.labels.get(axis) for axis in axes}, "members": members} | row)
    best = max(range(len(rows)), key=lambda i: rows[i]["metrics"]["top1"])
    shares = [_mean_right([variants[i] for i in row["members"]]) for row in rows]
    group_of = _groups(variants)
    for i, row in enumerate(rows):
        row["difference"] = _difference(shares[i], shares[best], group_of) if i != best else None
    pooled = [axis for axis in known if axis in pool]
    return {"axes": axes, "pool": pooled, "titles": _titles([*axes, *pooled]), "rows": rows, "best": best}


def shows_top5(metrics: Metrics) -> bool:
    """Whether there are enough classes for top-5 to say anything."""
    return len(metrics["classes"]) > TOP


def _titles(axes: list[str]) -> dict[str, str]:
    """Short names of axes: the last part of a dotted name, unless two axes share it."""
    last = [axis.rpartition(".")[2] for axis in axes]
    return {axis: short if last.count(short) == 1 else axis for axis, short in zip(axes, last, strict=True)}


def row_text(row: Row, titles: dict[str, str]) -> str:
    """The name of a row outside of the table: ``modality rgb+pose, tokens cross``; empty for the only row."""
    if len(row["labels"]) == 1:
        return label_text(*row["labels"].values())
    return ", ".join(f"{titles[axis]} {label_text(row['labels'][axis])}" for axis in titles if axis in row["labels"])


def label_text(label: Any) -> str:
    """A label of an axis as readers see it."""
    if isinstance(label, list):
        return ", ".join(map(label_text, label))
    if isinstance(label, bool):
        return "yes" if label else "no"
    return "none" if label is None else str(label)


def _key(label: Any) -> str:
    return json.dumps(label, sort_keys=True)


def _row(variants: list[VariantResult]) -> dict[str, Any]:
    """The pooled figures of a row's variants."""
    folds: dict[frozenset[str], list[Metrics]] = {}
    for variant in variants:
        folds.setdefault(variant.tested, []).append(variant.metrics)
    repeats = min(map(len, folds.values()))
    if repeats * len(folds) < len(variants):
        raise StageError("the folds of a row have different numbers of repetitions: pool axes of one matrix only")
    accuracies = [_accuracy([fold[i] for fold in folds.values()]) for i in range(repeats)]
    clips = len(frozenset().union(*folds))
    times = repeats * sum(map(len, folds)) / max(clips, 1)  # folds may overlap, as where two sequences are left out
    metrics = [variant.metrics for variant in variants]
    return {
        "folds": len(folds),
        "repeats": repeats,
        "accuracies": accuracies,
        "sd": stdev(accuracies) if repeats > 1 else None,
        "metrics": metrics[0]
        if len(metrics) == 1
        else _pooled(metrics, times, accuracies) | _over_groups(_mean_right(variants), _groups(variants)),
    }


def _groups(variants: Sequence[VariantResult]) -> dict[str, str | None]:
    return {clip_id: group for variant in variants for clip_id, group in variant.groups.items()}


def _over_groups(shares: Mapping[str, float], group_of: Mapping[str, str | None]) -> Metrics:
    """The number of groups of pooled clips and the interval over them; nothing where each clip is alone.

    shares: how often each clip was recognized.
    """
    groups = [group_of.get(clip_id) for clip_id in shares]
    number = count_groups(groups)
    if number is None:
        return {}
    return {"groups": number, "top1_interval": list(accuracy_interval(list(shares.values()), groups))}


def _accuracy(folds: list[Metrics]) -> float:
    """Over all clips of the folds together."""
    return float(sum(fold["top1"] * fold["clips"] for fold in folds) / sum(fold["clips"] for fold in folds))


def _pooled(all_metrics: list[Metrics], times: float, accuracies: list[float]) -> Metrics:
    """Metrics of all test clips together, like those of one variant; ``confusion`` counts every repetition.

    times: how often each clip was tested, on average.

    The mean class accuracy is that of the pooled clips, since a fold may lack a class.
    """
    classes = list(dict.fromkeys(name for metrics in all_metrics for name in metrics["classes"]))
    confusion = np.zeros((len(classes), len(classes)), int)
    for metrics in all_metrics:
        places = [classes.index(name) for name in metrics["classes"]]
        confusion[np.ix_(places, places)] += np.array(metrics["confusion"], int)
    counts, hits = confusion.sum(1), confusion.diagonal()
    clips = round(sum(metrics["clips"] for metrics in all_metrics) / times)
    top1 = fmean(accuracies)
    per_class = {
        name: {"clips": round(int(count) / times), "accuracy": float(hit / count) if count else None}
        for name, count, hit in zip(classes, counts, hits, strict=True)
    }
    return (
        {
            "top1": top1,
            "top1_interval": list(wilson_interval(top1 * clips, clips)),
            "top5": fmean((metrics["top5"] for metrics in all_metrics), [metrics["clips"] for metrics in all_metrics]),
            "mean_class": fmean(
                figures["accuracy"] for figures in per_class.values() if figures["accuracy"] is not None
            ),
            "clips": clips,
            "failed": round(sum(metrics["failed"] for metrics in all_metrics) / times),
            "split": all_metrics[0]["split"],
            "classes": classes,
            "confusion": confusion.tolist(),
            "per_class": per_class,
        }
        | _lacking(all_metrics)
        | _pooled_reliability(all_metrics, times)
    )


def _pooled_reliability(all_metrics: list[Metrics], times: float) -> Metrics:
    """What scores are worth, over the clips of all variants; nothing where an evaluation of one's own did not count.

    times: how often each clip was tested. A clip that was tested three times is no three clips.
    """
    if any("reliability" not in metrics for metrics in all_metrics):
        return {}
    bins = [Bin.pooled(means) for means in zip(*(metrics["reliability"] for metrics in all_metrics), strict=True)]
    means = [own.means() | {"clips": math.ceil(own.clips / times)} for own in bins]
    return {"ece": calibration_error(bins), "reliability": means}


def _lacking(all_metrics: list[Metrics]) -> dict[str, list[str]]:
    """Classes that no variant was tested on, and those that any variant was tested on without training on them."""
    untested, unlearned = "classes_without_clips", "classes_without_training_clips"
    if any(untested not in metrics for metrics in all_metrics):
        return {}  # of an evaluation of one's own
    return {
        untested: sorted(set.intersection(*(set(metrics[untested]) for metrics in all_metrics))),
        unlearned: sorted(set.union(*(set(metrics[unlearned]) for metrics in all_metrics))),
    }


def _mean_right(variants: list[VariantResult]) -> dict[str, float]:
    """How often each clip was recognized, as a share of the variants it was tested in."""
    sums: dict[str, list[bool]] = {}
    for variant in variants:
        for clip_id, right in variant.right.items():
            sums.setdefault(clip_id, []).append(right)
    return {clip_id: fmean(rights) for clip_id, rights in sums.items()}


def _difference(
    shares: dict[str, float], best: dict[str, float], group_of: Mapping[str, str | None]
) -> dict[str, Any] | None:
    """Accuracy minus that of the best row, with the 95 % interval of a paired bootstrap over clips, or over groups."""
    if len(shares) < 2 or shares.keys() != best.keys():
        return None
    from scipy import stats  # takes as long to import as all the rest of the engine: only comparisons need it

    differences = np.array([shares[clip_id] - best[clip_id] for clip_id in sorted(shares)])
    groups = [group_of.get(clip_id) for clip_id in sorted(shares)]
    samples: tuple[np.ndarray, ...] = (differences,)
    statistic: Any = np.mean
    if count_groups(groups) is not None:
        samples, statistic = per_group(differences.tolist(), groups), _share
    if len(samples[0]) < 2:
        return None
    interval = stats.bootstrap(
        samples, statistic, paired=len(samples) > 1, n_resamples=RESAMPLES,
        batch=math.ceil(1e6 / len(differences)), method="percentile", rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return {"mean": float(differences.mean()), "interval": [float(interval.low), float(interval.high)]}


def _share(sums: np.ndarray, sizes: np.ndarray, axis: int = -1) -> np.ndarray:
    """The mean over the clips of groups."""
    return sums.sum(axis) / sizes.sum(axis)


def mean_history(histories: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The mean learning curve of several variants: at each epoch that all of them reached, over those with a figure."""
    return [
        {"epoch": epochs[0]["epoch"]} | {curve: _mean([epoch.get(curve) for epoch in epochs]) for curve in CURVES}
        for epochs in zip(*histories, strict=False)
    ]


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
