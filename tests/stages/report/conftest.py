"""Real inputs of a report: Parquet files of every table, with JPEG frames and skeletons that follow a moving square."""

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure
from safetensors.numpy import save

from pipeline.stage import Table
from pipeline.stage_inputs import TableFiles, VariantInputs
from recognizer.skeletons import COCO17
from stages.report import curves, plot, reliability
from stages.tables import CLIPS, METRICS, MODELS, PREDICTIONS, SHARDS, SKELETONS
from stages.train.calibration import calibration_error
from stages.train.calibration import reliability as reliability_bins

FRAMES, SIZE, PER_CLASS, PARTITION = 8, 48, 3, 4

MakeVariant = Callable[..., VariantInputs]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that charts are drawn in, in order."""
    figures: list[Figure] = []

    def kept(*args: Any, **options: Any) -> Figure:
        figures.append(Figure(*args, **options))
        return figures[-1]

    for module in (curves, plot, reliability):
        monkeypatch.setattr(module, "Figure", kept)
    return figures


@pytest.fixture
def make_variant(tmp_path: Path) -> MakeVariant:
    """A function that writes the tables of one variant. Clips are counted class by class.

    tested: positions of the test clips; all unless given. wrong: of those recognized wrongly; every third unless given.
    """

    def make(
        name: str = "",
        classes: tuple[str, ...] = ("wave", "jump"),
        clip_names: tuple[str, ...] = (),
        epochs: int = 3,
        loss: float = 2.0,
        without: tuple[str, ...] = (),
        pose_alone: bool = False,
        labels_of_axes: dict[str, Any] | None = None,
        tested: Collection[int] | None = None,
        wrong: Collection[int] | None = None,
        config: str = '{"width": 32}',
    ) -> VariantInputs:
        labels = [label for label in classes for _ in range(PER_CLASS)]
        ids = [*clip_names, *(f"{i:03d}.mp4" for i in range(len(labels)))][: len(labels)]
        tested = range(len(ids)) if tested is None else tested
        wrong = range(PER_CLASS - 1, len(ids), PER_CLASS) if wrong is None else wrong
        guesses = [(i // PER_CLASS + (i in wrong)) % len(classes) for i in range(len(ids))]
        found = metrics(classes, [labels[i] for i in tested], [guesses[i] for i in tested])
        wanted: dict[Table, list[dict[str, Any]]] = {
            METRICS: [{"metrics": json.dumps(found)}],
            MODELS: [{"config": config, "weights": weights(), "history": json.dumps(history(epochs, loss))}],
            PREDICTIONS: [prediction(ids[i], classes, guesses[i]) for i in tested],
            SHARDS: [shard(clip_id, k, pose_alone) for k, clip_id in enumerate(ids)],
            SKELETONS: [{"clip_id": clip_id, "persons": 1, "estimator": "hrnet_mini"} for clip_id in ids],
        }
        folder = tmp_path / "tables" / (name or "only")
        inputs = {table.name: files(table, rows, folder) for table, rows in wanted.items() if table.name not in without}
        clips = [
            {"clip_id": clip_id, "source": "1:1", "path": clip_id, "label": label}
            | {"split": "test" if i in tested else "train"}
            for i, (clip_id, label) in enumerate(zip(ids, labels, strict=True))
        ]
        labels_of_axes = ({"variant": name} if name else {}) if labels_of_axes is None else labels_of_axes
        return VariantInputs(name, pa.Table.from_pylist(clips, schema=CLIPS.schema), inputs, labels_of_axes)

    return make


def files(table: Table, rows: list[dict[str, Any]], folder: Path) -> TableFiles:
    """Write the rows in partitions, as the store does."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for start in range(0, len(rows), PARTITION):
        path = folder / f"{table.name}-{start}.parquet"
        pq.write_table(pa.Table.from_pylist(rows[start : start + PARTITION], schema=table.schema), path)
        paths.append(str(path))
    return TableFiles(paths, lambda path: Path(path).open("rb"))


def metrics(classes: tuple[str, ...], labels: list[str], guesses: list[int]) -> dict[str, Any]:
    confusion = np.zeros((len(classes), len(classes)), int)
    for label, guess in zip(labels, guesses, strict=True):
        confusion[classes.index(label), guess] += 1
    right = int(np.trace(confusion)) / len(labels)
    hits = np.array([classes.index(label) == guess for label, guess in zip(labels, guesses, strict=True)])
    bins = reliability_bins(np.full(len(labels), 0.9), hits)
    return {
        "top1": right,
        "top5": 1.0,
        "mean_class": right,
        "clips": len(labels),
        "ece": calibration_error(bins),
        "reliability": [own.means() for own in bins],
        "failed": 1,
        "split": "test",
        "classes": list(classes),
        "confusion": confusion.tolist(),
        "per_class": {
            name: {"clips": int(row.sum()), "accuracy": float(row[i] / row.sum()) if row.any() else None}
            for i, (name, row) in enumerate(zip(classes, confusion, strict=True))
        },
        "top1_interval": [max(0.0, right - 0.2), min(1.0, right + 0.2)],
        "wrong": [],
    }


def history(epochs: int, loss: float) -> list[dict[str, Any]]:
    return [
        {"epoch": i + 1, "loss": loss / (i + 1), "accuracy": 0.5, "lr": 1e-3, "val_loss": None, "val_accuracy": None}
        for i in range(epochs)
    ]


def weights() -> bytes:
    return save({"a": np.zeros((4, 5), np.float32), "b": np.zeros(3, np.float32)})


def prediction(clip_id: str, classes: tuple[str, ...], guess: int) -> dict[str, Any]:
    probabilities = np.full(len(classes), 0.1)
    probabilities[guess] = 0.9
    return {"clip_id": clip_id, "probabilities": probabilities.tolist(), "class_names": list(classes)}


def shard(clip_id: str, shift: int, pose_alone: bool) -> dict[str, Any]:
    frames = []
    for t in range(FRAMES):
        image = np.full((SIZE, SIZE, 3), 90, np.uint8)
        cv2.rectangle(image, (4 * t, shift % 20), (4 * t + 10, shift % 20 + 20), (30, 180, 60), -1)
        frames.append(cv2.imencode(".jpg", image)[1].tobytes())
    keypoints = np.random.default_rng(shift).uniform(0.2, 0.8, (1, FRAMES, COCO17.count, 3)).astype(np.float16)
    return {
        "clip_id": clip_id,
        "frames": None if pose_alone else frames,
        "keypoints": keypoints.tobytes(),
        "persons": 1,
        "layout": COCO17.name,
        "times": None if pose_alone else [t / 10 for t in range(FRAMES)],
    }
