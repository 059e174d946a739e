"""What is done with a partition: healthy clips only, in one call or clip by clip, and one row for each of them."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from pipeline import jobs
from pipeline.errors import ClipError, StageError
from pipeline.events import Event
from pipeline.jobs import KEPT_MODELS, Job, WholeJob, conforming, do_job, do_whole, healthy
from pipeline.manifest import load_manifest
from pipeline.runs import Options, run
from pipeline.stage import KnownFile, MapStage, Row, WholeStage
from pipeline.stage_inputs import StageContext, VariantInputs
from pipeline.store import Store
from toy_manifest import Toy
from toy_stages import CLIPS, DOUBLES, SHARES, SUMS, TOTALS, Add, Double, Share

KEY = "0123456789abcdef" * 2


def clips(count: int = 4) -> pa.Table:
    rows = [{"clip_id": f"clip-{i}", "number": i, "path": ""} for i in range(count)]
    return pa.Table.from_pylist(rows, schema=CLIPS.schema).select(["clip_id", "number", "path"])


def doubles(*rows: tuple[str, int | None, str | None]) -> pa.Table:
    """A table of (clip_id, number, error)."""
    names = ("clip_id", "number", "error")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema=DOUBLES.schema)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def job(store: Store, stage: MapStage, **more: Any) -> Job:
    fields = {"node": "stage", "folder": "results", "key": KEY, "clips": clips(), "token": "host@1.abc"} | more
    return Job(stage=stage, store=store.url, **fields)


def result(store: Store) -> list[tuple[str, Any, str | None]]:
    rows = store.read(store.path("results", KEY)).to_pylist()
    return [(row["clip_id"], row["number"], row["error"]) for row in rows]


GOOD = [("clip-0", 0, None), ("clip-1", 2, None), ("clip-2", 4, None), ("clip-3", 6, None)]


class Batch(Double):
    """Works on all clips in one call, which any bad clip makes fail."""

    calls: ClassVar[list[list[str]]] = []
    """Clips of each call."""
    error: ClassVar[type[Exception]] = ValueError

    def process(self, clips: pa.Table, inputs: Mapping[str, pa.Table], loaded: Any) -> pa.Table:
        ids = clips["clip_id"].to_pylist()
        self.calls.append(ids)
        if bad := [clip_id for clip_id in ids if clip_id in self.fail]:
            raise self.error(f"{bad[0]} is torn")
        rows = [(row["clip_id"], row["number"] * self.factor, None) for row in clips.to_pylist()]
        return doubles(*rows)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Batch, "calls", [])
    monkeypatch.setattr(jobs, "_loaded", {})


# Healthy clips


def test_clips_that_failed_in_any_input_are_left_out_of_clips_and_inputs() -> None:
    one = doubles(("clip-0", 0, None), ("clip-1", None, "torn"), ("clip-2", 4, None), ("clip-3", 6, None))
    two = doubles(("clip-0", 0, None), ("clip-1", 1, None), ("clip-2", 2, None), ("clip-3", None, "black"))
    kept, inputs = healthy(clips(), {"one": one, "two": two})
    assert kept["clip_id"].to_pylist() == ["clip-0", "clip-2"]
    assert inputs["one"]["number"].to_pylist() == [0, 4]
    assert inputs["two"]["number"].to_pylist() == [0, 2]


def test_rows_of_inputs_are_put_in_the_order_of_the_clips() -> None:
    table = doubles(("clip-3", 3, None), ("other", 9, None), ("clip-1", 1, None), ("clip-0", 0, None))
    kept, inputs = healthy(clips(), {"doubles": table})
    assert kept["clip_id"].to_pylist() == ["clip-0", "clip-1", "clip-3"], "clip-2 has no row"
    assert inputs["doubles"]["number"].to_pylist() == [0, 1, 3]


def test_without_inputs_all_clips_are_healthy() -> None:
    assert healthy(clips(), {}) == (clips(), {})


# Conforming tables


def test_columns_are_brought_into_the_declared_order_and_types() -> None:
    table = pa.table({"extra": [1, 1], "number": pa.array([1, 2], pa.int8()), "clip_id": ["clip-0", "clip-1"]})
    table = table.append_column("error", pa.nulls(2))
    made = conforming(table, Double(), clips(2))
    assert made.schema == DOUBLES.schema
    assert made["number"].to_pylist() == [1, 2]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (doubles(("clip-0", 0, None)).drop_columns("number"), "Double did not make the table 'doubles': .*number"),
        (
            pa.table({"clip_id": ["clip-0", "clip-1"], "error": pa.nulls(2, pa.string()), "number": ["a", "b"]}),
            "Double did not make the table 'doubles'",
        ),
        (doubles(("clip-0", 0, None)), "Double must make one row for each of its 2 clips, in order"),
        (doubles(("clip-1", 0, None), ("clip-0", 0, None)), "Double must make one row for each of its 2 clips"),
        (doubles(*[("clip-0", 0, None)] * 2), "Double must make one row for each of its 2 clips"),
    ],
)
def test_other_tables_are_the_fault_of_the_stage(table: pa.Table, message: str) -> None:
    with pytest.raises(StageError, match=message):
        conforming(table, Double(), clips(2))


# A partition


def test_a_partition_is_committed_to_the_store(store: Store) -> None:
    outcome = do_job(job(store, Double(fail=("clip-2",))))
    assert result(store) == [GOOD[0], GOOD[1], ("clip-2", None, "clip-2 was told to fail"), GOOD[3]]
    assert outcome.clips == 4
    assert outcome.failed == (("clip-2", "clip-2 was told to fail"),)
    assert outcome.bytes == store.sizes()[store.path("results", KEY)]
    assert outcome.seconds > 0


def test_inputs_come_from_the_store_and_failed_clips_are_not_worked_on(store: Store, tmp_path: Path) -> None:
    store.write("doubles", KEY, doubles(("clip-0", 0, None), ("clip-1", None, "torn"), ("clip-2", 4, None)), DOUBLES)
    inputs = {"doubles": store.path("doubles", KEY)}
    do_job(job(store, Add(trace=tmp_path), clips=clips(3), inputs=inputs))
    assert result(store) == [("clip-0", 1, None), ("clip-2", 5, None)]
    assert (tmp_path / "add.log").read_text().split() == ["clip-0", "clip-2"]


def test_where_no_clip_is_healthy_the_table_is_empty_and_the_stage_is_not_called(store: Store) -> None:
    store.write("doubles", KEY, doubles(*((f"clip-{i}", None, "torn") for i in range(4))), DOUBLES)
    outcome = do_job(job(store, Batch(), inputs={"doubles": store.path("doubles", KEY)}))
    assert store.read(store.path("results", KEY)).schema.names == DOUBLES.schema.names
    assert result(store) == [] and outcome.clips == 0
    assert Batch.calls == []


def test_a_good_partition_is_done_in_one_call(store: Store) -> None:
    do_job(job(store, Batch()))
    assert result(store) == GOOD
    assert Batch.calls == [["clip-0", "clip-1", "clip-2", "clip-3"]]


def test_after_an_exception_the_clips_are_tried_one_by_one(store: Store) -> None:
    do_job(job(store, Batch(fail=("clip-1",))))
    assert result(store) == [GOOD[0], ("clip-1", None, "ValueError: clip-1 is torn"), GOOD[2], GOOD[3]]
    assert Batch.calls == [["clip-0", "clip-1", "clip-2", "clip-3"], ["clip-0"], ["clip-1"], ["clip-2"], ["clip-3"]]


def test_the_text_of_a_clip_error_becomes_the_error_as_it_is(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Batch, "error", ClipError)
    do_job(job(store, Batch(fail=("clip-1",))))
    assert result(store)[1] == ("clip-1", None, "clip-1 is torn")


def test_a_stage_that_cannot_work_at_all_is_not_tried_clip_by_clip(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Batch, "error", StageError)
    with pytest.raises(StageError, match="clip-1 is torn"):
        do_job(job(store, Batch(fail=("clip-1",))))
    assert len(Batch.calls) == 1
    assert store.keys("results") == set()


def test_a_partition_has_the_time_of_all_its_clips_and_then_each_has_its_own(store: Store) -> None:
    class Stuck(Batch):
        def process(self, clips: pa.Table, inputs: Mapping[str, pa.Table], loaded: Any) -> pa.Table:
            made = super().process(clips, inputs, loaded)
            while "clip-2" in self.calls[-1]:
                time.sleep(0.01)
            return made

    started = time.monotonic()
    do_job(job(store, Stuck(limit=0.3)))
    assert 1.5 <= time.monotonic() - started < 60, "four times the limit for all, once for the clip itself"
    assert result(store) == [*GOOD[:2], ("clip-2", None, "took longer than 0.3 s"), GOOD[3]]


def test_a_table_with_rows_missing_fails_the_stage(store: Store) -> None:
    class Short(Batch):
        def process(self, clips: pa.Table, inputs: Mapping[str, pa.Table], loaded: Any) -> pa.Table:
            return super().process(clips, inputs, loaded).slice(1)

    with pytest.raises(StageError, match="Short must make one row for each of its 4 clips"):
        do_job(job(store, Short()))


# Clip by clip, after deaths


class Journal(Double):
    """Notes what the journal says while it works on each clip."""

    seen: ClassVar[list[tuple[str, str | None]]] = []
    store: ClassVar[Store]
    job: ClassVar[Job]

    def clip(self, clip: Row, inputs: Mapping[str, Row], loaded: Any) -> Row:
        self.seen.append((clip["clip_id"], self.store.read_note(self.job.journal)))
        return super().clip(clip, inputs, loaded)


def test_the_journal_names_the_clip_that_is_at_work_and_when_it_began(store: Store) -> None:
    class Noting(Journal):
        seen: ClassVar[list[tuple[str, str | None]]] = []

    Noting.store, Noting.job = store, job(store, Noting(), one_by_one=True)
    started = time.time()
    do_job(Noting.job)
    assert [clip_id for clip_id, _ in Noting.seen] == ["clip-0", "clip-1", "clip-2", "clip-3"]
    for clip_id, note in Noting.seen:
        assert note is not None
        began, _, named = note.partition(" ")
        assert named == clip_id
        assert started <= float(began) <= time.time()
    assert store.read_note(Noting.job.journal) is None, "removed when the partition is done"
    assert result(store) == GOOD


def test_without_deaths_there_is_no_journal(store: Store) -> None:
    class Silent(Journal):
        seen: ClassVar[list[tuple[str, str | None]]] = []

    Silent.store, Silent.job = store, job(store, Silent())
    do_job(Silent.job)
    assert [note for _, note in Silent.seen] == [None] * 4


def test_a_worker_that_dies_leaves_its_journal_for_its_own_run(store: Store) -> None:
    class Dead(BaseException):
        pass

    class Dying(Double):
        def clip(self, clip: Row, inputs: Mapping[str, Row], loaded: Any) -> Row:
            if clip["clip_id"] == "clip-2":
                raise Dead
            return super().clip(clip, inputs, loaded)

    dying = job(store, Dying(), one_by_one=True)
    with pytest.raises(Dead):
        do_job(dying)
    note = store.read_note(dying.journal)
    assert note is not None and note.endswith(" clip-2")
    assert store.read_note(job(store, Dying(), token="host@2.def").journal) is None
    assert store.keys("results") == set()


def test_guilty_clips_are_rows_with_their_error_and_are_not_touched(store: Store, tmp_path: Path) -> None:
    guilty = job(store, Double(trace=tmp_path), one_by_one=True).without("clip-1", "crashed").without("clip-3", "hung")
    outcome = do_job(guilty)
    assert result(store) == [GOOD[0], ("clip-1", None, "crashed"), GOOD[2], ("clip-3", None, "hung")]
    assert (tmp_path / "double.log").read_text().split() == ["clip-0", "clip-2"]
    assert outcome.failed == (("clip-1", "crashed"), ("clip-3", "hung"))


# Models that are kept


class Loading(Share):
    """Says what it has loaded."""

    loads: ClassVar[list[int]] = []

    def load(self, inputs: Mapping[str, pa.Table]) -> int:
        self.loads.append(super().load(inputs))
        return self.loads[-1]


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    monkeypatch.setattr(Loading, "loads", [])
    return Loading.loads


def share(store: Store, total: int, stage: MapStage | None = None, key: str = KEY) -> list[float]:
    """The results of a partition with the total as its model."""
    totals = f"{total:032}"
    if totals not in store.keys("totals"):
        store.write("totals", totals, pa.table({"total": [total], "clips": [1]}, schema=TOTALS.schema), TOTALS)
    sums = pa.Table.from_pylist([{"clip_id": f"clip-{i}", "number": i} for i in range(4)], schema=SUMS.schema)
    store.write("sums", KEY, sums, SUMS)
    do_job(
        job(
            store,
            stage or Loading(),
            folder="shares",
            key=key,
            inputs={"sums": store.path("sums", KEY)},
            whole_inputs={"totals": store.path("totals", totals)},
        )
    )
    table = store.read(store.path("shares", key))
    assert table.schema.equals(SHARES.schema)
    return table["share"].to_pylist()


def test_a_model_is_loaded_once_for_all_partitions(store: Store, loads: list[int]) -> None:
    assert share(store, 2) == share(store, 2, key="f" * 32) == [0, 0.5, 1, 1.5]
    assert loads == [2]


def test_another_model_of_the_same_stage_is_loaded_beside_the_first(store: Store, loads: list[int]) -> None:
    assert share(store, 2) == [0, 0.5, 1, 1.5]
    assert share(store, 1) == [0, 1, 2, 3]
    assert share(store, 2) == [0, 0.5, 1, 1.5]
    assert loads == [2, 1]


def test_other_parameters_and_another_class_load_their_own(store: Store, loads: list[int]) -> None:
    class Other(Loading):
        pass

    for stage in (Loading(), Loading(cpus=2), Other(), Loading()):
        share(store, 2, stage)
    assert loads == [2, 2, 2]


class Weighted(Loading):
    """Loads a file."""

    weights: Path

    def files(self) -> tuple[Path, ...]:
        return (self.weights,)

    def load(self, inputs: Mapping[str, pa.Table]) -> int:
        self.loads.append(int(self.weights.read_text()))
        return self.loads[-1]


def test_new_weights_under_an_old_path_are_loaded(store: Store, loads: list[int], tmp_path: Path) -> None:
    """Even if they have the size and time of the old ones, as after ``cp -p``."""
    weights = tmp_path / "weights"
    for number in (2, 1, 2):
        weights.write_text(str(number))
        os.utime(weights, (1e9, 1e9))
        assert share(store, 5, Weighted(weights=weights)) == [i / number for i in range(4)]
        share(store, 5, Weighted(weights=weights))
    assert loads == [2, 1, 2]


class Known(Weighted):
    """Says what is in its file, wherever that is."""

    def files(self) -> tuple[KnownFile, ...]:  # type: ignore[override]
        return (KnownFile.of(self.weights),)


def test_new_weights_that_are_known_by_their_content_are_loaded(store: Store, loads: list[int], tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    for number in (2, 1):
        weights.write_text(str(number))
        for _ in range(2):
            assert share(store, 5, Known(weights=weights)) == [i / number for i in range(4)]
    assert loads == [2, 1]


def test_a_model_that_was_made_again_under_its_old_key_is_loaded(store: Store, loads: list[int]) -> None:
    assert share(store, 2) == [0, 0.5, 1, 1.5]
    store.write("totals", f"{3:032}", pa.table({"total": [6], "clips": [1]}, schema=TOTALS.schema), TOTALS)
    Path(store.path("totals", f"{3:032}")).replace(store.path("totals", f"{2:032}"))
    files = {"inputs": {"sums": store.path("sums", KEY)}, "whole_inputs": {"totals": store.path("totals", f"{2:032}")}}
    do_job(job(store, Loading(), folder="shares", key=KEY, **files))
    assert loads == [2, 6]


def test_weights_that_were_replaced_since_the_plan_make_no_result_under_its_key(toy: Toy) -> None:
    weights = toy.folder / "weights"
    weights.write_text("2")
    toy.path.write_text(toy.path.read_text().replace("toy_stages:Share", "test_jobs:Weighted"))

    def replace(event: Event) -> None:
        if event["event"] == "finished" and event["stage"] == "total":
            weights.write_text("1")

    manifest = load_manifest(toy.path, [f"share.weights={weights}"])
    result = run(manifest, Options(executor="local"), [replace])
    assert result.errors == ["share: weights has changed since the run was planned: run again"]
    result = run(manifest, Options(executor="local"))
    assert result.errors == []


def test_only_the_latest_models_are_kept(store: Store, loads: list[int]) -> None:
    for total in range(1, KEPT_MODELS + 2):
        share(store, total)
    share(store, KEPT_MODELS + 1)
    assert len(loads) == KEPT_MODELS + 1
    share(store, 1)
    assert loads[-1] == 1 and len(loads) == KEPT_MODELS + 2, "the first one had to go"


@pytest.mark.parametrize(
    ("error", "message"),
    [(OSError("no such weights"), "stage cannot start: OSError: no such weights"), (StageError("no GPU"), "no GPU")],
)
def test_a_model_that_does_not_load_fails_the_stage(store: Store, error: Exception, message: str) -> None:
    class Broken(Double):
        def load(self, inputs: Mapping[str, pa.Table]) -> None:
            raise error

    with pytest.raises(StageError, match=f"^{message}$"):
        do_job(job(store, Broken()))


# Whole stages


def test_a_whole_stage_is_committed_in_its_declared_types(store: Store, tmp_path: Path) -> None:
    class Count(WholeStage):
        makes = TOTALS

        def run(self, variants: list[VariantInputs], context: StageContext) -> pa.Table:
            context.progress(1, 2, folder=context.folder.name)
            count = sum(variant.clips.num_rows for variant in variants)
            return pa.table({"total": pa.array([count], pa.int8()), "clips": pa.array([count], pa.int8())})

    told: list[tuple] = []
    variants = [VariantInputs("a", clips(3), {}), VariantInputs("b", clips(2), {})]
    whole = WholeJob("count", Count(), store.url, "results", KEY, variants, tmp_path / "work")
    outcome = do_whole(whole, lambda done, total, **figures: told.append((done, total, figures)))
    assert store.read(store.path("results", KEY)).to_pylist() == [{"total": 5, "clips": 5}]
    assert store.read(store.path("results", KEY)).schema.equals(TOTALS.schema)
    assert (outcome.clips, outcome.failed) == (5, ())
    assert outcome.bytes == store.sizes()[store.path("results", KEY)]
    assert told == [(1, 2, {"folder": "work"})]
