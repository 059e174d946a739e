"""Real Ray Train workers, real kills."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest
from private_nodes import lose, private_node, ray_cluster, wait_for_cpus

from pipeline.errors import StageError
from pipeline.jobs import WholeJob, do_whole
from pipeline.stage_inputs import StageContext, TableFiles, VariantInputs
from pipeline.store import Store
from stages.train.stage import Train

ray = pytest.importorskip("ray")

TINY = {"width": 4, "size": 16, "heads": 2, "blocks": 1, "dropout": 0.1}
COMMON: dict[str, Any] = {"model": TINY, "batch": 5, "threads": 1, "device": "cpu", "precision": "fp32"}


def history(folder: Path, clips: pa.Table, files: TableFiles, **recipe: Any) -> list[dict[str, Any]]:
    folder.mkdir(exist_ok=True)
    context = StageContext(folder, lambda done, total, **figures: None)
    row = Train(**COMMON | recipe).run([VariantInputs("", clips, {"shards": files})], context).to_pylist()[0]
    return json.loads(row["history"])


def same(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> bool:
    pairs = zip(one, other, strict=True)
    figures = ("loss", "val_loss")
    return all(a["lr"] == b["lr"] and all(a[x] == pytest.approx(b[x], rel=1e-3) for x in figures) for a, b in pairs)


def workers() -> list[psutil.Process]:
    here = psutil.Process().children(recursive=True)
    return [process for process in here if "RayTrainWorker" in " ".join(process.cmdline())]


def test_two_workers_give_the_loss_curve_of_one_though_one_is_killed(made_set, checkpointed, tmp_path):
    clips, files = made_set(16)
    recipe = {"epochs": 20, "accumulate": 2, "ema": 0.9, "lr": 5e-4}
    together = tmp_path / "together"
    together.mkdir()
    shown: list[tuple[float, float]] = []
    killed: list[psutil.Process] = []

    def progress(done: float, total: float, /, **figures: Any) -> None:
        shown.append((done, total))
        if not killed and checkpointed(together).get("epoch", 0) >= 2:
            killed.extend(workers()[:1])
            killed[0].kill()

    stage = Train(**COMMON | recipe, data_parallel=2)
    table = stage.run([VariantInputs("", clips, {"shards": files})], StageContext(together, progress))
    assert killed
    assert same(json.loads(table["history"][0].as_py()), history(tmp_path / "alone", clips, files, **recipe))
    assert shown[-1] == (40, 40)
    assert not workers() and not ray.is_initialized(), "Ray ends with the training that started it"


def test_machines_share_nothing_but_the_store_and_one_is_lost(s3: str, made_set, checkpointed, tmp_path: Path):
    clips, files = made_set(16)
    recipe: dict[str, Any] = {"epochs": 40, "model": TINY | {"modality": "pose"}, "lr": 1e-4}
    store, key, hidden = Store(f"{s3}/store"), "a" * 32, tmp_path / "hidden"
    remote = [store.path("cache", f"{i:032x}") for i in range(len(files.paths))]
    for here, there in zip(files.paths, remote, strict=True):
        store.filesystem.put_file(here, there)
    variants = [VariantInputs("", clips, {"shards": TableFiles(remote, store.open_input, files.schema)})]

    def train(folder: Path, processes: int, progress: Callable[..., None] = lambda *_, **__: None) -> None:
        folder.mkdir(parents=True)
        stage = Train(**COMMON | recipe, data_parallel=processes)
        do_whole(WholeJob("train", stage, store.url, "train", key, variants, folder), progress)

    hidden.mkdir()
    with ray_cluster(1) as cluster, private_node(cluster.address, hidden, 1) as node:
        ray.init(address=cluster.address, log_to_driver=False)
        wait_for_cpus(2, node)
        with pytest.raises(StageError, match="data_parallel: 2 needs as many CPUs; Ray has 1 here"):
            train(hidden / "together", 2, lambda *_, **__: lose(node) if store.notes("work") else None)
    assert 1 <= checkpointed(hidden / "together")["epoch"] < 40, "from the store"
    train(tmp_path / "elsewhere", 1)
    table = store.read(store.path("train", key))
    assert same(json.loads(table["history"][0].as_py()), history(tmp_path / "alone", clips, files, **recipe))
    assert store.notes("work") == []
