"""Where the files of a run are: in a folder or at a URL.

A run at a URL reads and writes a copy on this machine, which is sent there while it goes on. One machine at a time runs
it; any may read it. Results are in the store, whatever happens to these files.
"""

import fcntl
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import ManifestError, PipelineError, StageError
from pipeline.files import replace_file
from pipeline.manifest import Manifest
from pipeline.patience import patiently
from pipeline.urls import is_cloud, is_url, open_filesystem, state_of, unusable
from pipeline.writers import writer_name

WORK = "work"
"""The subfolder with a folder for each whole stage. A store at a URL keeps the files right in that, its checkpoints."""
HALF_WRITTEN = re.compile(r".*@\d+\.[0-9a-f]{8}")
"""What ``files.replacing`` calls a file that it has not yet renamed."""
PAUSE = 20.0
"""Seconds between two times that files are sent, at least."""
SHARE = 0.05
"""Of the time that a run takes, the most that is spent on sending."""

T = TypeVar("T")


class RunCopy:
    """The files of one run at a URL, and their copies in ``folder``, below the user's cache."""

    def __init__(self, url: str, with_checkpoints: bool = False) -> None:
        """with_checkpoints: send these, too, as the store does not keep them.

        Raises ManifestError if nothing opens the URL, or if it cannot be that of a run.
        """
        self.url, self.with_checkpoints = url.rstrip("/"), with_checkpoints
        above, _, name = self.url.rpartition("/")
        if not _is_file_name(name):
            raise ManifestError(f"{url} names no run")
        place = hashlib.blake2b(above.encode(), digest_size=8).hexdigest()
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        self.folder = cache / "action-pipeline" / "runs" / place / name
        self._filesystem, self._root = open_filesystem(self.url, "runs")
        self._record = self.folder.with_name(f"{name}.copied.json")

    def check_writable(self) -> None:
        """Raises ManifestError that says what to do if nothing can be written at the URL."""
        probe = f".{writer_name()}"
        try:
            with self._asking("runs"):
                self._make_folder_for(probe)
                self._at(probe, lambda path: self._filesystem.pipe_file(path, b"asked"))
                self._at(probe, self._filesystem.rm_file)
        except StageError as error:
            raise ManifestError(str(error)) from error

    def fetch(self, only: str | None = None) -> Path:
        """Copy what has changed at the URL to this machine, unless the run goes on here, where all is newer. Returns
        the folder, which is missing if nothing is there.

        only: the name of the one file that is wanted. Raises ManifestError if the URL cannot be read.
        """
        with self._locked("running", wait=False) as nobody_runs:
            if nobody_runs:
                with self._alone() as record:
                    self._fetch(record, only)
        return self.folder

    def _fetch(self, record: "Record", only: str | None) -> None:
        there = self._files() if only is None else self._file(only)
        for name, state in there.items():
            copy = self.folder / name
            if record.known.get(name, [""])[0] != state or not copy.is_file():
                with self._asking("the run"), suppress(FileNotFoundError):  # it has just been removed
                    replace_file(copy, self._at(name, self._filesystem.cat_file))
                    record.add(name, [state, *_state(copy)])
        for name in record.known.keys() - there.keys() if only is None else ():
            if _state(self.folder / name) == record.known[name][1:]:
                (self.folder / name).unlink()
            record.remove(name)

    def send(self) -> None:
        """Copy what has changed on this machine to the URL. Raises StageError if that cannot be written."""
        with self._alone() as record:
            here = {name: _state(self.folder / name) for name in self._to_send()}
            for name, state in here.items():
                if record.known.get(name, [""])[1:] != state:
                    with self._asking("runs"):
                        self._make_folder_for(name)
                        self._at(name, partial(self._filesystem.put_file, str(self.folder / name)))
                        record.add(name, [state_of(self._at(name, self._filesystem.info)), *state])
            for name in record.known.keys() - here.keys():
                with self._asking("runs"):
                    self._at(name, self._remove)
                record.remove(name)

    def _to_send(self) -> Iterator[str]:
        """The names of the files in the folder that others may want to read."""
        for path, _, names in os.walk(self.folder):
            kept_elsewhere = Path(path).parent == self.folder / WORK and not self.with_checkpoints
            for name in [] if kept_elsewhere else names:
                file = Path(path, name)
                if file.is_file() and not file.is_symlink() and not HALF_WRITTEN.fullmatch(name):
                    yield file.relative_to(self.folder).as_posix()

    def _make_folder_for(self, name: str) -> None:
        if not is_cloud(self._filesystem):
            self._at(name, lambda path: self._filesystem.makedirs(path.rpartition("/")[0], exist_ok=True))

    def _remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._filesystem.rm_file(path)

    def _at(self, name: str, work: Callable[[str], T]) -> T:
        return patiently(f"{self.url}/{name}", lambda: work(f"{self._root}/{name}"))

    def _files(self) -> dict[str, str]:
        """The states of the files at the URL, by their names below it."""
        try:
            with self._asking("the run"):
                found = patiently(self.url, lambda: self._filesystem.find(self._root, detail=True))
        except FileNotFoundError as error:  # of a bucket: where there is one, there are no files
            raise ManifestError(unusable(self.url, error, "the run")) from error
        names = {path.removeprefix(f"{self._root}/"): info for path, info in found.items()}
        return {name: state_of(info) for name, info in names.items() if all(map(_is_file_name, name.split("/")))}

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Says what to set where the service cannot be reached, or does not let us in."""
        try:
            yield
        except Exception as error:  # the libraries of clouds have their own kinds
            if what == "runs":
                raise StageError(unusable(self.url, error, what)) from error
            if isinstance(error, FileNotFoundError):
                raise
            raise ManifestError(unusable(self.url, error, what)) from error

    def _file(self, name: str) -> dict[str, str]:
        """The state of one of them, if it is there."""
        with self._asking("the run"), suppress(FileNotFoundError):
            return {name: state_of(self._at(name, self._filesystem.info))}
        return {}

    def running(self) -> AbstractContextManager[bool]:
        """Within it, other processes of this machine know that the run goes on here; False: another one has said so."""
        return self._locked("running", wait=False)

    @contextmanager
    def _alone(self) -> Iterator["Record"]:
        """For one process of this machine at a time."""
        with self._locked("copying", wait=True):
            yield Record(self._record)

    @contextmanager
    def _locked(self, what: str, wait: bool) -> Iterator[bool]:
        """Whether this process has got a lock, which it holds within."""
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            file = self._record.with_suffix(f".{what}").open("w")
        except OSError as error:
            raise ManifestError(
                f"the copy of {self.url} cannot be written to {self.folder.parent}: {error.strerror or error}. Make "
                "room there, or name a folder for caches in the environment variable XDG_CACHE_HOME"
            ) from error
        with file as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            except OSError:  # some network file systems have no locks
                pass
            yield True


class Record:
    """What is known of each file when it was last copied: its state at the URL, and its size and time here."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.known: dict[str, list[Any]] = {}
        with suppress(FileNotFoundError, ValueError):
            self.known = json.loads(file.read_bytes())

    def add(self, name: str, states: list[Any]) -> None:
        self.known[name] = states
        self._write()

    def remove(self, name: str) -> None:
        del self.known[name]
        self._write()

    def _write(self) -> None:
        """At once: what a killed process has copied, too, must be known."""
        replace_file(self._file, json.dumps(self.known).encode())


