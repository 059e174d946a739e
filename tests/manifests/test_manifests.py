"""Every manifest that comes with the project loads, and its stages fit together."""

from pathlib import Path

import pytest

from pipeline.graph import build_graph
from pipeline.manifest import load_manifest

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"
RUNNABLE = sorted(path for path in MANIFESTS.rglob("*.yaml") if path.parent.name != "base")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Every variable that a manifest asks for, with files where they have to exist."""
    for name in ("deploy.onnx", "person_detector.param"):
        (tmp_path / name).touch()
    names = ("UT_INTERACTION_ROOT", "SIMPLEPOSE_ROOT", "PENNACTION_ROOT", "VIDEOS_ROOT", "VIDEOS_LIST")
    return dict.fromkeys(names, str(tmp_path))


@pytest.mark.parametrize("path", RUNNABLE, ids=lambda path: path.stem)
def test_manifest(path: Path, environ: dict[str, str]) -> None:
    manifest = load_manifest(path, environ=environ)
    graph = build_graph(manifest)
    assert manifest.name == path.stem
    assert [node.stage.makes.name for node in graph.nodes.values() if not graph.descendants(node.name)] == ["reports"]


@pytest.mark.parametrize("path", RUNNABLE, ids=lambda path: path.stem)
def test_a_manifest_opens_with_its_command_and_cost(path: Path) -> None:
    comment = [line for line in path.read_text().split("\n\n")[0].splitlines() if line.startswith("#")]
    assert any(f"pipeline run {path.relative_to(MANIFESTS.parent)}" in line for line in comment)


def test_a_matrix_keeps_the_parameters_it_extends(environ: dict[str, str]) -> None:
    plain, multiplied = (
        load_manifest(MANIFESTS / name, environ=environ).resolved["stages"]["train"]
        for name in ("demo.yaml", "demo_modalities.yaml")
    )
    assert multiplied["with"] == plain["with"] != {}
