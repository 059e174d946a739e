"""Explaining a finished run: which model and clips it takes, from where, and what its errors say."""

import shutil
from pathlib import Path

import pytest
from arms import write_arms
from command_line import command

from pipeline.errors import ManifestError
from pipeline.manifest import load_manifest
from pipeline.runs import Options, run
from stages.commands.explanation import explain_run

MANIFEST = """\
name: arms
stages:
  index: {uses: listing, with: {list: clips.csv}}
  skeletons: {needs: index, with: {frames: 4}}
  cache: {needs: skeletons}
  train:
    needs: cache
    matrix: {model.width: [4, 8]}
    with:
      {frames: 4, epochs: 1, batch: 4, val_share: 0, threads: 1, model: {modality: pose, size: 32, blocks: 1}}
  predict: {needs: [cache, train]}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a small manifest has run: two classes of skeletons, two variants of the network."""
    home = tmp_path_factory.mktemp("home")
    write_arms(home, ("up", "down"))
    (home / "arms.yaml").write_text(MANIFEST)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        result = run(load_manifest(Path("arms.yaml"), ["max_failed=0.5"]), Options(executor="local"))
    assert not result.errors and len(result.failures) == 1
    return home


@pytest.fixture(autouse=True)
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


def explained(folder: Path) -> list[str]:
    """Names of the pictures in a folder, one per clip."""
    return [path.name for path in sorted(folder.glob("*.png"))]


def test_some_predicted_clips_of_the_first_variant() -> None:
    found = explain_run("arms", [], None, None)
    assert found == (Path("runs/arms/variants/width=4/explain"), 4, [])
    assert explained(found.folder) == [
        f"{name}-joints-1.png" for name in ("01-down-09.mp4", "02-up-08.mp4", "03-down-11.mp4", "04-up-10.mp4")
    ]
    assert (found.folder / "explanation.html").is_file()


def test_clips_patterns_and_variants(tmp_path: Path) -> None:
    wanted = ["up/02.mp4", "*/0[01].mp4", "up/*2.mp4"]
    found = explain_run("runs/arms/variants/width=8", wanted, None, tmp_path)
    assert explained(tmp_path) == [
        f"{name}-joints-1.png" for name in ("01-up-02.mp4", "02-down-01.mp4", "03-up-00.mp4")
    ]
    assert (found.folder, found.clips, found.failed) == (tmp_path, 3, [])
    pictures = [path.read_bytes() for path in sorted(tmp_path.glob("*.png"))]
    explain_run("arms", wanted, "width=4", tmp_path)
    assert pictures != [path.read_bytes() for path in sorted(tmp_path.glob("*.png"))]


def test_what_is_wrong_is_named_with_what_is_near() -> None:
    with pytest.raises(ManifestError, match=r"no clip is called 'up/2.mp4'; did you mean 'up/02.mp4'\?"):
        explain_run("arms", ["up/2.mp4"], None, None)
    with pytest.raises(ManifestError, match=r"no variant is called 'width=5'; did you mean 'width=[48]'\?"):
        explain_run("arms", [], "width=5", None)
    with pytest.raises(ManifestError, match=r"no run in this folder.*did you mean 'arms'\?"):
        explain_run("amrs", [], None, None)


def test_the_command(tmp_path: Path) -> None:
    done = command("explain", "arms", "up/00.mp4", "up/lost.mp4")
    assert (done.returncode, done.stdout) == (0, "runs/arms/variants/width=4/explain/explanation.html\n"), done.stderr
    assert done.stderr == "pipeline: not explained: up/lost.mp4: it has no shard: see `pipeline failures`\n"
    done = command("explain", "arms", "nothing")
    assert done.returncode == 2 and "no clip is called 'nothing'" in done.stderr


def test_nothing_is_computed_again(home: Path, tmp_path: Path) -> None:
    """Results that are missing in the store are an error; changes of the manifest's file have no effect."""
    shutil.copytree(home, tmp_path / "copy")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path / "copy")
        Path("arms.yaml").write_text("nonsense")
        before = sorted(Path("store").rglob("*"))
        explain_run("arms", ["up/00.mp4"], None, None)
        assert sorted(Path("store").rglob("*")) == before
        shutil.rmtree("store/cache")
        with pytest.raises(ManifestError, match=r"the results of 'cache' are not in the store .*: finish the run"):
            explain_run("arms", [], None, None)
