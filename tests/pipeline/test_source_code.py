"""Which source files a stage's results come from, and what a plan says of a change in them."""

import importlib
import sys
from pathlib import Path

import pytest

from pipeline.registry import find_stage
from pipeline.source_code import _folder_of, code_of, modules_here
from toy_manifest import Toy

STAGE = """
from pipeline.stage import MapStage
from stages.tables import FRAMES


class Mine(MapStage):
    makes = FRAMES

    def load(self, inputs):
        from my_own import helper
        return helper.work
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    _folder_of.cache_clear()
    (tmp_path / "my_stage.py").write_text(STAGE)
    (tmp_path / "my_own").mkdir()
    (tmp_path / "my_own" / "__init__.py").touch()
    (tmp_path / "my_own" / "helper.py").write_text("import numpy\nTABLE = {'a': 'my_own.model:Model'}\nwork = 1\n")
    (tmp_path / "my_own" / "model.py").write_text("class Model: pass\n")
    (tmp_path / "my_own" / "unused.py").touch()
    yield tmp_path
    for module in [module for module in sys.modules if module.startswith("my_")]:
        del sys.modules[module]


def test_the_parts_of_a_stage_are_followed_through_functions() -> None:
    code = code_of(find_stage("train"))
    assert {"stages.train.stage", "stages.train.loop", "stages.cache.shards", "recognizer.block"} <= code.keys()
    assert not any(module.startswith(("pipeline", "torch", "stages.report")) for module in code)
    assert {"stages.pose.hrnet", "stages.pose.tracking"} <= code_of(find_stage("pose")).keys()
    assert "stages.train.loop" not in code_of(find_stage("decode"))


def test_a_stage_of_ones_own_with_what_lies_beside_it(own: Path) -> None:
    before = code_of(find_stage("my_stage:Mine"))
    assert set(before) == {"my_stage", "my_own", "my_own.helper", "my_own.model", "stages.tables"}
    (own / "my_own" / "helper.py").write_text("work = 2\n")
    after = code_of(find_stage("my_stage:Mine"))
    assert {module for module in after if before[module] != after[module]} == {"my_own.helper"}


def test_modules_in_the_current_folder_travel_and_installed_ones_do_not(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimator = {"estimator": "my_estimator:Mine"}
    (own / "my_estimator.py").write_text("import numpy\nclass Mine: pass\n")
    importlib.invalidate_caches()
    used = [(find_stage("my_stage:Mine"), {}), (find_stage("pose"), estimator), (find_stage("train"), {})]
    assert modules_here(used) == [], "somewhere on the path of modules is somewhere else"
    monkeypatch.chdir(own)
    assert modules_here(used) == [str(own / "my_estimator.py"), str(own / "my_own"), str(own / "my_stage.py")]


def test_a_plan_names_the_changed_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "arithmetic.py").write_text("FACTOR = 2\n")
    (tmp_path / "own_stages.py").write_text(
        "import arithmetic\nfrom toy_stages import Double as Base\n\n\nclass Double(Base): pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    toy = Toy(tmp_path / "toy")
    toy.path.write_text(toy.path.read_text().replace("toy_stages:Double", "own_stages:Double"))
    toy.run()
    assert toy.reasons()["double"] == "done"
    (tmp_path / "arithmetic.py").write_text("FACTOR = 3\n")
    assert toy.reasons()["double"] == (
        "done (code changed since: arithmetic; to recompute, use --force or increase the version)"
    )
    assert toy.reasons()["add"] == "done"
    toy.run(force=("double",))
    assert toy.reasons()["double"] == "done"


PLUGIN = "from typing import ClassVar\n\n\nclass Mine:\n    factor = 2\n"


@pytest.fixture
def plugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Toy, Path]:
    """A toy whose stage ``double`` has a parameter that names a class, and that class's file."""
    file = tmp_path / "named_plugin.py"
    file.write_text(PLUGIN)
    (tmp_path / "plugged_stages.py").write_text(
        "from toy_stages import Double as Base\n\n\n"
        "class Double(Base):\n    by: str = 'named_plugin:Mine'\n    other: str = 'C:nothing'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "plugged_stages", raising=False)
    _folder_of.cache_clear()
    importlib.invalidate_caches()
    toy = Toy(tmp_path / "toy")
    toy.path.write_text(toy.path.read_text().replace("toy_stages:Double", "plugged_stages:Double"))
    return toy, file


def test_a_changed_class_that_a_parameter_names_is_mentioned_by_plan_and_run(plugged: tuple[Toy, Path]) -> None:
    toy, file = plugged
    toy.run()
    assert toy.run().code_changed == []
    file.write_text(PLUGIN.replace("2", "30"))
    assert "code changed since: named_plugin;" in toy.reasons()["double"]
    assert toy.run("total.scale=2").code_changed == [
        "double: the code of named_plugin has changed since its results were made; they stay, until its version is "
        "increased or --force double is given"
    ]
    assert toy.run(force=("double",)).code_changed == []
    assert toy.run().code_changed == []


@pytest.mark.parametrize("declared", ["version = {}", "version: ClassVar[int] = {}"])
def test_the_version_that_such_a_class_declares_is_in_the_keys(plugged: tuple[Toy, Path], declared: str) -> None:
    toy, file = plugged
    toy.run()
    file.write_text(f"{PLUGIN}    {declared.format(2)}\n")
    second = toy.plan().nodes["double"]
    assert not any(second.done)
    assert toy.reasons()["double"] == "changed: version of named_plugin:Mine → 2"
    file.write_text(f"{PLUGIN}    {declared.format(33)}\n")
    assert not set(toy.plan().nodes["double"].keys) & set(second.keys)
    file.write_text(f"# A comment changes no key.\n{PLUGIN}")
    assert all(toy.plan().nodes["double"].done)
