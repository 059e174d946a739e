"""Computes a partition, or a whole stage. All executors call these functions, so all of them make the same files."""

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from pipeline.errors import ManifestError, PipelineError, StageError, UnreadableError
from pipeline.files import state_of
from pipeline.kept_work import KeptWork
from pipeline.keys import file_digests
from pipeline.limits import time_limit
from pipeline.patience import patiently, take_overcome
from pipeline.rows import attempt
from pipeline.stage import KnownFile, MapStage, Row, WholeStage
from pipeline.stage_inputs import StageContext, VariantInputs
from pipeline.store import TEMPORARY, Store


@dataclass(frozen=True)
class Job:
    """One partition of one map stage: all that a worker on any machine needs. Contains keys and rows, no pixels."""

    node: str
    stage: MapStage
    store: str
    folder: str
    key: str
    clips: pa.Table
    """The partition's clips, without annotations."""
    inputs: dict[str, str] = field(default_factory=dict)
    """Path in the store by table name: tables of the same partition."""
    whole_inputs: dict[str, str] = field(default_factory=dict)
    """Path in the store by table name: tables of whole stages such as training."""
    one_by_one: bool = False
    """Set after the worker has died twice: a journal then names the clip on which it dies."""
    token: str = ""
    """The run's name as a writer. Runs that share a store must not read each other's journals."""
    files: Sequence[Sequence[str]] = ()
    """Name and digest of each file that the stage reads, as it was when the run was planned; empty: unknown."""
    culprits: tuple[tuple[str, str], ...] = ()
    """(clip_id, error) of the clips that have killed a worker; they are not processed again."""

    @property
    def journal(self) -> str:
        return f"{TEMPORARY}/{self.key}.journal.{self.token}"

    def without(self, clip_id: str, error: str) -> "Job":
        return replace(self, culprits=(*self.culprits, (clip_id, error)))


@dataclass(frozen=True)
class WholeJob:
    """One whole stage."""

    node: str
    stage: WholeStage
    store: str
    folder: str
    key: str
    variants: list[VariantInputs]
    work_folder: Path
    """A folder of the run, for checkpoints."""
    files: Sequence[Sequence[str]] = ()
    """As for a ``Job``."""


@dataclass(frozen=True)
class Outcome:
    """What the engine learns of a finished job."""

    clips: int
    failed: tuple[tuple[str, str], ...]
    """(clip_id, error) of the clips that failed in this stage."""
    bytes: int
    seconds: float
    overcome: tuple[str, ...] = ()
    """What had to be read again, in words for people."""
    host: str = ""
    """The machine that wrote the result."""


def do_job(job: Job) -> Outcome:
    """Compute one partition and commit it to the store.

    Raises StageError if the stage cannot work at all. A clip that fails is a row with an error.
    """
    started = time.perf_counter()
    store = Store(job.store)
    clips, inputs = healthy(job.clips, {name: store.read_input(path) for name, path in job.inputs.items()})
    loaded = _load(job, store)
    table = (
        _one_by_one(job, store, clips, inputs, loaded) if job.one_by_one else at_once(job.stage, clips, inputs, loaded)
    )
    size = store.write(job.folder, job.key, table, job.stage.makes)
    failed = table.select(["clip_id", "error"]).filter(table["error"].is_valid()).to_pylist()
    return Outcome(
        clips=table.num_rows,
        failed=tuple((row["clip_id"], row["error"]) for row in failed),
        bytes=size,
        seconds=time.perf_counter() - started,
        overcome=take_overcome(),
        host=socket.gethostname(),
    )


def do_whole(job: WholeJob, progress: Callable[..., None]) -> Outcome:
    """Compute a whole stage and commit its table to the store. ``progress``: see ``StageContext``."""
    started = time.perf_counter()
    _check_files(job)
    kept = KeptWork(job.store, job.key)
    kept.restore(job.work_folder)
    table = job.stage.run(job.variants, StageContext(job.work_folder, progress, kept.keep, kept.restore, kept.place))
    size = Store(job.store).write(job.folder, job.key, table.cast(job.stage.makes.schema), job.stage.makes)
    kept.remove(job.work_folder)
    clips = sum(variant.clips.num_rows for variant in job.variants)
    return Outcome(clips, (), size, time.perf_counter() - started, take_overcome(), socket.gethostname())


def healthy(clips: pa.Table, inputs: Mapping[str, pa.Table]) -> tuple[pa.Table, dict[str, pa.Table]]:
    """The clips that have not failed in any input, and the inputs' rows for these clips, in the same order."""
    positions = []
    for table in inputs.values():
        ids, errors = table["clip_id"].to_pylist(), table["error"].to_pylist()
        rows = enumerate(zip(ids, errors, strict=True))
        positions.append({clip_id: i for i, (clip_id, error) in rows if error is None})
    ids = clips["clip_id"].to_pylist()
    kept = [i for i, clip_id in enumerate(ids) if all(clip_id in position for position in positions)]
    taken = {
        name: table.take(pa.array([position[ids[i]] for i in kept], pa.int64()))
        for (name, table), position in zip(inputs.items(), positions, strict=True)
    }
    return clips.take(pa.array(kept, pa.int64())), taken


