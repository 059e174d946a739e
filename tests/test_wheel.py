"""The wheel holds all that the installed package reads, and works from any folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TYPES = {".json", ".py", ".pyi", ".typed", ".yaml", ".safetensors", ".jinja", ".css", ".js"}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a wheel that is built from the sources, without network."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True, timeout=120)
    [wheel] = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "unpacked")
    return folder / "unpacked"


def from_wheel(unpacked: Path, folder: Path, *command: str) -> str:
    """What Python prints that finds the wheel's packages before any other, in a folder that has none of them."""
    environ = os.environ | {"PYTHONPATH": str(unpacked)}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environ, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_holds_three_packages_with_their_files_and_the_manifests(unpacked: Path) -> None:
    packed = {str(file.relative_to(unpacked)) for file in unpacked.rglob("*") if file.is_file()}
    sources = {
        str(file.relative_to(ROOT))
        for package in ("pipeline", "stages", "recognizer")
        for file in (ROOT / package).rglob("*")
        if file.suffix in TYPES
    }
    manifests = {f"pipeline/{file.relative_to(ROOT)}" for file in (ROOT / "manifests").rglob("*.yaml")}
    assert {Path(name).suffix for name in sources} >= TYPES - {".yaml"}
    assert {name for name in packed if ".dist-info/" not in name} == sources | manifests


def test_it_lists_its_manifests_and_loads_them(unpacked: Path, tmp_path: Path) -> None:
    listed = from_wheel(unpacked, tmp_path, "-m", "pipeline", "manifests")
    for file in (ROOT / "manifests").rglob("*.yaml"):
        assert f"{file.relative_to(ROOT / 'manifests').with_suffix('')} " in listed
    found = from_wheel(unpacked, tmp_path, "-c", "from pipeline.shipped import FOLDER; print(FOLDER)")
    assert found == f"{unpacked / 'pipeline' / 'manifests'}\n"
    drawn = from_wheel(unpacked, tmp_path, "-m", "pipeline", "graph", "ablations/attention_modules_demo")
    assert "all 24 of train" in drawn
