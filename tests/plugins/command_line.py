"""Commands of the command line in this process: a new one would spend a second or more on imports."""

from typing import NamedTuple

from typer.testing import CliRunner

from pipeline.cli import add_stage_commands, app

add_stage_commands()


class Done(NamedTuple):
    """How a command ended, with the names of ``subprocess.CompletedProcess``."""

    returncode: int
    stdout: str
    stderr: str


def command(*arguments: str) -> Done:
    """``pipeline ARGUMENTS``, without a terminal. Raises what would end the command with a traceback."""
    done = CliRunner().invoke(app, arguments, prog_name="pipeline")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Done(done.exit_code, done.stdout, done.stderr)
