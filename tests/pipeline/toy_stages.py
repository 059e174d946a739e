"""Small stages on numbers instead of videos: the engine's tests need every kind of stage and fault, but no pixels.

numbers ──double──▶ doubles ──add──▶ sums ──total──▶ totals ──share──▶ shares ──summary──▶ summaries
"""

import ctypes
import json
import os
import shlex
import signal
import subprocess
import time
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.errors import ClipError, ManifestError, StageError
from pipeline.stage import MapStage, Problem, Resources, Row, Source, Stage, Table, WholeStage, unkeyed
from pipeline.stage_inputs import StageContext, VariantInputs


def column(name: str, kind: pa.DataType, role: str, nullable: bool = True) -> pa.Field:
    """A column of the index with the role it plays in the keys."""
    return pa.field(name, kind, nullable, {"role": role})


def result(name: str, *columns: tuple[str, pa.DataType]) -> Table:
    """A table of a map stage: one row per clip."""
    return Table(name, pa.schema([("clip_id", pa.string()), ("error", pa.string()), *columns]))


CLIPS = Table(
    "clips",
    pa.schema(
        [
            column("clip_id", pa.string(), "content", nullable=False),
            column("number", pa.int64(), "content", nullable=False),
            column("path", pa.string(), "place", nullable=False),
            column("label", pa.string(), "annotation"),
            column("split", pa.string(), "annotation"),
        ]
    ),
)
DOUBLES = result("doubles", ("number", pa.int64()))
SUMS = result("sums", ("number", pa.int64()))
TOTALS = Table("totals", pa.schema([("total", pa.int64()), ("clips", pa.int64())]))
SHARES = result("shares", ("share", pa.float64()))
SUMMARIES = Table("summaries", pa.schema([("text", pa.string())]))


class Numbers(Source):
    """``clip-0`` … ``clip-9`` with the numbers 0 … 9, or the clips and numbers in a file."""

    makes = CLIPS

    count: int = Field(10, ge=0)
    """Number of clips, unless a file is given."""
    file: Path | None = None
    """A text file, one clip a line: ``NAME NUMBER``, or ``NAME NUMBER LABEL SPLIT``."""
    labels: bool = True
    """Even numbers get the label ``even`` and the split ``train``, odd ones ``odd`` and ``test``."""

    def clips(self) -> pa.Table:
        if self.file is None:
            lines = [[f"clip-{number}", str(number)] for number in range(self.count)]
        elif self.file.is_file():
            lines = [line.split() for line in self.file.read_text().splitlines()]
        else:
            raise ManifestError(f"{self.file}: no such file")
        rows = [
            {
                "clip_id": name,
                "number": number,
                "path": f"/nowhere/{name}",
                "label": (given[0] if given else "odd" if number % 2 else "even") if self.labels else None,
                "split": (given[1] if given else "test" if number % 2 else "train") if self.labels else None,
            }
            for name, number, *given in ((name, int(number), *given) for name, number, *given in lines)
        ]
        return pa.Table.from_pylist(rows, schema=CLIPS.schema)


class Faulty(MapStage):
    """A map stage in which chosen clips go wrong. Faults are unkeyed: they do not change the other results."""

    fail: tuple[str, ...] = unkeyed(())
    """Clips that raise ClipError."""
    hang: tuple[str, ...] = unkeyed(())
    """Clips that hang."""
    abort: tuple[str, ...] = unkeyed(())
    """Clips that end their process as a crash in native code does."""
    kill: tuple[str, ...] = unkeyed(())
    """Clips whose process is killed, as Linux does where memory is short."""
    slow: float = unkeyed(0.0, ge=0)
    """Seconds that each clip takes."""
    limit: float = unkeyed(60.0, gt=0)
    """Seconds a clip may take."""
    once: bool = unkeyed(False)
    """Clips go wrong only the first time; needs ``trace``."""
    trace: Path | None = unkeyed(None)
    """A folder for a file ``STAGE.log`` with a line for every clip that any process has worked on."""

    cpus: float = unkeyed(1.0, ge=0)
    """CPUs a worker asks for."""
    gpus: float = unkeyed(0.0, ge=0)
    """GPUs a worker asks for."""

    def resources(self) -> Resources:
        return Resources(self.cpus, self.gpus)

    def seconds_per_clip(self) -> float:
        return self.limit

    def visit(self, clip_id: str) -> None:
        """Note the visit in the trace, then go wrong if the parameters say so."""
        visited = False
        if self.trace is not None:
            log = self.trace / f"{type(self).__name__.lower()}.log"
            visited = log.exists() and clip_id in log.read_text().split()
            with log.open("a") as file:
                file.write(f"{clip_id}\n")
        time.sleep(self.slow)
        if self.once and visited:
            return
        if clip_id in self.fail:
            raise ClipError(f"{clip_id} was told to fail")
        if clip_id in self.hang:
            while True:
                time.sleep(60)
        if clip_id in self.abort:
            os.abort()
        if clip_id in self.kill:
            os.kill(os.getpid(), signal.SIGKILL)


