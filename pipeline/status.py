"""The state of a run, from its folder, during the run and after it."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import ManifestError
from pipeline.events import EVENTS, read_events
from pipeline.following import BEGINNINGS
from pipeline.manifest import load_manifest
from pipeline.pace import Pace
from pipeline.registry import did_you_mean
from pipeline.run_folders import RunCopy, run_folder
from pipeline.runs import MANIFEST
from pipeline.texts import duration
from pipeline.urls import is_url


@dataclass
class StageStatus:
    """The state of one node in the last run. ``todo`` and ``done`` count partitions."""

    todo: int
    done: int = 0
    clips: int = 0
    failed: int = 0
    seconds: float = 0.0
    """Working time, summed over workers."""
    note: str = ""
    """Its last message: progress, or why it failed."""
    broken: bool = False
    pace: Pace = field(default_factory=Pace, repr=False)


@dataclass
class Status:
    """The state of a run since it was last started."""

    started: float
    last: float
    """Time of the last event, in seconds since 1970."""
    finished: bool = False
    interrupted: bool = False
    """By Ctrl-C or SIGTERM. A run that was killed otherwise looks as if it were running."""
    succeeded: bool = True
    """What the run recorded at its end."""
    stages: dict[str, StageStatus] = field(default_factory=dict)
    """Only the stages that had something to do."""
    machines: dict[str, dict[str, int]] = field(default_factory=dict)
    """Results that other machines than the run's own have made, by machine and stage."""

    @property
    def broken(self) -> bool:
        return any(stage.broken for stage in self.stages.values())

    def text(self) -> str:
        """For people: done, failed, or how long ago the last event of an unfinished run was."""
        if self.interrupted:
            return "interrupted"
        if self.finished:
            return "done" if self.succeeded and not self.broken else "failed"
        return f"running or interrupted, last event {duration(time.time() - self.last)} ago,"


def find_run(asked: str, only: str | None = None) -> Path:
    """The folder of a run, which is given by its folder or URL, its name in ``runs``, or its manifest. Of a run at a
    URL it is a copy. only: the one file of it that is wanted."""
    if is_url(asked):
        copy = RunCopy(asked).fetch(only)
        if _is_run(copy):
            return copy
        raise ManifestError(f"there is no run at {asked}")
    path = Path(asked)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        path = run_folder(load_manifest(path), fetch=True, only=only)
    candidates = [path, Path("runs") / asked]
    for candidate in candidates:
        if _is_run(candidate):
            return candidate
    names = [folder.parent.name for folder in Path("runs").glob(f"*/{MANIFEST}")]
    hint = did_you_mean(path.name, names)
    raise ManifestError(f"{asked}: no run in this folder, and none of this name in runs/{hint}")


def _is_run(folder: Path) -> bool:
    return (folder / MANIFEST).is_file() or (folder / EVENTS).is_file()


def read_status(folder: Path) -> Status:
    """The state of the last run in a folder. Raises ManifestError if nothing has been run."""
    status: Status | None = None
    for event in read_events(folder):
        if event["event"] in BEGINNINGS:
            todo = {name: StageStatus(count) for name, count in event.get("stages", {}).items() if count}
            status = Status(event["time"], event["time"], stages=todo)
        if status is None:
            continue
        status.last = event["time"]
        if event["event"] == "noted":
            continue
        stage = status.stages.setdefault(event["stage"], StageStatus(1)) if "stage" in event else StageStatus(0)
        match event["event"]:
            case "planned_again":
                for name, todo in event["stages"].items():
                    if todo or name in status.stages:
                        known = status.stages.setdefault(name, StageStatus(0))
                        known.todo = known.done + todo
            case "finished":
                stage.done += 1
                stage.clips += event["clips"]
                stage.failed += event["failed"]
                stage.seconds += event["seconds"]
                if host := event.get("host"):
                    made = status.machines.setdefault(host, {})
                    made[event["stage"]] = made.get(event["stage"], 0) + 1
            case "progress":
                stage.note = stage.pace.text(event)
            case "stage_failed":
                stage.note, stage.broken = event["error"], True
            case "run_interrupted":
                status.interrupted = True
            case "run_finished":
                status.finished, status.succeeded = True, event.get("succeeded", True)
    if status is None:
        raise ManifestError(f"{folder}: nothing has been run in this folder")
    return status
