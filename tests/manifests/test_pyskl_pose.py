"""The shipped manifest for pickles of skeletons runs to its end on made-up ones, and exports the same data."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pose_pickles import HEIGHT, WIDTH, data_set, write_pickle

from pipeline.errors import ManifestError
from pipeline.manifest import load_manifest
from pipeline.runs import Options, Result, run
from pipeline.store import Store
from recognizer.skeletons import LAYOUTS
from stages.commands.skeleton_export import export_run
from stages.frame_sampling import sample_frames
from stages.skeletons.pyskl import open_pyskl

MANIFEST = Path(__file__).resolve().parents[2] / "manifests" / "pyskl_pose.yaml"
SPLITS = {"xsub_train": [f"S001_{i:02}" for i in range(16)], "xsub_val": [f"S002_{i:02}" for i in range(8)]}
SMALL = ["skeletons.frames=8", "train.frames=4", "train.epochs=3", "train.model.size=32", "train.model.width=8"]
SMALL += ["train.batch=8", "predict.views=1", "train.threads=1"]


def small_run(file: Path, *settings: str) -> Result:
    manifest = load_manifest(MANIFEST, [*SMALL, *settings], {"PYSKL_FILE": str(file)})
    result = run(manifest, Options(executor="local"))
    assert result.succeeded, (result.errors, result.failures)
    return result


def keypoints(result: Result) -> dict[str, np.ndarray]:
    """What the stage skeletons made, by clip."""
    store = Store(result.plan.graph.manifest.store)
    tables = [store.read(store.path("skeletons", key)) for key in result.plan.nodes["skeletons"].keys]
    return {
        row["clip_id"]: np.frombuffer(row["keypoints"], np.float16).reshape(
            row["persons"], -1, LAYOUTS[row["layout"]].count, 3
        )
        for table in tables
        for row in table.to_pylist()
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def finished(home: Path) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        return small_run(write_pickle(home / "data" / "ntu60_hrnet.pkl", data_set(SPLITS)))


@pytest.fixture(autouse=True)
def at_home(home: Path, finished: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


def test_it_trains_and_tests_on_the_splits_of_the_file(finished: Result) -> None:
    metrics = json.loads((finished.folder / "metrics.json").read_text())
    assert (metrics["clips"], metrics["failed"]) == (8, 0)
    assert (finished.folder / "report.html").stat().st_size > 20_000
    found = keypoints(finished)
    assert {found["S001_00"].shape, found["S002_07"].shape} == {(2, 8, 17, 3)}


def test_what_is_exported_and_read_again_is_the_same(finished: Result) -> None:
    exported = export_run("pyskl_pose", "pyskl", None, None)
    assert (exported.file, exported.clips) == (Path("runs/pyskl_pose/skeletons.pkl"), 24)
    read = open_pyskl(exported.file.absolute())
    assert {split: len(names) for split, names in read.splits.items()} == {"train": 16, "test": 8}
    assert Counter(one["img_shape"] for one in read.annotations.values()) == {(HEIGHT, WIDTH): 24}
    original = open_pyskl(finished.folder.parent.parent / "data" / "ntu60_hrnet.pkl")
    for name, one in read.annotations.items():
        shown, wanted = one["keypoint"].read(), original.annotations[name]["keypoint"].read()
        frames = sample_frames(wanted.shape[1], 8)
        np.testing.assert_allclose(shown, wanted[:2, frames], atol=WIDTH / 1000)  # float16 of the square around it
    again = small_run(exported.file.absolute(), "index.train=train", "index.test=test", "name=again")
    before, after = keypoints(finished), keypoints(again)
    assert before.keys() == after.keys()
    for clip_id, wanted in before.items():
        np.testing.assert_array_equal(after[clip_id], wanted)


def test_what_cannot_be_exported_is_said(home: Path) -> None:
    with pytest.raises(ManifestError, match="no format is called 'pysk'; there are: pyskl"):
        export_run("pyskl_pose", "pysk", None, None)
    with pytest.raises(ManifestError, match="no variant of 'skeletons' is called 'seed=1'"):
        export_run("pyskl_pose", "pyskl", "seed=1", None)
    for file in (home / "store" / "skeletons").iterdir():
        file.unlink()
    with pytest.raises(ManifestError, match="the results of 'skeletons' are not in the store"):
        export_run("pyskl_pose", "pyskl", None, None)
