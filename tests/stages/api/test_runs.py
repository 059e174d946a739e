"""Runs from Python: started, read while and after they run, and what is said where something is missing."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from arms import write_arms

from pipeline import Run, run
from pipeline.errors import ClipError, ManifestError, StageError
from recognizer.model import Recognizer

MANIFEST = """\
name: arms
max_failed: 0.5
stages:
  index: {uses: listing, with: {list: clips.csv}}
  skeletons: {needs: index, with: {frames: 4}}
  cache: {needs: skeletons}
  train:
    needs: cache
    with:
      {frames: 4, epochs: 1, batch: 4, val_share: 0, threads: 1, model: {modality: pose, size: 32, blocks: 1, width: 4}}
  predict: {needs: [cache, train]}
  evaluate: {needs: predict}
"""
STUDY = """\
extends: arms.yaml
stages: {train: {matrix: {model.width: [4, 8]}}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a run, and a study of two variants, are done: two classes of skeletons, and a clip without."""
    home = tmp_path_factory.mktemp("home")
    write_arms(home, ("up", "label"))
    (home / "arms.yaml").write_text(MANIFEST)
    (home / "study.yaml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        assert run("arms.yaml", executor="local").folder == home / "runs/arms"
        run(Path("study.yaml"), name="study", executor="local")
    return home


@pytest.fixture(autouse=True)
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


def test_what_a_run_made() -> None:
    done = Run("arms")
    assert done.status.text() == "done" and done.variants == []
    assert done.metrics == json.loads(Path("runs/arms/metrics.json").read_text())
    assert done.metrics["clips"] == 4
    model = done.model()
    assert isinstance(model, Recognizer) and not model.training
    failures = done.failures()
    assert failures.columns.tolist() == ["clip_id", "stage", "error"]
    assert failures["clip_id"].tolist() == ["up/lost.mp4"] and failures["stage"].tolist() == ["skeletons"]


def test_the_current_folder_may_change(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done, study = Run("runs/arms"), Run("study")
    monkeypatch.chdir(tmp_path)
    assert done.folder == home / "runs/arms" and done.status.text() == "done" and done.metrics["clips"] == 4
    assert done.model().config.width == 4
    assert [one.model().config.width for one in study.variants] == [4, 8]


def test_predictions_agree_with_the_metrics() -> None:
    found = Run("runs/arms").predictions()
    # A class may be called as a column.
    assert found.columns.tolist() == ["clip_id", "label", "split", "predicted", "score", "label (class)", "up"]
    assert found["clip_id"].tolist() == ["label/09.mp4", "label/11.mp4", "up/08.mp4", "up/10.mp4"]
    assert found["label"].tolist() == ["label", "label", "up", "up"] and set(found["split"]) == {"test"}
    assert np.allclose(found[["label (class)", "up"]].sum(axis=1), 1, atol=1e-5)
    assert (found["score"] == found[["label (class)", "up"]].max(axis=1)).all()
    assert (found["label"] == found["predicted"]).mean() == Run("runs/arms").metrics["top1"]


def test_skeletons_are_those_of_the_file() -> None:
    found = Run("runs/arms").skeletons("up/08.mp4")
    assert found.keypoints.shape == (1, 4, 13, 3) and found.keypoints.dtype == np.float32
    assert (found.layout, found.joints[0], found.times) == ("pennaction13", "head", None)
    with np.load("8.npz") as file:
        given_TR2 = file["keypoints"][0]
    distances = [np.abs(found.keypoints[0, 0, :, :2] - (frame + 0.5) / 100).max() for frame in given_TR2]
    assert min(distances) < 1e-3
    with pytest.raises(ClipError, match="skeleton"):
        Run("runs/arms").skeletons("up/lost.mp4")
    with pytest.raises(ManifestError, match=r"no skeletons of a clip 'up/8.mp4'; did you mean 'up/08.mp4'\?"):
        Run("runs/arms").skeletons("up/8.mp4")


def test_variants_are_runs_of_their_own() -> None:
    study = Run("study")
    small, large = study.variants
    assert (small.folder.name, large.folder.name) == ("width=4", "width=8")
    assert small.predictions()["up"].tolist() == Run("arms").predictions()["up"].tolist()
    assert small.predictions()["up"].tolist() != large.predictions()["up"].tolist()
    assert large.model().config.width == 8
    assert study.skeletons("up/08.mp4").keypoints.tolist() == large.skeletons("up/08.mp4").keypoints.tolist()
    assert large.failures().equals(study.failures())
    with pytest.raises(ManifestError, match="several variants; open one, in variants/: width=4, width=8"):
        _ = study.metrics
    shown = study._repr_html_()
    assert shown.count("<tr>") == 3 and "<td>width=8</td>" in shown


def test_notebooks_show_the_main_figures() -> None:
    shown = Run("arms")._repr_html_()
    assert f"<td>{100 * Run('arms').metrics['top1']:.1f} %</td>" in shown
    assert re.search(r"<td>4</td><td>1</td></tr></table>$", shown)


def test_an_unfinished_run_says_so() -> None:
    Path("runs/unfinished").mkdir()
    manifest = Path("runs/arms/manifest.json").read_text()
    Path("runs/unfinished/manifest.json").write_text(manifest)
    fresh = Run("unfinished")
    for ask in (lambda: fresh.metrics, fresh.failures):
        with pytest.raises(ManifestError, match=r"yet, finish it first \(not started\)"):
            ask()
    for results in (fresh.predictions, lambda: fresh.skeletons("up/08.mp4")):
        with pytest.raises(ManifestError, match=r"are not in the store .*: finish the run"):
            results()
    with pytest.raises(ManifestError, match="no trained model yet; finish it first"):
        fresh.model()
    assert "<td>unfinished</td><td>not started</td>" in fresh._repr_html_()
    with pytest.raises(ManifestError, match="no run in this folder, and none of this name in runs/; did you mean 'ar"):
        Run("arsm")


def test_figures_from_before_a_change_are_not_given() -> None:
    changed = run("arms.yaml", name="changed", executor="local")
    plan = json.loads(Path("runs/changed/plan.json").read_text())
    plan["evaluate"]["keys"] = ["that of a run that was interrupted"]
    Path("runs/changed/plan.json").write_text(json.dumps(plan))
    with pytest.raises(ManifestError, match=r"metrics.json: the run has been changed since, finish it first"):
        _ = changed.metrics


def test_errors_are_raised(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ManifestError, match=r"train\.epochs=none"):
        run("arms.yaml", ["train.epochs=none"])
    with pytest.raises(StageError, match=r"1 of 13 clips failed, such as up/lost.mp4 in skeletons: "):
        run("arms.yaml", ["max_failed=0"], name="strict", executor="local")
    assert capfd.readouterr().out == "", "nothing is printed unless progress is asked for"
    run("arms.yaml", ["train.epochs=2"], name="shown", executor="local", progress=True)
    assert "train: done in " in capfd.readouterr().out


def test_frames_and_series_are_what_pandas_expects() -> None:
    predictions = Run("arms").predictions()
    counted = pd.crosstab(predictions["label"], predictions["predicted"])
    assert counted.to_numpy().sum() == 4