class Double(Faulty):
    """Multiplies each number by ``factor``."""

    makes = DOUBLES

    factor: int = 2
    """What each number is multiplied by."""

    def clip(self, clip: Row, inputs: Mapping[str, Row], loaded: Any) -> Row:
        assert "label" not in clip and "split" not in clip, "annotations never reach a map stage"
        self.visit(clip["clip_id"])
        return {"number": clip["number"] * self.factor}


class Loud(Double):
    """Prints in many ways before it doubles a clip."""

    text: str = unkeyed("")
    """What it prints, of all chosen clips, by Python, by C, and by another program."""
    times: int = unkeyed(1, ge=0)
    """How often Python prints it."""
    bug: tuple[str, ...] = unkeyed(())
    """Clips on which it fails as no stage should."""

    def clip(self, clip: Row, inputs: Mapping[str, Row], loaded: Any) -> Row:
        clip_id = clip["clip_id"]
        if clip_id in (*self.fail, *self.abort, *self.kill, *self.hang, *self.bug):
            for _ in range(self.times):
                print(f"{clip_id}: Python printed {self.text}")
            warnings.warn(f"{clip_id} is odd", stacklevel=1)
            ctypes.CDLL(None).puts(f"C printed {self.text}".encode())
            subprocess.run(["sh", "-c", f"echo a program printed {shlex.quote(self.text)} >&2"], check=True)
            print("and no newline", end="")
        if clip_id in self.bug:
            raise ValueError(f"a bug that {clip_id} brings to light")
        return super().clip(clip, inputs, loaded)


class Remarkable(Double):
    """Says something of the clips before it doubles them."""

    remark: str = unkeyed("")
    """What it says when it is planned; and of their files, whenever it runs."""

    def check(self, clips: pa.Table, upstream: Mapping[str, Stage]) -> list[Problem]:
        return [Problem(self.remark, fatal=False)] if self.remark else []

    def prepare(self, clips: pa.Table, fetch: bool) -> list[Problem]:
        return [Problem(f"files: {self.remark}", fatal=False)] if self.remark else []


class Unprepared(Double):
    """Lacks something here."""

    def prepare(self, clips: pa.Table, fetch: bool) -> list[Problem]:
        return [Problem("its weights are on no machine but one")]


class Worker(Faulty):
    """Instead of a number, the process that worked on the clip."""

    makes = DOUBLES

    def clip(self, clip: Row, inputs: Mapping[str, Row], loaded: Any) -> Row:
        self.visit(clip["clip_id"])
        return {"number": os.getpid()}


class Add(Faulty):
    """Adds ``amount`` to each doubled number."""

    makes = SUMS
    takes = (DOUBLES,)

    amount: int = 1
    """What is added."""

    def clip(self, clip: Row, inputs: Mapping[str, Row], loaded: Any) -> Row:
        self.visit(clip["clip_id"])
        return {"number": inputs["doubles"]["number"] + self.amount}


