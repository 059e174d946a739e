"""The command line. Every command imports what it needs itself, so that ``pipeline --help`` stays fast.

Exit codes: 0 done, 1 the work failed, 2 the request was wrong, 130 interrupted.
"""

import io
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.arguments import (
    Debug,
    Executor,
    ExecutorName,
    Force,
    From,
    ManifestName,
    Name,
    Only,
    RayAddress,
    RetryFailed,
    RunName,
    Settings,
    named,
)
from pipeline.console import (
    complain,
    conclude,
    figure,
    lines_about_skipped,
    paragraph,
    plain_errors,
    run_and_show,
    say,
    table,
)
from pipeline.stage_commands import stage_commands
from pipeline.texts import byte_size, count, duration

if TYPE_CHECKING:
    from pipeline.manifest import Manifest

app = typer.Typer(
    help="Turn folders of videos into trained action recognizers, and recognize actions in new videos.",
    epilog="Start with: pipeline run demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def command_line() -> None:
    """Carry out what the command line asks for. Raises SystemExit with the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a character that the terminal lacks becomes a question mark
    add_stage_commands()
    app()


def add_stage_commands() -> None:
    """Complete ``app`` with the commands that know what the stages do."""
    for name, command in stage_commands().items():
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)


@app.command()
def run(
    manifest: ManifestName,
    start: From = None,
    only: Only = None,
    force: Force = None,
    retry_failed: RetryFailed = False,
    executor: Executor = ExecutorName.auto,
    ray_address: RayAddress = None,
    settings: Settings = None,
    name: Name = None,
    debug: Debug = False,
) -> None:
    """Run a manifest. What is already done is not done again.

    \b
    pipeline run demo
    pipeline run demo --set train.epochs=2 --name quick
    pipeline run demo --retry-failed
    """
    with plain_errors(debug):
        from pipeline.runs import Options

        options = Options(start, only, tuple(force or ()), retry_failed, executor.value, ray_address)
        loaded = _load(manifest, settings, name)
        result = run_and_show(loaded, options)
        if result.computed:
            for line in lines_about_skipped(result, each=False):
                say(line)
        conclude(loaded, result)


@app.command()
def plan(
    manifest: ManifestName,
    start: From = None,
    only: Only = None,
    force: Force = None,
    settings: Settings = None,
    name: Name = None,
    debug: Debug = False,
) -> None:
    """Show what a run would compute, and why.

    \b
    pipeline plan demo --set train.epochs=2
    """
    with plain_errors(debug):
        from pipeline.checks import check, refuse
        from pipeline.reasons import plan_lines
        from pipeline.run_folders import run_folder
        from pipeline.runs import Options, plan_run

        loaded = _load(manifest, settings, name)
        planned = plan_run(loaded, Options(start, only, tuple(force or ())))
        table(("stage", "to compute", "why"), plan_lines(planned, run_folder(loaded, fetch=True)))
        say(f"\n{loaded.name}: {count(len(planned.tasks), 'result')} to compute")
        problems = check(planned)
        for found in problems:
            if not found.problem.fatal:
                say(f"{found.node}: note: {found.text}")
        refuse(planned, problems)


@app.command()
def status(
    run: RunName,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show its progress until it ends, or Ctrl-C.")] = False,
    debug: Debug = False,
) -> None:
    """Show how far a run is, which machines work for it, and how it ended.

    \b
    pipeline status demo
    pipeline status demo --follow        # from any machine that sees the run's folder
    pipeline status s3://bucket/runs/demo
    """
    with plain_errors(debug):
        import json

        from pipeline.events import EVENTS
        from pipeline.status import find_run, read_status

        folder = find_run(run)
        state = read_status(folder)
        if follow and not (state.finished or state.interrupted):
            from rich.console import Console

            from pipeline.following import follow_run

            follow_run(folder, Console(), lambda: find_run(run, only=EVENTS))
            folder = find_run(run)  # of a run at a URL: what else it has made meanwhile
            state = read_status(folder)
        rows = [
            (name, f"{s.done:,} of {s.todo:,}", f"{s.clips:,}", f"{s.failed:,}", duration(s.seconds), s.note)
            for name, s in state.stages.items()
        ]
        if rows:
            table(("stage", "done", "clips", "failed", "work", ""), rows)
        elif not state.interrupted:
            say("there was nothing to compute")
        if state.machines:
            say("")
            made = [(host, *(f"{own.get(name, 0):,}" for name in state.stages)) for host, own in state.machines.items()]
            table(("machine", *state.stages), sorted(made))
        say(f"\n{folder}: {state.text()} after {duration(state.last - state.started)}")
        if any(stage.failed or stage.broken for stage in state.stages.values()):
            say(f"pipeline logs {folder} shows what failed, and what was printed meanwhile")
        file = folder / "metrics.json"
        if state.finished and not state.broken and file.is_file() and file.stat().st_mtime >= state.started:
            metrics = json.loads(file.read_text(encoding="utf-8"))
            say(", ".join(f"{key} {figure(value)}" for key, value in metrics.items() if isinstance(value, int | float)))


@app.command()
def graph(
    manifest: ManifestName,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Draw for Markdown pages.")] = False,
    settings: Settings = None,
    debug: Debug = False,
) -> None:
    """Draw the stages of a manifest and what they need.

    \b
    pipeline graph demo --mermaid
    """
    with plain_errors(debug):
        from pipeline.graph import build_graph

        drawn = build_graph(_load(manifest, settings))
        say(drawn.mermaid() if mermaid else drawn.text())


@app.command()
def report(run: RunName, debug: Debug = False) -> None:
    """Write the report and the other files of a finished run again.

    \b
    pipeline report demo
    """
    with plain_errors(debug):
        from pipeline.errors import ManifestError
        from pipeline.manifest import load_resolved
        from pipeline.runs import MANIFEST, Options, plan_run
        from pipeline.runs import run as run_manifest
        from pipeline.status import find_run

        folder = find_run(run)
        manifest = load_resolved(folder / MANIFEST)
        if tasks := plan_run(manifest, create=True).tasks:
            complain(f"{folder}: {count(len(tasks), 'result')} would be computed again; this is the report from before")
        else:
            run_manifest(manifest, Options(executor="local"))
        if not (folder / "report.html").is_file():
            raise ManifestError(f"{folder}: has no report; finish the run, with a stage that makes one")
        say(str(folder / "report.html"))


@app.command()
def failures(run: RunName, debug: Debug = False) -> None:
    """List the clips that failed, with the stage and the reason.

    \b
    pipeline failures demo
    """
    with plain_errors(debug):
        import csv

        from pipeline.failures import FAILURES
        from pipeline.status import find_run

        folder = find_run(run)
        try:
            with (folder / FAILURES).open(encoding="utf-8", newline="") as file:
                rows = [(row["clip_id"], row["stage"], row["error"]) for row in csv.DictReader(file)]
        except FileNotFoundError:
            rows = []
        if rows:
            table(("clip", "stage", "reason"), rows)
        say(f"{count(len({clip for clip, _, _ in rows}), 'clip')} failed")


@app.command()
def logs(
    run: RunName,
    which: Annotated[
        str | None, typer.Argument(metavar="[STAGE|KEY]", help="A stage, or a result's key or how that begins.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Also what did not fail.")] = False,
    debug: Debug = False,
) -> None:
    """Show what was printed while results were computed that failed: tracebacks, warnings, native libraries' messages.

    Works on any machine that sees the run's folder, during the run and after it, also for workers that crashed or were
    killed. A key shows one partition, failed or not.

    \b
    pipeline logs demo
    pipeline logs demo decode
    pipeline logs demo 3fa8c1
    pipeline logs demo decode --all
    """
    with plain_errors(debug):
        from pipeline.logs import log_lines
        from pipeline.status import find_run

        for line in log_lines(find_run(run), which, every):
            say(line)


@app.command()
def clean(
    manifests: Annotated[list[str], typer.Argument(metavar="MANIFEST...", help="Manifests whose results are kept.")],
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
    settings: Settings = None,
    debug: Debug = False,
) -> None:
    """Remove results that neither these manifests nor other runs in their runs/ folder need. Asks first.

    Recognitions are runs too: give their manifest.json, or their videos must be decoded again. Drawn data that was
    deleted is drawn again first, as it decides which results belong to it.

    \b
    pipeline clean demo
    pipeline clean demo recognized/manifest.json
    """
    with plain_errors(debug):
        from pipeline.clean import find_garbage
        from pipeline.errors import ManifestError

        for garbage in find_garbage([_load(manifest, settings) for manifest in manifests]):
            if not garbage.remove:
                say(f"{garbage.store.url}: nothing to remove")
                continue
            rows = [(name, f"{files:,}", byte_size(size)) for name, (files, size) in garbage.by_folder().items()]
            table(("stage", "files", "size"), rows)
            size, kept = byte_size(sum(garbage.remove.values())), byte_size(sum(garbage.keep.values()))
            question = f"{garbage.store.url}: remove {count(len(garbage.remove), 'file')}, {size} ({kept} stay)"
            if not yes and not sys.stdin.isatty():
                raise ManifestError(f"{question}: cannot ask without a terminal; add --yes to remove them")
            if yes or typer.confirm(question):
                garbage.sweep()
                say(f"removed {size}")


@app.command()
def stages(
    stage: Annotated[
        str | None, typer.Argument(metavar="[STAGE]", help="A name as under `uses`: train, or my_module:MyStage.")
    ] = None,
    debug: Debug = False,
) -> None:
    """List the stages, or the parameters of one, with their defaults.

    \b
    pipeline stages
    pipeline stages train
    """
    with plain_errors(debug):
        from pipeline.reference import all_stages, parameters, summary
        from pipeline.registry import find_stage

        if stage is None:
            table(("stage", "works", "what it does"), list(all_stages()))
            return
        found = find_stage(stage)
        say(f"{stage}: {summary(found)}\n")
        for parameter in parameters(found):
            default = "" if parameter.value is None else f" {parameter.value}"
            kind = f"   ({parameter.kind}{', required' if parameter.value is None else ''})" if parameter.kind else ""
            say(f"{parameter.name}:{default}{kind}")
            say(paragraph(parameter.text))


@app.command()
def manifests(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Print this one.")] = None,
    debug: Debug = False,
) -> None:
    """List the manifests that ship with the package, or print one to start from.

    \b
    pipeline manifests
    pipeline manifests folder_laptop > mine.yaml
    """
    with plain_errors(debug):
        from pipeline.shipped import TO_EXTEND, description, find_shipped, shipped_manifests

        if name is not None:
            typer.echo(find_shipped(name).read_text(encoding="utf-8"), nl=False)
            return
        rows = [(known, description(file)) for known, file in shipped_manifests().items()]
        table(("manifest", "description"), [row for row in rows if not row[0].startswith(TO_EXTEND)])
        say("")
        table(("to extend", "description"), [row for row in rows if row[0].startswith(TO_EXTEND)])


def _load(asked: str, settings: list[str] | None, name: str | None = None) -> "Manifest":
    from pipeline.manifest import load_manifest
    from pipeline.shipped import find_manifest

    return load_manifest(find_manifest(asked), named(settings, name))
