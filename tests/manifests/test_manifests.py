"""Every manifest that comes with the project loads, and its stages fit together."""

import re
import shlex
from collections import Counter
from pathlib import Path

import pytest

from pipeline.errors import ManifestError
from pipeline.graph import build_graph
from pipeline.manifest import load_manifest
from pipeline.registry import find_stage
from pipeline.runs import plan_run

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"
RUNNABLE = sorted(path for path in MANIFESTS.rglob("*.yaml") if path.parent.name != "base")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Every variable that a manifest asks for, with files where they have to exist."""
    for name in ("deploy.onnx", "person_detector.param"):
        (tmp_path / name).touch()
    texts = [path.read_text() for path in MANIFESTS.rglob("*.yaml")]
    names = {name for text in texts for name in re.findall(r"\$\{(\w+)\}", text)}
    return dict.fromkeys(names, str(tmp_path))


@pytest.mark.parametrize("path", RUNNABLE, ids=lambda path: path.stem)
def test_manifest(path: Path, environ: dict[str, str]) -> None:
    manifest = load_manifest(path, environ=environ)
    graph = build_graph(manifest)
    assert manifest.name == path.stem
    assert [node.stage.makes.name for node in graph.nodes.values() if not graph.descendants(node.name)] == ["reports"]


@pytest.mark.parametrize("path", RUNNABLE, ids=lambda path: path.stem)
def test_a_manifest_opens_with_its_command_and_cost(path: Path) -> None:
    text = path.read_text()
    comment = [line for line in text.split("\n\n")[0].splitlines() if line.startswith("#")]
    assert any(f"pipeline run {path.relative_to(MANIFESTS.parent)}" in line for line in comment)
    of_ones_own = "VIDEOS_" in text
    assert of_ones_own or "For GPUs." in text or any(line.startswith("# Time: ") for line in comment)


def runnable(path: Path) -> Path:
    """The manifest, or the first of those that extend it where it is one without data."""
    if path in RUNNABLE:
        return path
    return next(other for other in RUNNABLE if re.search(rf"^extends: .*base/{path.name}\b", other.read_text(), re.M))


def settings_in_comments() -> list[tuple[Path, list[str]]]:
    """Each row of ``--set`` options that a manifest's comment advises."""
    found = []
    for path in sorted(MANIFESTS.rglob("*.yaml")):
        comment = " ".join(line[1:].strip() for line in path.read_text().splitlines() if line.startswith("#"))
        for row in re.findall(r"(?:--set (?:'[^']+'|[^\s,;:)]+) ?)+", comment):
            found.append((path, shlex.split(row.replace("--set ", "").rstrip(" ."))))
    return found


@pytest.mark.parametrize(("path", "settings"), settings_in_comments(), ids=str)
def test_what_a_comment_advises_to_set_works(
    path: Path, settings: list[str], environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MODEL.onnx", "mc3_18.pth", "my_labels.txt"):
        (tmp_path / name).touch()
    (tmp_path / "my_model").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "my_model" / name).touch()
    monkeypatch.chdir(tmp_path)
    changed = load_manifest(runnable(path), settings, environ=environ)
    build_graph(changed)
    assert changed.resolved != load_manifest(runnable(path), environ=environ).resolved


@pytest.mark.parametrize("name", ["cache", "train", "predict"])
def test_every_parameter_is_set_or_advised_by_some_manifest(name: str, environ: dict[str, str]) -> None:
    found = {setting.partition("=")[0] for _, settings in settings_in_comments() for setting in settings}
    for path in RUNNABLE:
        stage = load_manifest(path, environ=environ).resolved["stages"].get(name, {})
        found |= {f"{name}.{parameter}" for parameter in [*stage.get("with", {}), *stage.get("matrix", {})]}
    assert {f"{name}.{parameter}" for parameter in find_stage(name).model_fields} <= found


def test_a_matrix_keeps_the_parameters_it_extends(environ: dict[str, str]) -> None:
    plain, multiplied = (
        load_manifest(MANIFESTS / name, environ=environ).resolved["stages"]["train"]
        for name in ("demo.yaml", "demo_modalities.yaml")
    )
    assert multiplied["with"] == plain["with"] != {}


def test_the_recipe_of_the_paper(environ: dict[str, str]) -> None:
    """What the paper states of its training."""
    base = load_manifest(MANIFESTS / "base" / "paper.yaml", environ=environ).resolved["stages"]
    train = base["train"]["with"]
    assert (train["epochs"], train["warmup_epochs"], train["label_smoothing"]) == (90, 5, 0)
    assert base["decode"]["with"]["frames"] == 12
    assert [side * base["cache"]["with"]["size"] for side in train["augment"]["scale"]] == [224, 224]
    assert not any(train["augment"][name] for name in ("flip", "speed", "jitter", "brightness", "joint_noise"))