def run_folder(manifest: Manifest, fetch: bool = False, only: str | None = None) -> Path:
    """The folder of a run on this machine. If ``runs`` is a URL, it is a copy.

    fetch: look there for what is new. only: see ``RunCopy.fetch``.
    """
    copy = run_copy(manifest)
    if copy is None:
        return Path(manifest.runs) / manifest.name
    return copy.fetch(only) if fetch else copy.folder


def run_copy(manifest: Manifest) -> RunCopy | None:
    if not is_url(manifest.runs):
        return None
    return RunCopy(f"{manifest.runs.rstrip('/')}/{manifest.name}", with_checkpoints=not is_url(manifest.store))


def copies_at(url: str) -> list[RunCopy]:
    """All runs at a URL, or what may be runs. Raises ManifestError if it cannot be read."""
    filesystem, root = open_filesystem(url, "runs")
    try:
        found = patiently(url, lambda: filesystem.ls(root, detail=True))
    except FileNotFoundError as error:
        if is_cloud(filesystem) and not filesystem.exists(root.partition("/")[0]):
            raise ManifestError(unusable(url, error, "the runs")) from error  # no bucket
        return []
    except Exception as error:  # the libraries of clouds have their own kinds
        raise ManifestError(unusable(url, error, "the runs")) from error
    names = sorted(info["name"].rstrip("/").rpartition("/")[2] for info in found if info["type"] == "directory")
    return [RunCopy(f"{url.rstrip('/')}/{name}") for name in names]


@contextmanager
def sent(copy: RunCopy | None) -> Iterator[None]:
    """Within it, what a run writes to its folder is sent to its URL every now and then, and at the end. None: to none.

    Raises ManifestError at the beginning if the URL cannot be read or written, and StageError at the end if what was
    written could not be sent.
    """
    if copy is None:
        yield
        return
    copy.check_writable()
    copy.fetch()
    with copy.running():
        ended = threading.Event()
        thread = threading.Thread(target=_keep_sending, args=(copy, ended), daemon=True)
        thread.start()
        try:
            yield
        except BaseException:
            _end(thread, ended)
            with suppress(PipelineError, OSError):  # the run's own error says more
                copy.send()
            raise
        _end(thread, ended)
        _send_at_the_end(copy)


def _send_at_the_end(copy: RunCopy) -> None:
    try:
        copy.send()
    except (PipelineError, OSError) as error:
        raise StageError(
            f"{error}. The run's results are in its store, its files in {copy.folder}: run again to copy them"
        ) from error


def _keep_sending(copy: RunCopy, ended: threading.Event) -> None:
    pause = PAUSE
    while not ended.wait(pause):
        began = time.monotonic()
        with suppress(PipelineError, OSError):  # it is tried again; the last time it counts
            copy.send()
        pause = max(PAUSE, (time.monotonic() - began) / SHARE)


def _end(thread: threading.Thread, ended: threading.Event) -> None:
    ended.set()
    thread.join()


def _is_file_name(part: str) -> bool:
    """Whether a part of a name at a URL leads nowhere else in a folder here."""
    return part not in ("", ".", "..") and "\0" not in part


def _state(file: Path) -> list[int]:
    try:
        stat = file.stat()
    except FileNotFoundError:
        return []
    return [stat.st_size, stat.st_mtime_ns]
