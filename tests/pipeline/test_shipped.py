"""Shipped manifests: found by name where no file is meant, listed fast, and as good when saved elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import command

from pipeline.errors import ManifestError
from pipeline.manifest import load_manifest
from pipeline.shipped import FOLDER, description, find_manifest, find_shipped, shipped_manifests
from pipeline.yaml_lines import read_yaml

ROOT = Path(__file__).resolve().parents[2]
VARIABLES = {name for path in ROOT.glob("manifests/**/*.yaml") for name in re.findall(r"\$\{(\w+)\}", path.read_text())}
ENVIRON = dict.fromkeys(VARIABLES, "somewhere")
SPLITS = ("clips_per_class", "val_per_class", "test_per_class")
TOY = 'stages: {index: {uses: "toy_stages:Numbers"}}\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_names_are_paths_below_the_folder() -> None:
    names = list(shipped_manifests())
    assert {"demo", "folder_laptop", "base/laptop", "ablations/attention_modules_demo"} <= set(names)
    assert len(names) == len(list((ROOT / "manifests").rglob("*.yaml")))
    assert names == sorted(names, key=lambda name: (name.count("/"), name))


@pytest.mark.parametrize("name", shipped_manifests())
def test_each_describes_itself_on_one_line(name: str) -> None:
    file = shipped_manifests()[name]
    assert description(file) == read_yaml(file, name).value["description"]


def test_a_file_wins_over_a_name() -> None:
    assert find_manifest("demo") == FOLDER / "demo.yaml"
    Path("demo").mkdir()
    assert find_manifest("demo") == FOLDER / "demo.yaml"
    Path("demo").rmdir()
    Path("demo").write_text(TOY)
    assert find_manifest("demo") == Path("demo")
    Path("mine.yaml").write_text(TOY)
    assert find_manifest("mine.yaml") == Path("mine.yaml")


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("dmeo", "demo"),
        ("demo.yaml", "demo"),
        ("manifests/demo.yaml", "demo"),
        ("attention_modules_demo", "ablations/attention_modules_demo"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(asked: str, near: str) -> None:
    hint = f"did you mean '{near}'? 'pipeline manifests' lists them"
    with pytest.raises(ManifestError) as error:
        find_manifest(asked)
    assert str(error.value) == f"{asked}: no such file, and no manifest of this name ships with the package; {hint}"
    with pytest.raises(ManifestError) as error:
        find_shipped(asked)
    assert str(error.value) == f"{asked}: no manifest of this name ships with the package; {hint}"


def test_every_command_on_manifests_takes_names() -> None:
    drawn = command("graph", "demo")
    assert (drawn.returncode, drawn.stdout) == (0, command("graph", str(FOLDER / "demo.yaml")).stdout)
    assert f"{FOLDER / 'demo.yaml'}: 8 stages" in command("doctor", "demo").stdout
    few = [f"--set=index.{split}={number}" for split, number in zip(SPLITS, (1, 0, 1), strict=True)]
    assert command("clean", "demo", *few).stdout.endswith("/store: nothing to remove\n")
    for name in ("run", "plan"):
        wrong = command(name, "demo", "--set", "train.epoch=2")
        assert wrong.returncode == 2
        assert wrong.stderr.startswith("pipeline: --set train.epoch=2: stage 'train': unknown parameter 'epoch'")
    for name in ("run", "plan", "doctor"):
        wrong = command(name, "demo", "--name", "a/b")
        assert wrong.returncode > 0
        assert """--set name="a/b": 'name': 'a/b' cannot be the name of a folder""" in wrong.stdout + wrong.stderr
    assert "pipeline doctor MANIFEST --name mine" in command("doctor", "--name", "mine").stderr
    for name in ("run", "plan", "graph", "doctor", "clean"):
        wrong = command(name, "dmeo")
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert wrong.stderr.startswith("pipeline: dmeo: no such file")
        assert len(wrong.stderr.splitlines()) == 1


def test_errors_name_the_file_of_a_shipped_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIDEOS_ROOT", raising=False)
    done = command("plan", "folder_laptop")
    assert done.returncode == 2
    line = 1 + (FOLDER / "folder_laptop.yaml").read_text().splitlines().index('    with: {root: "${VIDEOS_ROOT}"}')
    assert done.stderr.startswith(f"pipeline: {FOLDER / 'folder_laptop.yaml'}:{line}: environment variable VIDEOS_ROOT")


def test_the_list_loads_nothing_heavy() -> None:
    code = (
        "import sys; from pipeline.cli import app; app(['manifests'], standalone_mode=False);"
        "print([name for name in ('torch', 'ray', 'cv2', 'av', 'pyarrow', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *lines, loaded = done.stdout.splitlines()
    assert loaded == "[]"
    runnable, to_extend = lines[: lines.index("")], lines[lines.index("") + 1 :]
    assert [line.split()[0] for line in runnable[1:] + to_extend[1:]] == list(shipped_manifests())
    assert all(line.startswith("base/") for line in to_extend[1:])
    assert "Drawn people doing twelve actions" in runnable[1]


@pytest.mark.parametrize("name", shipped_manifests())
def test_a_saved_copy_is_the_same_manifest(name: str, folder: Path) -> None:
    Path("mine.yaml").write_text(find_shipped(name).read_text())
    shipped, copy = (load_manifest(place, environ=ENVIRON) for place in (find_shipped(name), Path("mine.yaml")))
    assert copy.resolved | {"name": ""} == shipped.resolved | {"name": ""}


def test_a_shipped_manifest_is_printed_as_it_is() -> None:
    done = subprocess.run([sys.executable, "-m", "pipeline", "manifests", "demo"], capture_output=True, check=True)
    assert done.stdout == (ROOT / "manifests" / "demo.yaml").read_bytes()
    wrong = command("manifests", "dmeo")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("pipeline: dmeo: no manifest of this name ships with the package; did you mean")


def test_extends_takes_a_neighbor_or_else_a_name() -> None:
    Path("mine.yaml").write_text("extends: demo\npartition: 5\n")
    manifest = load_manifest("mine.yaml")
    assert (manifest.name, manifest.partition, len(manifest.stages)) == ("demo", 5, 8)
    Path("demo").write_text(TOY)
    assert [spec.name for spec in load_manifest("mine.yaml").stages] == ["index"]
    Path("mine.yaml").write_text("extends: papr.yaml\n")
    with pytest.raises(ManifestError, match=r"no such file: papr\.yaml; did you mean 'base/paper\.yaml'\?"):
        load_manifest("mine.yaml")
