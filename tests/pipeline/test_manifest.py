"""Manifests: what they say, and one clear line for everything that can be wrong with one."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.errors import ManifestError
from pipeline.manifest import Manifest, load_manifest, manifest_from_dict

BASE = """\
max_failed: 0.5
stages:
  index:
    uses: toy_stages:Numbers
    with: {count: 20}
  double: {uses: "toy_stages:Double", needs: index}
  add:
    uses: toy_stages:Add
    needs: double
    with:
      amount: 3
      limit: 5
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(BASE)
    return tmp_path


def load(text: str, overrides: Sequence[str] = (), **environ: str) -> Manifest:
    Path("m.yaml").write_text(text)
    return load_manifest("m.yaml", overrides, environ)


def complaints(text: str, overrides: Sequence[str] = (), **environ: str) -> list[str]:
    with pytest.raises(ManifestError) as error:
        load(text, overrides, **environ)
    assert error.value.exit_code == 2
    return str(error.value).splitlines()


def parameters(manifest: Manifest, stage: str) -> dict[str, object]:
    [spec] = [spec for spec in manifest.stages if spec.name == stage]
    return spec.parameters


def test_defaults(folder: Path) -> None:
    manifest = load_manifest(folder / "base.yaml")
    assert (manifest.name, manifest.store, manifest.runs, manifest.partition) == ("base", "store", "runs", 32)
    assert manifest.max_failed == 0.5
    assert [(spec.name, spec.uses, spec.needs) for spec in manifest.stages] == [
        ("index", "toy_stages:Numbers", ()),
        ("double", "toy_stages:Double", ("index",)),
        ("add", "toy_stages:Add", ("double",)),
    ]


def test_names_of_the_package_are_resolved(folder: Path) -> None:
    manifest = load("stages: {synthetic: {}}\n")
    assert manifest.stages[0].uses == "stages.sources.synthetic:Synthetic"


def test_extends_merges_key_by_key(folder: Path) -> None:
    manifest = load("extends: base.yaml\nmax_failed: 0.1\nstages:\n  add: {with: {amount: 4}, needs: [double]}\n")
    assert manifest.max_failed == 0.1
    assert parameters(manifest, "add") == {"amount": 4, "limit": 5}
    assert parameters(manifest, "index") == {"count": 20}


def test_environment(folder: Path) -> None:
    text = 'extends: base.yaml\nstore: ${STORE}/here\nstages: {index: {with: {count: "${COUNT:-7}", file: "$${x}"}}}\n'
    manifest = load(text, STORE="/data/${HOME}")
    assert manifest.store == "/data/${HOME}/here", "what a variable holds is not expanded again"
    assert parameters(manifest, "index") == {"count": "7", "file": "${x}"}


def test_overrides(folder: Path) -> None:
    manifest = load(
        "extends: base.yaml\n", ["add.amount=9", "store=elsewhere", "stages.add.needs=[double]", "index.file=null"]
    )
    assert parameters(manifest, "add") == {"amount": 9, "limit": 5}
    assert parameters(manifest, "index") == {"count": 20, "file": None}
    assert manifest.store == "elsewhere"
    assert [spec.name for spec in load("extends: base.yaml\n", ["stages.add=null"]).stages] == ["index", "double"]


def test_resolved_can_be_loaded_again(folder: Path) -> None:
    manifest = load("extends: base.yaml\nstore: ${STORE}\n", STORE="$${s}")
    again = manifest_from_dict(json.loads(json.dumps(manifest.resolved)), "run.json")
    assert again.resolved == manifest.resolved
    assert again.stages == manifest.stages


def test_all_that_is_wrong_is_named_at_once(folder: Path) -> None:
    assert complaints(
        """\
extends: base.yaml
stor: x
partition: none
stages:
  add:
    neds: double
  double:
    with:
      factr: 3
      limit: -1
      slow: fast
      once: 3
  index: {uses: toy_stages:Number}
  other: {uses: decod}
  third: 3
""",
    ) == [
        "m.yaml:2: unknown key 'stor'; did you mean 'store'?",
        "m.yaml:3: 'partition' should be an integer, not 'none'",
        "m.yaml:6: stage 'add': unknown key 'neds'; did you mean 'needs'?",
        "m.yaml:9: stage 'double': unknown parameter 'factr'; did you mean 'factor'?",
        "m.yaml:10: stage 'double': 'limit' should be greater than 0, not -1",
        "m.yaml:11: stage 'double': 'slow' should be a number, not 'fast'",
        "m.yaml:12: stage 'double': 'once' should be true or false, not 3",
        "m.yaml:13: stage 'index': module 'toy_stages' has no class 'Number'; did you mean 'Numbers'?",
        "m.yaml:14: stage 'other': no stage is called 'decod'; did you mean 'decode'?",
        "m.yaml:15: stage 'third': should be a mapping of uses, needs and with, or {}",
    ]


