"""What was printed while a run computed a partition, for people: kept in the run's folder, shown by ``pipeline logs``.

The folder is where the events are, and whoever reads them can also read this: no cluster has to be alive. Results and
their keys know nothing of it.
"""

import csv
import io
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import ManifestError
from pipeline.events import Event, read_events
from pipeline.failures import FAILURES
from pipeline.files import replace_file
from pipeline.output import CUT, LIMIT, Printed
from pipeline.registry import did_you_mean
from pipeline.texts import count, duration, sanitize

LOGS = "logs"
IN_FULL = 20
"""So many partitions are shown with what they printed, unless one or all are asked for; of others, a line each."""
SHORTEST_KEY = 4


def keep_printed(folder: Path, key: str, printed: Printed) -> None:
    """Add a text to ``FOLDER/logs/KEY.txt``, of which only the end is kept."""
    file = folder / LOGS / f"{key}.txt"
    text = f"--- {printed.host}, until {_date(printed.until)}\n{printed.text.rstrip()}\n"
    with suppress(OSError):  # if the disk is full, the events say so
        file.parent.mkdir(exist_ok=True)
        before = file.read_bytes() if file.exists() else b""
        content = before + text.encode(errors="replace")
        if len(content) > LIMIT:
            content = CUT.encode() + content[-LIMIT:]
        replace_file(file, content)


def forget_printed(folder: Path) -> None:
    """Remove what was printed for keys that ``pipeline logs`` no longer shows, because later ones took their place."""
    files = list((folder / LOGS).glob("*.txt"))
    if not files:
        return
    keys = {}
    for event in read_events(folder):
        if "key" in event:
            keys[event.get("stage"), event.get("partition", 0)] = event["key"]
    for file in set(files) - {folder / LOGS / f"{key}.txt" for key in keys.values()}:
        with suppress(OSError):  # no reason for a run to fail
            file.unlink()


@dataclass
class PartitionLog:
    """What the events say of one partition of a stage, or of a whole stage, since it last began with this key."""

    stage: str
    partition: int
    key: str
    tries: int = 0
    last: float = 0.0
    """Time of the last event, in seconds since 1970."""
    host: str = ""
    deaths: list[str] = field(default_factory=list)
    error: str = ""
    """Why there is no result."""
    failures: list[tuple[str, str]] = field(default_factory=list)
    """(clip_id, error)"""
    clips: int = 0
    seconds: float = 0.0
    state: str = "in hand, or interrupted"

    @property
    def failed(self) -> bool:
        return bool(self.error or self.failures or (self.deaths and not self.seconds))

    def lines(self, folder: Path, printed: bool = True) -> Iterator[str]:
        """For people. printed: with what was printed, instead of in one line."""
        where = f" on {self.host}" if self.host else ""
        tries = f", tried {count(self.tries, 'time')}" if self.tries > 1 else ""
        head = f"{self.stage}, partition {self.partition + 1}, {self.key}"
        head = f"{head}: {self.state}{where}, {_date(self.last)}{tries}"
        if not printed:
            reason = self.error or next((f"{clip_id}: {error}" for clip_id, error in self.failures), "")
            yield f"{head}: {reason}".removesuffix(": ")
            return
        yield head
        yield from (f"  its worker {death}" for death in self.deaths)
        yield from (f"  {clip_id}: {error}" for clip_id, error in self.failures)
        if self.error:
            yield f"  {self.error}"
        text = _printed(folder, self.key)
        yield from (f"  | {line}" for line in harmless(text).splitlines()) if text else ("  nothing was printed",)


def _printed(folder: Path, key: str) -> str:
    """What was kept for a key; empty if nothing was."""
    try:
        if not key.isalnum():  # it names a file, and the events may be from anywhere
            return ""
        with (folder / LOGS / f"{key}.txt").open("rb") as file:
            file.seek(max(0, file.seek(0, io.SEEK_END) - 2 * LIMIT))
            return file.read(2 * LIMIT).decode(errors="replace")
    except FileNotFoundError:
        return ""


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def harmless(text: str) -> str:
    """The text with lines that ended in any way ended by newlines, and nothing that could control a terminal."""
    return sanitize(text.replace("\r\n", "\n").replace("\r", "\n").expandtabs())


