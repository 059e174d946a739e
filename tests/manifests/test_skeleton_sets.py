"""The manifests of whole skeleton sets, from a file to a report, on miniature sets."""

import json
from pathlib import Path

import pytest
from skeleton_sets import write_published

from pipeline.manifest import load_manifest
from pipeline.runs import Options, run

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"
SMALL = [
    *("partition=16", "skeletons.frames=8", "train.frames=8", "train.epochs=2", "train.least_steps=0"),
    *("train.model.width=4", "train.model.blocks=1", "predict.views=1", "report.samples=0"),
]


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_published(tmp_path_factory.mktemp("sets"))


@pytest.mark.parametrize(
    ("name", "classes", "layout", "folds"),
    [
        ("msr_action3d", 3, "kinect20", []),
        ("msr_action3d_sets", 2, "kinect20", [0, 2]),
        ("utkinect", 2, "kinect20", [0, 9]),
        ("jhmdb", 2, "jhmdb15", [1, 2]),
        ("uav_gesture", 2, "openpose18", [0, 2]),
    ],
)
def test_from_a_file_to_a_report(
    sets: Path, tmp_path: Path, name: str, classes: int, layout: str, folds: list[int]
) -> None:
    settings = [*SMALL, f"store={tmp_path}/store", f"runs={tmp_path}/runs"]
    settings += [f"stages.index.matrix.fold={folds}"] if folds else []
    manifest = load_manifest(MANIFESTS / f"{name}.yaml", settings, {"SKELETON_SETS": str(sets)})
    result = run(manifest, Options(executor="local"))
    assert not result.failures
    folder = tmp_path / "runs" / name
    configs = [json.loads(file.read_text()) for file in folder.rglob("model/config.json")]
    assert len(configs) == max(len(folds), 1)
    assert {(config["layout"], len(config["class_names"])) for config in configs} == {(layout, classes)}
    assert (folder / "report.html").stat().st_size > 10_000
    metrics = [json.loads(file.read_text()) for file in folder.rglob("metrics.json")]
    assert all(one["clips"] > 0 and one["failed"] == 0 for one in metrics)
    assert (folder / "comparison.md").is_file() == bool(folds)