def test_an_unknown_parameter_that_resembles_none_names_the_command_that_lists_them(folder: Path) -> None:
    text = """
stages:
  index: {uses: videos, with: {root: .}}
  train: {needs: index, with: {foobar: 3}}
"""
    assert complaints(text) == [
        "m.yaml:4: stage 'train': unknown parameter 'foobar'; 'pipeline stages train' lists them all",
    ]


def test_a_key_is_not_offered_by_the_name_that_only_the_code_has_for_it(folder: Path) -> None:
    assert complaints("stages: {index: {uses: videos, parameters: {root: .}}}\n") == [
        "m.yaml:1: stage 'index': unknown key 'parameters'; there are: uses, needs, with, matrix",
    ]


def test_the_file_of_the_offending_key_is_named(folder: Path) -> None:
    Path("base.yaml").write_text(BASE.replace("amount", "amont"))
    assert complaints("extends: base.yaml\nstages: {add: {with: {limit: x}}}\n") == [
        "base.yaml:11: stage 'add': unknown parameter 'amont'; did you mean 'amount'?",
        "m.yaml:2: stage 'add': 'limit' should be a number, not 'x'",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\n", "m.yaml:1: key 'stages' is missing"),
        (f"extends: base.yaml\nname: {'x' * 201}\n", f"m.yaml:2: 'name': '{'x' * 40}'... is too long"),
        (
            "extends: base.yaml\nname: a/b\n",
            "m.yaml:2: 'name': 'a/b' cannot be the name of a folder; it must not contain '/' or start with '.'",
        ),
        ("extends: base.yaml\nruns: ''\n", "m.yaml:2: 'runs' should have at least 1 character, not ''"),
        (
            "extends: base.yaml\nstages: {add: {needs: [3]}}\n",
            "m.yaml:2: stage 'add': 'needs.0' should be text, not 3",
        ),
        ("extends: base.yaml\nstages: {add: {needs: {}}}\n", "m.yaml:2: stage 'add': 'needs' should be a list, not {}"),
        ("extends: base.yaml\nmax_failed: 2\n", "m.yaml:2: 'max_failed' should be less than or equal to 1, not 2"),
        ("extends: base.yaml\npartition: true\n", "m.yaml:2: 'partition' should not be true or false"),
        ("stages:\n  'a b': {}\n", "m.yaml:2: 'a b' cannot name a stage; use letters, digits, '_' and '-'"),
        ("extends: base.yaml\nstore: ${STORE}\n", "m.yaml:2: environment variable STORE is not set; export STORE=…"),
        (
            "stages:\n  index:\n    uses: no_such_module:Stage\n",
            "m.yaml:3: stage 'index': module 'no_such_module' of 'no_such_module:Stage' was not found from",
        ),
        (
            "stages:\n  index:\n    uses: json:JSONDecoder\n",
            "m.yaml:3: stage 'index': 'json:JSONDecoder' is not a stage: it must be a Source, MapStage or WholeStage",
        ),
        (
            "extends: base.yaml\nstages: {add: {matrix: {amount: 3}}}\n",
            "m.yaml:2: stage 'add': 'amount' should be a list of values, or a mapping of labels",
        ),
        (
            "extends: base.yaml\nstages:\n  add:\n    matrix:\n      limit: [1, 2]\n      amount: [1, a]\n",
            "m.yaml:6: stage 'add': 'amount' should be an integer, not 'a'",
        ),
        (
            "extends: base.yaml\nstages:\n  add:\n    matrix:\n      how: {a: {amont: 1}, b: {amont: 2}}\n",
            "m.yaml:5: stage 'add': unknown parameter 'amont'; did you mean 'amount'?",
        ),
    ],
)
def test_one_line_each(folder: Path, text: str, message: str) -> None:
    [line] = complaints(text, HOME="/home/me")
    assert line.startswith(message)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("add.amont=3", "stage 'add': unknown parameter 'amont'; did you mean 'amount'?"),
        ("add.amount=three", "stage 'add': 'amount' should be an integer, not 'three'"),
        ("ad.amount=3", "no stage or key is called 'ad'; did you mean 'add'?"),
        ("partition=0", "'partition' should be greater than or equal to 1, not 0"),
    ],
)
def test_wrong_overrides_name_the_option(folder: Path, option: str, message: str) -> None:
    [line] = complaints("extends: base.yaml\n", [option])
    assert line.startswith(f"--set {option}: {message}")


