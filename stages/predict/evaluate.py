"""Evaluate: predictions compared with labels."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import StageError
from pipeline.stage import Problem, Stage, StageUse, WholeStage
from pipeline.stage_inputs import StageContext, VariantInputs
from pipeline.texts import count
from stages.predict.intervals import accuracy_interval, count_groups
from stages.tables import METRICS, PREDICTIONS
from stages.train.calibration import calibration_error, reliability

LISTED = 200
"""Misclassified clips that are listed one by one, at most."""


class Evaluate(WholeStage):
    """Computes accuracy and confusion matrix over the clips of a split, and counts what they leave out: clips without
    a prediction, classes without clips."""

    key_name: ClassVar[str | None] = "stages.evaluate:Evaluate"
    version: ClassVar[int] = 5
    makes = METRICS
    takes = (PREDICTIONS,)

    split: str = "test"
    """The split whose clips are evaluated."""

    def check(self, clips: pa.Table, upstream: Mapping[str, Stage]) -> Iterator[Problem]:
        predicted = getattr(upstream.get(PREDICTIONS.name), "split", None)
        labels = clips.filter(pc.equal(clips["split"], self.split))["label"]
        if predicted not in (None, self.split):
            yield Problem(
                f"split: {self.split} is compared with the labels, but {predicted} is predicted: give both the same"
            )
        elif not len(labels):
            yield Problem(
                f"no clip has the split {self.split}: set the split parameters of the index, or leave evaluate out"
            )
        elif labels.null_count == len(labels):
            yield Problem(f"none of the {len(labels):,} clips of the split {self.split} has a label")

    def run(self, variants: list[VariantInputs], context: StageContext) -> pa.Table:
        (variant,) = variants
        columns = ("clip_id", "label", "split", "group")
        rows = variant.clips.select([name for name in columns if name in variant.clips.column_names]).to_pylist()
        groups = {row["clip_id"]: row.get("group") for row in rows}
        labels = {row["clip_id"]: row["label"] for row in rows if row["split"] == self.split}
        found: dict[str, np.ndarray] = {}
        class_names: list[str] = []
        for partition in variant.inputs["predictions"]:
            for row in partition.to_pylist():
                if row["error"] is None and row["clip_id"] in labels:
                    found[row["clip_id"]] = np.array(row["probabilities"], np.float32)
                    class_names = row["class_names"]
        known = [clip_id for clip_id in labels if clip_id in found and labels[clip_id] is not None]
        if not known:
            raise StageError(self._nothing_to_compare(labels, found))
        metrics = figures(
            class_names, known, [labels[clip_id] for clip_id in known], [found[clip_id] for clip_id in known], groups
        )
        metrics |= _classes_without(rows, class_names, self.split, {labels[clip_id] for clip_id in known}) | {
            "failed": len(labels) - len(found),
            "unlabeled": len(found) - len(known),
            "split": self.split,
        }
        return pa.Table.from_pylist([{"metrics": json.dumps(metrics)}], schema=self.makes.schema)

    def _nothing_to_compare(self, labels: dict[str, str | None], found: dict[str, Any]) -> str:
        if not labels:
            return f"no clip has the split {self.split}: set the split parameters of the index, or split of evaluate"
        if not found:
            return (
                f"none of the {len(labels)} clips of the split {self.split} has a prediction: see `pipeline failures`, "
                "and give predict the same split"
            )
        return f"none of the {len(found)} predicted clips of the split {self.split} has a label"

    def export(self, table: pa.Table, folder: Path, run_folder: Path) -> str:
        """Write ``metrics.json``."""
        from pipeline.files import replace_file

        metrics = json.loads(table["metrics"][0].as_py())
        replace_file(folder / "metrics.json", json.dumps(metrics, indent=1, ensure_ascii=False).encode())
        return f"{accuracy_text(metrics)}: {folder / 'metrics.json'}"

    def export_uses(self, uses: Sequence[StageUse], folder: Path, name: str, partition: int) -> None:
        """Write the figures into the card of the model, if it was trained for the same folder."""
        from pipeline.registry import load_stage
        from stages.train.model_card import write_card
        from stages.train.stage import Train

        trained = any(issubclass(load_stage(use.uses), Train) for use in uses)
        if trained and (folder / "model" / "config.json").is_file():
            write_card(folder / "model", json.loads((folder / "metrics.json").read_bytes()))


def figures(
    class_names: list[str],
    clip_ids: list[str],
    labels: list[str],
    probabilities: Sequence[Any],
    group_of: Mapping[str, str | None] = {},
) -> dict[str, Any]:
    """The metrics of N predicted clips, as values that JSON can hold.

    group_of: the recording of each clip that is not alone.

    Labels that the model does not know become additional classes, for which it is always wrong. ``mean_class`` is the
    mean accuracy over the classes that have clips. ``top1_interval`` is Wilson's 95 % interval; where clips come in
    groups, it is over the ``groups``, of which there are so many. ``ece`` is the expected calibration error over the
    bins under ``reliability``, equal spans of the score: the clips in each, their mean score, and their accuracy.
    """
    names = [*class_names, *sorted(set(labels) - set(class_names))]
    p_NK = np.zeros((len(labels), len(names)))
    p_NK[:, : len(class_names)] = probabilities
    truth_N = np.array([names.index(label) for label in labels])
    predicted_N = p_NK.argmax(1)

    matrix = np.zeros((len(names), len(names)), np.int64)
    np.add.at(matrix, (truth_N, predicted_N), 1)
    clips_K, correct_K = matrix.sum(1), matrix.diagonal()
    accuracy_K = correct_K / np.maximum(clips_K, 1)
    known = int((truth_N < len(class_names)).sum())
    top5_N5 = np.argsort(-p_NK[:, : len(class_names)], axis=1, kind="stable")[:, :5]
    hits = (top5_N5 == truth_N[:, None]).sum()
    # Rounded to single precision, as earlier versions did, so that the same predictions have the same figures.
    top5_of_known = np.float32(hits / known) if known else 0.0
    groups = [group_of.get(clip_id) for clip_id in clip_ids]
    bins = reliability(p_NK.max(1), predicted_N == truth_N)
    wrong = [
        {
            "clip_id": clip_ids[i],
            "label": labels[i],
            "predicted": names[predicted_N[i]],
            "probability": round(float(p_NK[i].max()), 4),
        }
        for i in np.flatnonzero(predicted_N != truth_N)[:LISTED]
    ]
    return {
        "top1": float(correct_K.sum() / len(labels)),
        "top1_interval": list(accuracy_interval((predicted_N == truth_N).tolist(), groups)),
        "top5": float(top5_of_known) * (known / len(labels)),
        "mean_class": float(accuracy_K[clips_K > 0].mean()),
        "clips": len(labels),
        "groups": count_groups(groups),
        "ece": calibration_error(bins),
        "reliability": [own.means() for own in bins],
        "classes": names,
        "confusion": matrix.tolist(),
        "per_class": {
            name: {"clips": int(clips), "accuracy": float(accuracy) if clips else None}
            for name, clips, accuracy in zip(names, clips_K, accuracy_K, strict=True)
        },
        "wrong": wrong,
    }


def _classes_without(
    rows: list[dict[str, Any]], class_names: list[str], split: str, evaluated: set[str | None]
) -> dict[str, list[str]]:
    """The classes of which no clip of the split was predicted, and those that no training clip shows but one of the
    split.

    class_names: those of the model, which is all that is known of its training if the index has no training clips.
    evaluated: the classes of the clips that were predicted.
    """
    of_split, trained, all_of_them = (
        {row["label"] for row in rows if row["label"] is not None and wanted(row["split"])}
        for wanted in (lambda own: own == split, lambda own: own == "train", lambda own: True)
    )
    learned = trained & set(class_names) if trained else set(class_names)
    return {
        "classes_without_clips": sorted((all_of_them | set(class_names)) - evaluated),
        "classes_without_training_clips": sorted(of_split - learned),
    }


Metric = Literal["top1", "mean_class"]
"""The figure that a data set is compared by."""


def accuracy_text(metrics: dict[str, Any], first: Metric = "top1") -> str:
    """``top-1 95.1 % (90.3 to 97.6), mean class 95.1 %, 144 clips``, or the mean over classes first.

    Then what the figures leave out: ``144 clips of 12 groups, 3 failed, 1 class without clips``.
    """
    low, high = metrics["top1_interval"]
    clips = count(metrics["clips"], "clip")
    clips += f" of {count(metrics['groups'], 'group')}" if metrics.get("groups") else ""
    clips += f", {metrics['failed']:,} failed" if metrics.get("failed") else ""
    for lack in ("clips", "training clips"):
        if classes := metrics.get(f"classes_without_{lack.replace(' ', '_')}"):
            clips += f", {len(classes):,} class{'' if len(classes) == 1 else 'es'} without {lack}"
    figures = [
        f"top-1 {100 * metrics['top1']:.1f} % ({100 * low:.1f} to {100 * high:.1f})",
        f"mean class {100 * metrics['mean_class']:.1f} %",
    ]
    return ", ".join([*(figures if first == "top1" else reversed(figures)), clips])
