"""What became of a run: read from its folder, while it runs and after."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import ManifestError
from pipeline.events import EVENTS, read_events
from pipeline.manifest import load_manifest
from pipeline.pace import Pace
from pipeline.registry import did_you_mean
from pipeline.run import MANIFEST, run_folder
from pipeline.texts import duration


@dataclass
class StageStatus:
    """One node of the last run, in partitions."""

    todo: int
    done: int = 0
    clips: int = 0
    failed: int = 0
    seconds: float = 0.0
    """Of work, summed over workers."""
    note: str = ""
    """What it said last: progress, or why it failed."""
    broken: bool = False
    pace: Pace = field(default_factory=Pace, repr=False)


@dataclass
class Status:
    """The last time a run was started."""

    started: float
    last: float
    """When it was last heard of, in seconds since 1970."""
    finished: bool = False
    succeeded: bool = True
    """What the run said of itself at its end."""
    stages: dict[str, StageStatus] = field(default_factory=dict)
    """Only those that had something to do."""

    @property
    def broken(self) -> bool:
        return any(stage.broken for stage in self.stages.values())

    def text(self) -> str:
        """One word or two for people: done, failed, or when a run that has not ended was last heard of."""
        if self.finished:
            return "done" if self.succeeded and not self.broken else "failed"
        return f"running or interrupted, last heard of {duration(time.time() - self.last)} ago,"


def find_run(asked: str) -> Path:
    """The folder of a run given as a folder, as a name below ``runs``, or as the manifest that was run."""
    path = Path(asked)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        path = run_folder(load_manifest(path))
    candidates = [path, Path("runs") / asked]
    for candidate in candidates:
        if (candidate / MANIFEST).is_file() or (candidate / EVENTS).is_file():
            return candidate
    names = [folder.parent.name for folder in Path("runs").glob(f"*/{MANIFEST}")]
    raise ManifestError(f"{asked}: no run is there or is called so below runs/{did_you_mean(path.name, names)}")


def read_status(folder: Path) -> Status:
    """The state of the last run in a folder. Raises ManifestError where nothing has been run."""
    status: Status | None = None
    for event in read_events(folder):
        if event["event"] == "run_started":
            todo = {name: StageStatus(count) for name, count in event["stages"].items() if count}
            status = Status(event["time"], event["time"], stages=todo)
        if status is None:
            continue
        status.last = event["time"]
        stage = status.stages.setdefault(event["stage"], StageStatus(1)) if "stage" in event else StageStatus(0)
        match event["event"]:
            case "finished":
                stage.done += 1
                stage.clips += event["clips"]
                stage.failed += event["failed"]
                stage.seconds += event["seconds"]
            case "progress":
                stage.note = stage.pace.text(event)
            case "stage_failed":
                stage.note, stage.broken = event["error"], True
            case "run_finished":
                status.finished, status.succeeded = True, event.get("succeeded", True)
    if status is None:
        raise ManifestError(f"{folder}: nothing has been run there")
    return status