def test_an_override_of_what_the_matrix_sets_is_refused(folder: Path) -> None:
    text = "extends: base.yaml\nstages: {add: {matrix: {amount: [1, 2]}}}\n"
    assert complaints(text, ["add.amount=3"]) == ["--set add.amount=3: stage 'add': 'amount' is set by the matrix"]


def test_a_module_that_lacks_a_package_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.py").write_text("import not_installed_anywhere\n")
    Path("torn.py").write_text("1 / 0\n")
    assert complaints("stages:\n  a: {uses: mine:Stage}\n  b: {uses: torn:Stage}\n") == [
        "m.yaml:2: stage 'a': 'mine:Stage' needs the package 'not_installed_anywhere'; install it in this environment",
        "m.yaml:3: stage 'b': 'torn:Stage' cannot be imported: ZeroDivisionError: division by zero",
    ]


def test_a_failure_of_a_stage_is_put_to_the_parameter_it_quotes(folder: Path) -> None:
    manifest = load("extends: base.yaml\nstages:\n  index:\n    with:\n      file: /no/file\n")
    error = manifest.blame("index", ManifestError("/no/file: no such file"))
    assert str(error) == "m.yaml:5: stage 'index': /no/file: no such file"


def test_what_a_check_over_several_parameters_refuses_is_put_to_the_one_it_names(folder: Path) -> None:
    text = "stages:\n  index: {uses: folder, with: {root: .}}\n  decode: {needs: index}\n  pose: {needs: decode}\n"
    options = ["pose.flip_test=true", "pose.persons=3", "pose.estimator=onnx"]
    [complaint] = complaints(text, options)
    assert complaint.startswith("--set pose.estimator=onnx: stage 'pose': estimator onnx needs weights")
    text += "  train: {with: {backbone: kinetics400, model: {width: 64}}}\n"
    [complaint] = complaints(text, ["train.model.width=32", "train.epochs=3"])
    assert complaint.startswith("m.yaml:5: stage 'train': backbone: kinetics400 needs")
    [complaint] = complaints(text, ["train.epochs=3", "train.model.heads=7"])
    assert complaint.startswith("--set train.model.heads=7: stage 'train': 'model': heads=7 must divide")


def test_an_axis_with_a_dot_in_its_name(folder: Path) -> None:
    text = "extends: base.yaml\nstages: {add: {matrix: {amount: [1, 2], how.big: {small: {amount: 1}}}}}\n"

    def axes(*options: str) -> dict[str, object]:
        [add] = [spec for spec in load(text, options).stages if spec.name == "add"]
        return add.matrix

    one_axis = {"how.big": {"small": {"amount": 1}}}
    assert axes("stages.add.matrix.amount=null") == {"amount": None} | one_axis
    assert axes("stages.add.matrix.amount=null", "stages.add.matrix.how.big={large: {amount: 9}}") == {
        "amount": None,
        "how.big": {"large": {"amount": 9}},
    }
    assert axes("stages.add.matrix.amount=null", "stages.add.matrix.how.big.large={amount: 9}") == {
        "amount": None,
        "how.big": {"small": {"amount": 1}, "large": {"amount": 9}},
    }
    other = "extends: base.yaml\nstages: {train: {uses: train, matrix: {seed: [0]}}}\n"
    [train] = [s for s in load(other, ["stages.train.matrix.model.width=[8, 16]"]).stages if s.name == "train"]
    assert train.matrix == {"seed": [0], "model.width": [8, 16]}


def test_the_name_is_that_of_the_file_and_runs_may_lie_in_the_home_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    for name in ("exp.1", "exp.2"):
        (folder / f"{name}.yaml").write_text("extends: base.yaml\nruns: ~/runs\n")
        manifest = load_manifest(folder / f"{name}.yaml")
        assert (manifest.name, manifest.runs) == (name, "/home/anna/runs")