class Total(WholeStage):
    """Sums up the clips of a split; stands for training."""

    makes = TOTALS
    takes = (SUMS,)
    may_take = (DOUBLES,)

    scale: int = 1
    """What the sum is multiplied by."""
    weights: dict[str, int] = {}
    """A parameter within a parameter; changes the key alone."""
    split: str | None = None
    """Only clips of this split; null: all."""
    slow: float = unkeyed(0.0, ge=0)
    """Seconds to wait before it works."""
    cpus: float | None = unkeyed(None, gt=0)
    """CPUs it needs to run beside other stages; null: it runs alone."""
    gpus: float = unkeyed(0.0, ge=0)
    """GPUs it needs to run beside other stages."""
    spread: bool = unkeyed(False)
    """Says that it starts processes on other machines."""
    fail: bool = unkeyed(False)
    """Raises StageError."""
    deaths: int = unkeyed(0, ge=0)
    """How often its process crashes, as native code does, before it succeeds."""
    trace: Path | None = unkeyed(None)
    """A folder that gets a line in ``total.log`` whenever this runs."""

    def resources(self) -> Resources | None:
        return Resources(self.cpus, self.gpus) if self.cpus else None

    def spreads(self) -> Resources | None:
        return Resources() if self.spread else None

    def select(self, clips: pa.Table) -> pa.Table:
        return clips if self.split is None else clips.filter(pc.equal(clips["split"], self.split))

    def run(self, variants: list[VariantInputs], context: StageContext) -> pa.Table:
        [variant] = variants
        if self.trace is not None:
            with (self.trace / "total.log").open("a") as file:
                file.write("total\n")
        died = context.folder / "died"
        if (times := len(died.read_text()) if died.exists() else 0) < self.deaths:
            died.write_text("+" * (times + 1))
            os.abort()
        if self.fail:
            raise StageError("told to fail")
        context.progress(0, 1, process=os.getpid())
        time.sleep(self.slow)
        rows = variant.inputs["sums"].read().to_pylist()
        assert {row["clip_id"] for row in rows} <= set(variant.clips["clip_id"].to_pylist()), "other rows are not given"
        numbers = [row["number"] for row in rows if row["error"] is None]
        context.progress(1, 1, total=sum(numbers))
        return pa.Table.from_pylist(
            [{"total": self.scale * sum(numbers), "clips": len(numbers)}], schema=self.makes.schema
        )

    def export(self, table: pa.Table, folder: Path, run_folder: Path) -> None:
        (folder / "total.json").write_text(json.dumps(table.to_pylist()[0]))


class Share(Faulty):
    """Each number divided by the total; stands for prediction with a trained model."""

    makes = SHARES
    takes = (SUMS, TOTALS)

    split: str | None = None
    """Only clips of this split; null: all."""

    def select(self, clips: pa.Table) -> pa.Table:
        return clips if self.split is None else clips.filter(pc.equal(clips["split"], self.split))

    def load(self, inputs: Mapping[str, pa.Table]) -> int:
        return int(inputs["totals"]["total"][0].as_py())

    def clip(self, clip: Row, inputs: Mapping[str, Row], loaded: Any) -> Row:
        self.visit(clip["clip_id"])
        return {"share": inputs["sums"]["number"] / loaded if loaded else 0.0}


class Summary(WholeStage):
    """One line for each variant; stands for the report."""

    gathers: ClassVar[bool] = True
    makes = SUMMARIES
    takes = (TOTALS,)
    may_take = (SHARES,)

    only: str | None = None
    """An axis; each line then begins with the label on this axis instead of the variant's name."""

    def check_axes(self, axes: Collection[str]) -> None:
        if self.only is not None and self.only not in axes:
            raise ManifestError(f"no matrix has the axis '{self.only}'")

    def run(self, variants: list[VariantInputs], context: StageContext) -> pa.Table:
        names = [variant.labels[self.only] if self.only else variant.name or "all" for variant in variants]
        totals = [variant.inputs["totals"].read()["total"][0] for variant in variants]
        lines = [f"{name}: {total}" for name, total in zip(names, totals, strict=True)]
        return pa.Table.from_pylist([{"text": "\n".join(lines)}], schema=self.makes.schema)

    def export(self, table: pa.Table, folder: Path, run_folder: Path) -> None:
        (folder / "summary.txt").write_text(table["text"][0].as_py())
