"""Runs shipped manifests through the command line, in this process: every new one would have to import PyTorch."""

from collections.abc import Iterable
from contextlib import chdir
from pathlib import Path

from typer.testing import CliRunner

from pipeline.cli import app

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"


def run_manifest(name: str, home: Path, settings: Iterable[str], **environ: str) -> tuple[Path, str]:
    """``pipeline run`` in the folder ``home``; returns the run's folder and what was printed."""
    options = [part for setting in settings for part in ("--set", setting)]
    with chdir(home):
        done = CliRunner().invoke(
            app, ["run", str(MANIFESTS / f"{name}.yaml"), "--executor", "local", "--debug", *options], env=environ
        )
    assert done.exit_code == 0, f"{done.output}\n{done.exception!r}"
    return home / "runs" / name, done.output