def at_once(stage: MapStage, clips: pa.Table, inputs: Mapping[str, pa.Table], loaded: Any) -> pa.Table:
    """The table that a stage makes of all clips of a partition. If that raises, it works clip by clip, so that only the
    clips at fault fail.

    clips, inputs: see ``healthy``. loaded: what the stage's ``load`` returned.
    """
    if not clips.num_rows:
        return stage.makes.schema.empty_table()
    try:
        with time_limit(stage.seconds_per_clip() * clips.num_rows):
            return conforming(stage.process(clips, inputs, loaded), stage, clips)
    except PipelineError:
        raise
    except Exception:
        return _each(stage, clips, inputs, loaded)


def _one_by_one(job: Job, store: Store, clips: pa.Table, inputs: dict[str, pa.Table], loaded: Any) -> pa.Table:
    def note(clip_id: str) -> None:
        store.write_note(job.journal, f"{time.time()} {clip_id}")

    table = _each(job.stage, clips, inputs, loaded, dict(job.culprits), note)
    store.remove_note(job.journal)
    return table


def _each(
    stage: MapStage,
    clips: pa.Table,
    inputs: Mapping[str, pa.Table],
    loaded: Any,
    culprits: Mapping[str, str] = MappingProxyType({}),
    begin: Callable[[str], None] = lambda clip_id: None,
) -> pa.Table:
    """culprits: errors of the clips that are left out. begin: called with the id of each other clip."""
    tables = [stage.makes.schema.empty_table()]
    for i, clip_id in enumerate(clips["clip_id"].to_pylist()):
        if clip_id in culprits:
            tables.append(_error_rows(stage, [{"clip_id": clip_id, "error": culprits[clip_id]}]))
            continue
        begin(clip_id)
        made: list[pa.Table] = []

        def process(i: int = i, made: list[pa.Table] = made) -> Row:
            one = {name: table.slice(i, 1) for name, table in inputs.items()}
            clip = clips.slice(i, 1)
            made.append(conforming(stage.process(clip, one, loaded), stage, clip))
            return {}

        row = attempt(clip_id, stage.seconds_per_clip(), process)
        tables.append(made[0] if made else _error_rows(stage, [row]))
    return pa.concat_tables(tables).combine_chunks()


def conforming(table: pa.Table, stage: MapStage, clips: pa.Table) -> pa.Table:
    """The stage's table in its declared schema. Raises StageError if it has other columns or rows."""
    try:
        table = table.select(stage.makes.schema.names).cast(stage.makes.schema)
    except (KeyError, pa.ArrowInvalid) as error:
        raise StageError(f"{type(stage).__name__} did not make the table '{stage.makes.name}': {error}") from error
    if table["clip_id"].to_pylist() != clips["clip_id"].to_pylist():
        raise StageError(f"{type(stage).__name__} must make one row for each of its {clips.num_rows} clips, in order")
    return table


def _error_rows(stage: MapStage, rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=stage.makes.schema)


def _check_files(job: Job | WholeJob) -> None:
    """Raises StageError if a file of the stage has changed since the run was planned: the key would be a lie."""
    now = file_digests(job.stage) if job.files else []
    for (name, planned), (_, digest) in zip(job.files, now, strict=False):
        if digest != planned:
            raise StageError(f"{name} has changed since the run was planned: run again")


_loaded: dict[tuple[Any, ...], Any] = {}
KEPT_MODELS = 4


def _load(job: Job, store: Store) -> Any:
    """What the stage's ``load`` returns, kept in this process for later partitions while its files stay the same."""
    stage = job.stage
    kind = f"{type(stage).__module__}:{type(stage).__qualname__}"
    try:
        files = list(stage.files())
    except ManifestError as error:
        if isinstance(error.__cause__, UnreadableError):  # this partition has to wait, not the whole stage
            raise error.__cause__ from None
        raise
    if store.is_local:
        files += map(Path, sorted(job.whole_inputs.values()))
    states = (file if isinstance(file, KnownFile) else state_of(file) for file in files)
    key = (kind, stage.model_dump_json(), *sorted(job.whole_inputs.values()), *states)
    if key not in _loaded:
        _check_files(job)
        while len(_loaded) >= KEPT_MODELS:
            _loaded.pop(next(iter(_loaded)))
        tables = {name: store.read_input(path) for name, path in job.whole_inputs.items()}
        try:
            _loaded[key] = patiently(f"what {job.node} loads", lambda: stage.load(tables))
        except PipelineError:
            raise
        except Exception as error:
            raise StageError(f"{job.node} cannot start: {type(error).__name__}: {error}") from error
    return _loaded[key]
