"""A run: plan, compute what is missing, and write the files that people open. To resume a run is to run it again."""

import json
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from pipeline.checks import check, prepare, refuse
from pipeline.claims import Claim
from pipeline.errors import DamagedResultError, ManifestError, StageError, UnreadableError
from pipeline.events import EventLog, Listener, read_events
from pipeline.executor import Executor, LocalExecutor
from pipeline.exports import export, is_exported
from pipeline.failures import (
    FAILURES,
    WARNINGS,
    Failure,
    failed_partitions,
    find_failures,
    find_warnings,
    too_many,
    write_failures,
)
from pipeline.files import check_writable, replace_file
from pipeline.graph import Graph, build_graph
from pipeline.logs import forget_printed
from pipeline.manifest import Manifest
from pipeline.notes import write_notes
from pipeline.plan import Plan, make_plan
from pipeline.reasons import RECORD, last_record, own_code_changed, record
from pipeline.run_folders import copies_at, run_copy, run_folder, sent
from pipeline.schedule import Schedule
from pipeline.source_code import modules_here
from pipeline.stage import Source
from pipeline.store import Attempts, Store
from pipeline.timings import timings
from pipeline.urls import is_url

MANIFEST = "manifest.json"
TIMINGS = "timings.json"
ExecutorChoice = Literal["auto", "local", "ray"]

REPAIRS = 10
"""How often a run computes what it has found damaged, before the disk is to blame."""
SMALL = 40
"""Up to this many clips times stages, one child process finishes before Ray would have started."""


@dataclass(frozen=True)
class Options:
    """Options of a run. A stage's name means all its variants."""

    start: str | None = None
    """Compute only this stage and the stages after it."""
    only: str | None = None
    force: tuple[str, ...] = ()
    retry_failed: bool = False
    executor: ExecutorChoice = "auto"
    ray_address: str | None = None

    def __post_init__(self) -> None:
        if self.executor not in (known := get_args(ExecutorChoice)):
            raise ManifestError(f"executor: one of {', '.join(known)}, not {self.executor!r}")


@dataclass
class Result:
    plan: Plan
    folder: Path
    """The run's folder on this machine."""
    computed: int = 0
    """Partitions and whole stages computed by this run."""
    failures: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)
    """What is unusual about clips that did not fail."""
    errors: list[str] = field(default_factory=list)
    """One text for each stage that failed; empty if the run is complete."""
    code_changed: list[str] = field(default_factory=list)
    """A sentence for each stage whose results were made with other code of the user's own."""
    exported: list[str] = field(default_factory=list)
    """The main result of each of the last whole stages, in one line."""

    @property
    def clips(self) -> int:
        """The number of clips that the sources list."""
        return sum(map(len, self.plan.sources.values()))

    @property
    def place(self) -> str:
        """Where people find the run: its folder, or its URL."""
        copy = run_copy(self.plan.graph.manifest)
        return copy.url if copy else str(self.folder)

    @property
    def failed_clips(self) -> int:
        return len({failure.clip_id for failure in self.failures})

    @property
    def succeeded(self) -> bool:
        """Whether no stage failed, and no more clips failed than the manifest allows."""
        failed, clips = self.failed_clips, self.clips
        allowed = self.plan.graph.manifest.max_failed
        return not (self.errors or too_many(failed, clips, allowed) or (clips and failed == clips))


def run(
    manifest: Manifest,
    options: Options = Options(),
    listeners: Sequence[Listener] = (),
    executor: Executor | None = None,
    watch: Callable[[Plan], Listener] | None = None,
) -> Result:
    """Compute all results that the manifest asks for, and write the run's folder.

    watch: called with the plan if there is something to do; what it returns is one more listener.
    executor: runs the jobs, instead of the one that ``options`` choose. It is not closed, so that the next run can use
    it. The caller closes it, and must do so after a run that raised, since it may still have that run's jobs.

    Raises ManifestError before anything runs if the request is wrong, and StageError if the run's files cannot be
    copied to where ``runs`` is a URL. A stage that fails stops only the stages that depend on it; see
    ``Result.errors``.
    """
    with sent(run_copy(manifest)):
        return _run(manifest, options, listeners, executor, watch)