def read_logs(folder: Path) -> tuple[list[PartitionLog], dict[str, str]]:
    """All partitions on which the runs in a folder have worked, the last one last; and by stage, why it failed in the
    last run."""
    found: dict[tuple[str, int], PartitionLog] = {}
    failed: dict[str, str] = {}
    here = ""
    for event in read_events(folder):
        if event["event"] == "run_started":
            here, failed = event.get("host", ""), {}
        elif event["event"] == "stage_failed":
            failed[event["stage"]] = event["error"]
        if "key" in event and "stage" in event:
            place = event["stage"], event.get("partition", 0)
            log = found.pop(place, None)
            begins = event["event"] == "started" and log is not None and (log.seconds or log.error)
            if log is None or log.key != event["key"] or begins:
                log = PartitionLog(*place, event["key"])
            found[place] = log
            _take(log, event, here)
    return list(found.values()), failed


def _take(log: PartitionLog, event: Event, here: str) -> None:
    log.last = event["time"]
    match event["event"]:
        case "started":
            log.tries += 1
            log.clips = event["clips"]
        case "worker_died":
            log.deaths.append(event["how"])
            log.state = "its worker died"
        case "job_failed":
            log.error, log.state = event["error"], "failed"
        case "finished":
            log.host = event.get("host", here)
            log.failures = [(clip_id, error) for clip_id, error in event.get("failures", ())]
            log.seconds = event["seconds"] or 0.001
            clips = f"{len(log.failures):,} of {count(event['clips'], 'clip')} failed" if log.failures else "done"
            log.state = f"{clips} after {duration(event['seconds'])}"


def log_lines(folder: Path, which: str | None, every: bool) -> Iterator[str]:
    """What ``pipeline logs`` shows. which: a stage, or the beginning of a key. every: also what did not fail.

    Raises ManifestError if there is nothing of this name.
    """
    logs, stages = read_logs(folder)
    chosen = logs
    if which is not None:
        by_key = [log for log in logs if len(which) >= SHORTEST_KEY and log.key.startswith(which)]
        chosen = [log for log in logs if which in (log.stage, log.stage.partition("[")[0])] or by_key
        every = every or chosen == by_key
        if not chosen and which not in stages:
            hint = did_you_mean(which, sorted({log.stage for log in logs}))
            raise ManifestError(f"{which}: no stage and no key on which the runs in {folder} have worked{hint}")
    shown = [log for log in chosen if every or log.failed]
    for name, error in stages.items():
        if which in (None, name) and not any(log.stage == name and log.error for log in shown):
            yield f"{name}: failed: {error}"
            yield ""
    full = len(shown) if every else IN_FULL
    for log in shown[: max(0, len(shown) - full)]:
        yield from log.lines(folder, printed=False)
    for log in shown[-full:] if full else ():
        yield from log.lines(folder)
        yield ""
    if len(shown) > full:
        yield f"the last {full} in full; name a key for one of the others, or add --all"
    if not shown and (which or not stages):
        yield "nothing failed; --all shows what was done"
    if which is None and (elsewhere := _failed_elsewhere(folder, logs)):
        yield f"{count(elsewhere, 'more clip')} failed in results that other runs have made: see pipeline failures"


def _failed_elsewhere(folder: Path, logs: list[PartitionLog]) -> int:
    """How many clips failed that no event in this folder tells of."""
    try:
        with (folder / FAILURES).open(encoding="utf-8", newline="") as file:
            failed = {row["clip_id"] for row in csv.DictReader(file)}
    except FileNotFoundError:
        return 0
    return len(failed - {clip_id for log in logs for clip_id, _ in log.failures})
