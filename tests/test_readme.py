"""What the README promises exists: manifests, pages, commands, options."""

import re
from pathlib import Path

import pytest

from pipeline.cli import app
from pipeline.shipped import shipped_manifests
from pipeline.stage_commands import stage_commands

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = "\n".join(re.findall(r"```bash\n(.*?)```", README, re.S))
COMMANDS = sorted(set(re.findall(r"\bpipeline ([a-z-]+)\b(?! *=)", BLOCKS)))
SHIPPED = sorted(set(re.findall(r"\bpipeline (?:run|plan|doctor|graph|clean|manifests) (\w+) ", BLOCKS)))


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


@pytest.mark.parametrize("manifest", sorted(set(re.findall(r"manifests/\w+\.yaml", README))))
def test_manifests_exist(manifest: str) -> None:
    assert (ROOT / manifest).is_file()


@pytest.mark.parametrize("name", SHIPPED)
def test_manifests_called_by_name_ship_with_the_package(name: str) -> None:
    assert name in shipped_manifests()


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_exist(name: str) -> None:
    own = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert name in own | stage_commands().keys()


def test_ci_runs_the_readmes_test_command() -> None:
    ci = (ROOT / ".ci/run").read_text()
    assert "pip install --quiet --no-compile -e '.[test]'" in ci and "\npytest" in ci
    assert "pip install -e '.[test]' && pytest" in README