def _run(
    manifest: Manifest,
    options: Options,
    listeners: Sequence[Listener],
    executor: Executor | None,
    watch: Callable[[Plan], Listener] | None,
) -> Result:
    folder = run_folder(manifest)
    check_writable(folder, "runs", "--set runs=FOLDER")
    plan = plan_run(manifest, options, create=True)
    if plan.tasks or options.retry_failed:
        plan.store.check_writable()
    if options.retry_failed and _count_attempts(plan):
        plan = plan_run(manifest, options)
    problems = check(plan)
    refuse(plan, problems)
    result = Result(plan, folder)
    replace_file(folder / MANIFEST, json.dumps(manifest.resolved, indent=1).encode())
    before = last_record(folder)
    result.code_changed = own_code_changed(plan, before)
    replace_file(folder / RECORD, record(plan, before).encode())
    if not plan.tasks and is_exported(plan, folder):
        result.failures = _read_failures(folder)
        if result.succeeded == _ended_well(folder):
            with suppress(DamagedResultError):  # which is found again below
                result.exported = export(plan, folder)  # the files may have been deleted
                return result
    with Claim(plan.store) as claim:
        log = EventLog(folder, *listeners, *([watch(plan)] if watch else []))
        try:
            log.emit("preparing")
            if plan.tasks:
                claim.hold(plan)
            prepared = prepare(plan, fetch=True)
            refuse(plan, prepared)
            problems += prepared
            write_notes(folder, plan, problems)
            plan.store.record_attempts(plan.attempts)
            plan.store.sweep()
            forget_printed(folder)
            stages = {name: plan.todo(name) for name in plan.nodes}
            log.emit("run_started", name=manifest.name, stages=stages, host=socket.gethostname())
            for found in problems:
                log.emit("noted", stage=found.node, text=found.text)
            with nullcontext(executor) if executor else closing(_choose_executor(plan, options)) as workers:
                if figures := workers.figures(plan):
                    log.tell(figures)
                _compute(result, options, workers, log, claim, before)
            log.emit(
                "run_finished",
                computed=result.computed,
                errors=result.errors,
                failed=len(result.failures),
                succeeded=result.succeeded,
            )
        except (Exception, KeyboardInterrupt):
            with suppress(StageError):  # such as a full disk, which may be the reason
                log.emit("run_interrupted")  # or who follows it would wait for ever
            raise
        finally:
            log.close()
            plan.store.sweep()
    return result


def _compute(
    result: Result, options: Options, executor: Executor, log: EventLog, claim: Claim, before: dict[str, Any]
) -> None:
    """Compute what the plan of ``result`` lacks, and write the files that people open. What turns out to be damaged, to
    have been removed, or to be the same as before is planned again.

    before: what the run's folder recorded of the run before.
    """
    repairs, computed = 0, set[str]()
    while True:
        manifest = result.plan.graph.manifest
        schedule = Schedule(result.plan, executor, log, result.folder, manifest.max_failed)
        schedule.run()
        result.errors = schedule.errors
        result.computed += schedule.computed.total()
        computed |= schedule.computed.keys()
        damaged = schedule.damaged
        if not (damaged or schedule.same):
            damaged = _lay_out(result.plan, result.folder, result, set(schedule.blocked))
            if not damaged:
                return
        if damaged and (repairs := repairs + 1) > REPAIRS:
            raise StageError(f"results are damaged again and again, such as {damaged[0]}: is the disk failing?")
        _set_aside(result.plan.store, damaged, log)
        result.plan = plan_run(manifest, replace(options, force=()))
        claim.hold(result.plan)
        replace_file(result.folder / RECORD, record(result.plan, before, computed).encode())
        log.emit("planned_again", stages={name: result.plan.todo(name) for name in result.plan.nodes})


def _set_aside(store: Store, paths: Iterable[str], log: EventLog) -> None:
    for path in dict.fromkeys(paths):
        aside = store.set_aside(path)
        what = f"is damaged and now {aside}" if aside else "was removed during the run"
        log.emit("noted", stage="store", text=f"{path} {what}; what needs it is computed again")


