"""Results of version 0.1.0, whose stages were in other modules, are still found: keys hold no module paths."""

import json
import os
import shutil
from pathlib import Path

import pytest

from pipeline.manifest import load_manifest, load_resolved
from pipeline.registry import known_stages, load_stage
from pipeline.runs import plan_run
from stages.pose.stage import Pose
from stages.predict.evaluate import Evaluate
from stages.report.stage import Report
from stages.video.stage import Decode

EARLY = Path(__file__).parent / "early_store"
MODIFIED = 1_700_000_000
"""Modification time of the inputs, in seconds since 1970: it is part of the keys, and a checkout does not keep it."""


@pytest.fixture
def early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(shutil.copytree(EARLY, tmp_path / "early"))
    for name in ("clip.mp4", "clip.npz"):
        os.utime(folder / name, (MODIFIED, MODIFIED))
    monkeypatch.chdir(folder)
    # These have had other results since. With their versions of then, every key is the same.
    monkeypatch.setattr(Decode, "version", 1)
    monkeypatch.setattr(Pose, "version", 2)
    monkeypatch.setattr(Evaluate, "version", 2)
    monkeypatch.setattr(Report, "version", 3)
    return folder


def test_every_result_is_found(early: Path) -> None:
    plan = plan_run(load_manifest(early / "manifest.yaml"))
    assert plan.tasks == []
    stored = {file.stem for file in (early / "store").rglob("*.parquet")}
    planned = {key for node in plan.nodes.values() for key in node.keys}
    assert planned == stored
    assert len(stored) == 10 - 1


def test_a_manifest_that_an_early_run_kept_is_understood(early: Path) -> None:
    resolved = load_manifest(early / "manifest.yaml").resolved
    targets = {name: load_stage(target).key_name for name, target in known_stages().items()}
    for body in resolved["stages"].values():
        body["uses"] = targets[body["uses"]]
    assert resolved["stages"]["decode"]["uses"] == "stages.decode:Decode"
    (early / "manifest.json").write_text(json.dumps(resolved))
    assert plan_run(load_resolved(early / "manifest.json")).tasks == []


def test_what_stages_are_called_in_keys_stays() -> None:
    names = {name: load_stage(target).key_name for name, target in known_stages().items()}
    assert names == {
        "folder": "stages.sources.folder:Folder",
        "listing": "stages.sources.listing:Listing",
        "split_lists": "stages.sources.split_lists:SplitLists",
        "pattern": "stages.sources.pattern:Pattern",
        "videos": "stages.sources.videos:Videos",
        "pennaction": "stages.sources.pennaction:PennAction",
        "ntu": "stages.sources.ntu:NTU",
        "finegym": "stages.sources.finegym:FineGym",
        "random_motions": "stages.sources.random_motions:RandomMotions",
        "skeleton_set": "stages.sources.skeleton_set:SkeletonSet",
        "pyskl": "stages.sources.pyskl:Pyskl",
        "synthetic": "stages.sources.synthetic:Synthetic",
        "decode": "stages.decode:Decode",
        "pose": "stages.pose.stage:Pose",
        "skeletons": "stages.skeletons:Skeletons",
        "cache": "stages.cache:Cache",
        "cache_people": "stages.cache_people:CachePeople",
        "train": "stages.train:Train",
        "pretrained": "stages.pretrained:Pretrained",
        "predict": "stages.predict:Predict",
        "predict_people": "stages.predict_people:PredictPeople",
        "evaluate": "stages.evaluate:Evaluate",
        "report": "stages.report.stage:Report",
        "explain": "stages.explanation.stage:Explain",
        "recognitions": "stages.recognitions:Recognitions",
    }