def test_the_fast_recipe_differs_in_the_network_alone(environ: dict[str, str]) -> None:
    paper, fast = (
        load_manifest(MANIFESTS / "base" / name, environ=environ).resolved["stages"]
        for name in ("paper.yaml", "fast.yaml")
    )
    model = fast["train"]["with"].pop("model")
    assert model == {"stem_stride": 4, "blocks": 1, "search_kernel": 10}
    assert fast == paper


@pytest.mark.parametrize(
    ("name", "trainings", "rows", "pooled"),
    [
        ("ut_interaction_folds", 30, {"model.modality": 3}, {"test.sequence": 10, "seed": 1}),
        ("demo_large", 9, {"model.modality": 3}, {"seed": 3}),
        ("ablations/attention_modules_demo", 24, {"modules": 8}, {"seed": 3}),
        ("ablations/attention_modules_ut_interaction", 80, {"modules": 8}, {"test.sequence": 10, "seed": 1}),
        ("ablations/attention_modules_pennaction", 12, {"modules": 4}, {"seed": 3}),
        ("ablations/modal_tokens_demo", 9, {"model.modal_tokens": 3}, {"seed": 3}),
        ("ablations/modal_tokens_ut_interaction", 30, {"model.modal_tokens": 3}, {"test.sequence": 10, "seed": 1}),
        ("ablations/modal_tokens_pennaction", 9, {"model.modal_tokens": 3}, {"seed": 3}),
        ("ablations/temporal_stride_pennaction", 27, {"model.stride_frames": 4, "model.window_frames": 3}, {"seed": 3}),
        ("ablations/training_frames_pennaction", 15, {"frames": 5}, {"seed": 3}),
        ("ablations/test_frames_pennaction", 3, {"frames": 7}, {"seed": 3}),
        ("ablations/window_keys_pennaction", 6, {"model.window_keys": 2}, {"seed": 3}),
    ],
)
def test_studies_compare_what_they_say(
    name: str, trainings: int, rows: dict[str, int], pooled: dict[str, int], environ: dict[str, str]
) -> None:
    graph = build_graph(load_manifest(MANIFESTS / f"{name}.yaml", environ=environ))
    assert len(graph.select("train")) == trainings
    report = graph.nodes["report"]
    labels: dict[str, set[str]] = {}
    for variant in report.variants:
        for axis, label in variant.labels.items():
            labels.setdefault(axis, set()).add(str(label))
    assert {axis: len(found) for axis, found in labels.items()} == rows | pooled
    assert set(report.stage.model_dump()["pool"]) == set(pooled)


def test_the_rows_of_table_4_are_all_combinations(environ: dict[str, str]) -> None:
    graph = build_graph(load_manifest(MANIFESTS / "ablations/attention_modules_demo.yaml", environ=environ))
    found = set()
    for name in graph.select("train"):
        network = graph.nodes[name].stage.model_dump()["model"]
        switches = tuple(network[f"{module}_attention"] for module in ("deformable", "joint", "temporal"))
        assert network["modality"] == "rgb+pose" and network["modal_tokens"] == ("cross" if any(switches) else "none")
        found.add(switches)
    assert len(found) == 8


def test_videos_without_a_test_split_are_found_before_anything_runs(environ: dict[str, str]) -> None:
    videos = Path(environ["VIDEOS_ROOT"])
    for i in range(4):
        (videos / "train" / "jump").mkdir(parents=True, exist_ok=True)
        (videos / "train" / "jump" / f"{i}.mp4").touch()
    settings = [f"store={videos}/store"]
    with pytest.raises(ManifestError, match=r"stage 'predict': split: no clip .* \(there are: train\)"):
        plan_run(load_manifest(MANIFESTS / "folder.yaml", settings, environ))
    plan_run(load_manifest(MANIFESTS / "folder.yaml", [*settings, "predict.split=null"], environ))


def test_folds_of_real_videos_share_decoding_pose_and_cache(shared_data: Path, environ: dict[str, str]) -> None:
    environ["UT_INTERACTION_ROOT"] = str(shared_data / "ut_interaction/set1")
    settings = [f"store={environ['VIDEOS_ROOT']}/store"]
    plan = plan_run(load_manifest(MANIFESTS / "ut_interaction_folds.yaml", settings, environ))
    stages = Counter(plan.nodes[name].node.spec for name, _ in plan.tasks)
    assert stages.pop("predict") <= 3 * 60
    single = plan_run(load_manifest(MANIFESTS / "ut_interaction.yaml", settings, environ))
    partitions = sum(name == "decode" for name, _ in single.tasks)
    assert stages == {
        **dict.fromkeys(("decode", "pose", "cache"), partitions),
        "train": 30,
        "evaluate": 30,
        "report": 1,
    }