def plan_run(manifest: Manifest, options: Options = Options(), create: bool = False) -> Plan:
    """The plan of a manifest. Reads sources and store, and without ``create`` changes nothing.

    create: let sources of synthetic data make their files first.
    """
    graph = build_graph(manifest)
    only = _only(graph, options)
    force = {name for stage in options.force for name in graph.select(stage)}
    if only is not None and (outside := sorted(force - only)):
        raise ManifestError(f"--force {outside[0]}: --from and --only leave it out")
    for stage in [node.stage for node in graph.nodes.values() if create]:
        if isinstance(stage, Source):
            stage.create()
    return make_plan(graph, Store(manifest.store), manifest.partition, only, force)


def manifests_of_runs(runs: str) -> list[Path]:
    """The manifests of all runs in a folder or at a URL."""
    if not is_url(runs):
        return sorted(Path(runs).glob(f"*/{MANIFEST}"))
    copies = (copy.fetch(only=MANIFEST) / MANIFEST for copy in copies_at(runs))
    return [file for file in copies if file.is_file()]


def _lay_out(plan: Plan, folder: Path, result: Result, blocked: set[str]) -> list[str]:
    """Write the files that people open: failures, timings and exports. Returns what is damaged and prevents that."""
    try:
        result.failures, result.warnings = find_failures(plan), find_warnings(plan)
        write_failures(result.failures, folder)
        write_failures(result.warnings, folder, WARNINGS)
        replace_file(folder / TIMINGS, json.dumps(timings(folder, plan), indent=1).encode())
        result.exported = export(plan, folder, blocked)
    except DamagedResultError as error:
        return [error.path]
    except (UnreadableError, OSError) as error:
        result.errors.append(f"the run's files are not all written: {error}")
    return []


def _ended_well(folder: Path) -> bool | None:
    """What the last run in a folder recorded of its end, which ``pipeline status`` shows; None if it did not end."""
    ends = [
        event for event in read_events(folder) if event["event"] in ("run_started", "run_finished", "run_interrupted")
    ]
    return ends[-1].get("succeeded") if ends else None


def _read_failures(folder: Path) -> list[Failure]:
    import csv

    try:
        with (folder / FAILURES).open(encoding="utf-8", newline="") as file:
            return [Failure(**row) for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []


def _count_attempts(plan: Plan) -> bool:
    """Record one more attempt for each partition with failures. It and all partitions made from it get new keys."""
    attempts = plan.store.attempts()
    keys = [plan.nodes[name].first_keys[i] for name, partitions in failed_partitions(plan).items() for i in partitions]
    plan.store.record_attempts({key: attempts.get(key, Attempts()).last + 1 for key in keys}, retry=True)
    return bool(keys)


def _choose_executor(plan: Plan, options: Options) -> Executor:
    """Ray takes seconds to start, so it is used only for larger work."""
    jobs = [(name, i) for name, i in plan.tasks if plan.nodes[name].node.kind == "map"]
    if options.executor == "local" or not (jobs or options.ray_address):
        return LocalExecutor()
    small = sum(len(plan.nodes[name].rows[i]) for name, i in jobs) <= SMALL
    if small and options.executor == "auto" and not options.ray_address:
        from pipeline.child_executor import ChildExecutor

        return ChildExecutor()
    from pipeline.newcomers import alive
    from pipeline.nodes import examine_nodes, refuse_nodes
    from pipeline.ray_executor import RayExecutor

    executor = RayExecutor(options.ray_address, own_modules(plan))
    try:
        if options.ray_address or executor.is_cluster():
            known = alive()
            refuse_nodes(examine_nodes(plan, among=known))
            executor.watch(plan, known)
    except BaseException:
        executor.close()
        raise
    return executor


def own_modules(plan: Plan) -> list[str]:
    """What has to travel to other machines: see ``modules_here``."""
    return modules_here((type(one.node.stage), one.identity["parameters"]) for one in plan.nodes.values())


def _only(graph: Graph, options: Options) -> set[str] | None:
    if options.start and options.only:
        raise ManifestError("--from and --only cannot be combined")
    if options.only:
        return set(graph.select(options.only))
    if options.start:
        started = set(graph.select(options.start))
        return started.union(*(graph.descendants(name) for name in started))
    return None
