"""Small clips for the stages' tests: a bright or dark square moves, and a skeleton of 17 joints with it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.stage_inputs import StageContext, TableFiles, VariantInputs
from stages.tables import CLIPS, SHARDS
from stages.train.stage import Train

Rows = list[dict[str, Any]]


def write_table(path: Path, rows: Rows, schema: pa.Schema) -> str:
    """Write rows as the store does, one a row group; returns the path."""
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, row_group_size=1, compression="none")
    return str(path)


def files_of(paths: Iterable[str]) -> TableFiles:
    return TableFiles(list(paths), lambda path: Path(path).open("rb"))


def clip_row(clip_id: str, label: str | None, split: str | None) -> dict[str, Any]:
    row = {"clip_id": clip_id, "source": "1:1", "path": f"/videos/{clip_id}.mp4", "label": label, "split": split}
    return dict.fromkeys(CLIPS.schema.names) | row


def shard_row(
    clip_id: str, kind: int, rng: np.random.Generator, size: int, frames: int, persons: int
) -> dict[str, Any]:
    """kind 0: bright, moving right; kind 1: dark, moving down."""
    keypoints = np.zeros((persons, frames, 17, 3), np.float32)
    images = []
    for t in range(frames):
        moved = 0.2 + 0.5 * t / frames
        x, y = (moved, 0.4) if kind == 0 else (0.4, moved)
        image = rng.integers(90, 130, (size, size, 3)).astype(np.uint8)
        corner, edge = (int(x * size), int(y * size)), int(0.2 * size)
        cv2.rectangle(image, corner, (corner[0] + edge, corner[1] + edge), (230,) * 3 if kind == 0 else (10,) * 3, -1)
        images.append(cv2.imencode(".jpg", image)[1].tobytes())
        places = rng.random((persons, 17, 2)) * 0.2 + (x, y)
        keypoints[:, t] = np.concatenate([places, np.ones((persons, 17, 1))], -1)
    return {
        "clip_id": clip_id,
        "error": None,
        "frames": images,
        "keypoints": keypoints.astype(np.float16).tobytes(),
        "persons": persons,
        "layout": "coco17",
        "times": [t / 10 for t in range(frames)],
    }


RUN = """
import sys
from pathlib import Path
import pyarrow.parquet as pq
from pipeline.stage_inputs import StageContext, TableFiles, VariantInputs
from stages.train.stage import Train
folder = Path(sys.argv[1])
stage = Train.model_validate_json(sys.argv[2])
files = TableFiles(sys.argv[3:], lambda path: Path(path).open("rb"))
inputs = VariantInputs("", pq.read_table(folder / "clips.parquet"), {"shards": files})
stage.run([inputs], StageContext(folder, lambda *a, **b: None))
"""


@pytest.fixture
def training_process() -> Callable[[Path, Train, pa.Table, TableFiles], subprocess.Popen[bytes]]:
    """Start a training with this working folder in a process of its own, which the test has to end."""

    def start(folder: Path, stage: Train, clips: pa.Table, files: TableFiles) -> subprocess.Popen[bytes]:
        folder.mkdir(exist_ok=True)
        pq.write_table(clips, folder / "clips.parquet")
        parameters = stage.model_dump_json(exclude_defaults=True)
        return subprocess.Popen([sys.executable, "-c", RUN, str(folder), parameters, *files.paths])

    return start


@pytest.fixture
def checkpointed() -> Callable[[Path], dict[str, Any]]:
    """How far the checkpoint in a training's working folder is; nothing while there is none."""

    def progress(folder: Path) -> dict[str, Any]:
        path = folder / "checkpoint.safetensors"
        if not path.exists():
            return {}
        content = path.read_bytes()  # at one go: the next checkpoint may take its place at any moment
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        return json.loads(header["__metadata__"]["progress"])

    return progress


@pytest.fixture(name="write_table")
def write_table_fixture() -> Callable[[Path, Rows, pa.Schema], str]:
    return write_table


@pytest.fixture(name="files_of")
def files_of_fixture() -> Callable[[Iterable[str]], TableFiles]:
    return files_of


@pytest.fixture(name="clip_row")
def clip_row_fixture() -> Callable[[str, str | None, str | None], dict[str, Any]]:
    return clip_row


@pytest.fixture
def made_set(tmp_path: Path) -> Callable[..., tuple[pa.Table, TableFiles]]:
    """Make clips of two classes and their shards, three clips a file: ``made_set(count, **change)``."""

    def make(
        count: int = 12, size: int = 32, frames: int = 4, persons: Callable[[int], int] = lambda i: 1 + i % 2
    ) -> tuple[pa.Table, TableFiles]:
        rng = np.random.default_rng(0)
        clips, shards = [], []
        for i in range(count):
            kind = i % 2
            clip_id = f"{('right', 'down')[kind]}/{i:02}"
            clips.append(clip_row(clip_id, ("right", "down")[kind], "test" if i % 6 > 3 else "train"))
            shards.append(shard_row(clip_id, kind, rng, size, frames, persons(i)))
        folder = tmp_path / "shards"
        folder.mkdir(exist_ok=True)
        paths = [write_table(folder / f"{i}.parquet", shards[i : i + 3], SHARDS.schema) for i in range(0, count, 3)]
        return pa.Table.from_pylist(clips, schema=CLIPS.schema), files_of(paths)

    return make


@pytest.fixture
def context(tmp_path: Path) -> StageContext:
    folder = tmp_path / "work"
    folder.mkdir()
    return StageContext(folder, lambda done, total, **figures: None)


@pytest.fixture
def variant() -> Callable[..., list[VariantInputs]]:
    """The input of a whole stage: ``variant(clips, shards=...)``; tables in memory or table files."""

    def make(clips: pa.Table, **inputs: Any) -> list[VariantInputs]:
        return [VariantInputs("", clips, inputs)]

    return make
