"""The output of the command line: lines and tables, errors without tracebacks, and how a run ended."""

import os
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from pipeline.errors import INTERRUPTED
from pipeline.texts import columns, count, duration, sanitize

if TYPE_CHECKING:
    from pipeline.events import Listener
    from pipeline.executor import Executor
    from pipeline.manifest import Manifest
    from pipeline.plan import Plan
    from pipeline.runs import Options, Result

BROKEN_PIPE = 141
"""The exit code that shells report for a program ended by SIGPIPE."""

SKIPPED_LINES = 20
"""Up to this many files are named that are skipped for one reason."""

EXPORTED_LINES = 5
"""A run ends with at most this many lines of whole stages, which are one per variant if nothing gathers them."""


@contextmanager
def plain_errors(debug: bool) -> Iterator[None]:
    """Turn errors into a message for people and an exit code."""
    from pipeline.errors import PipelineError

    try:
        yield
    except PipelineError as error:
        if debug:
            raise
        complain(str(error))
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None  # which is explained at the very end
    except BrokenPipeError:  # a reader such as head has stopped reading
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(BROKEN_PIPE) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        if debug:
            raise
        if isinstance(error, UnicodeEncodeError) and error.encoding == "ascii":
            complain("a file's name is not ASCII, and Python was told to use nothing else: set PYTHONUTF8=1")
            raise typer.Exit(2) from None
        complain(f"unexpected {type(error).__name__}: {error} (--debug shows where)")
        raise typer.Exit(1) from None


def run_and_show(
    manifest: "Manifest",
    options: "Options",
    executor: "Executor | None" = None,
    watch: "Callable[[Plan], Listener] | None" = None,
) -> "Result":
    """Run with a progress display, and say how it ended. executor, watch: see ``pipeline.runs.run``."""
    import time

    from rich.console import Console

    from pipeline.progress import display_for
    from pipeline.runs import run as run_manifest

    began = time.perf_counter()
    display = display_for(Console())
    try:
        result = run_manifest(manifest, options, [display], executor, watch)
    finally:
        display.close()
    for text in result.code_changed:
        say(text)
    if result.computed:
        done = f"{count(result.computed, 'result')} computed"
    else:
        done = "nothing computed" if result.errors else "nothing to do"
    say(f"{manifest.name}: {done}, in {duration(time.perf_counter() - began)}; see {result.place}")
    return result


def conclude(manifest: "Manifest", result: "Result") -> None:
    """Name what failed, then print the main results. Exits with 1 if a stage failed, or too many clips."""
    clips, failed = result.clips, result.failed_clips
    text = f"{failed:,} of {clips:,} clips failed"
    for error in result.errors:
        complain(error)
    if result.errors:
        complain("the run is incomplete; what is done is kept: fix this, then run the same command again")
        raise typer.Exit(1)
    if not result.succeeded:
        why = "" if failed == clips else f", more than max_failed ({manifest.max_failed:.0%}) allows"
        complain(f"{text}{why}: pipeline failures {result.place}")
        raise typer.Exit(1)
    if failed:
        say(f"{text}: pipeline failures {result.place}")
    if result.warnings:
        clips = len({warning.clip_id for warning in result.warnings})
        say(f"something is unusual about {count(clips, 'clip')}: see {result.place}/warnings.csv")
    for line in result.exported[:EXPORTED_LINES]:
        say(line)
    if len(result.exported) > EXPORTED_LINES:
        say(f"and {count(len(result.exported) - EXPORTED_LINES, 'more variant')}, below {result.place}/variants/")


def lines_about_skipped(result: "Result", each: bool) -> list[str]:
    """Which files the index does not list, and why. each: False only says how many there are per reason; True names up
    to SKIPPED_LINES of each."""
    from pipeline.stage import Source

    stages = [node.stage for node in result.plan.graph.nodes.values()]
    skipped = dict.fromkeys(
        (path, reason) for stage in stages if isinstance(stage, Source) for path, reason in stage.skipped()
    )
    lines = []
    for reason, number in Counter(reason for _, reason in skipped).items():
        named = [path for path, why in skipped if why == reason][: SKIPPED_LINES if each else 0]
        lines += [f"skipped {path}: {reason}" for path in named]
        if number > len(named):
            lines.append(f"skipped {count(number - len(named), 'more file' if named else 'file')}: {reason}")
    return lines


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns that are as wide as their content, on any output."""
    for line in columns([head, *rows] if any(head) else rows):
        say(line)


def paragraph(text: str) -> str:
    """The text indented, in lines that fit the terminal and have at most 100 characters."""
    width = min(shutil.get_terminal_size().columns, 100)
    return textwrap.fill(" ".join(text.split()), width, initial_indent="    ", subsequent_indent="    ")


def say(text: str) -> None:
    typer.echo(sanitize(text))


def complain(text: str) -> None:
    typer.echo(f"pipeline: {sanitize(text)}", err=True)


def figure(value: float) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
