"""Where the files of a run are: in a folder or at a URL.

A run at a URL reads and writes a copy on this machine, which is sent there while it goes on. One machine at a time runs
it; any may read it. What the run needs to go on is in its store, whatever happens to these files.
"""

import fcntl
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import ManifestError, StageError
from pipeline.files import check_writable, replace_file
from pipeline.manifest import Manifest
from pipeline.patience import patiently
from pipeline.urls import is_cloud, is_url, open_filesystem, state_of, unusable
from pipeline.writers import writer_name

WORK = "work"
"""The subfolder with a folder for each whole stage. The files right in that are not sent: the store keeps them."""
HALF_WRITTEN = re.compile(r".*@\d+\.[0-9a-f]{8}")
"""What ``files.replacing`` calls a file that it has not yet renamed."""
PAUSE = 20.0
"""Seconds between two times that files are sent, at least."""
SHARE = 0.05
"""Of the time that a run takes, the most that is spent on sending."""

T = TypeVar("T")


class RunCopy:
    """The files of one run at a URL, and their copies in ``folder``, below the user's cache."""

    def __init__(self, url: str) -> None:
        """Raises ManifestError if nothing opens the URL, or if it cannot be that of a run."""
        self.url = url.rstrip("/")
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
        """Copy what has changed at the URL to this machine. Returns the folder, which is missing if nothing is there.

        only: the name of the one file that is wanted. Raises ManifestError if the URL cannot be read.
        """
        with self._alone() as record:
            there = self._files()
            for name, state in there.items():
                copy = self.folder / name
                if only in (None, name) and (record.get(name, [""])[0] != state or not copy.is_file()):
                    with self._asking("the run"), suppress(FileNotFoundError):  # it has just been removed
                        replace_file(copy, self._at(name, self._filesystem.cat_file))
                        record[name] = [state, *_state(copy)]
            for name in record.keys() - there.keys() if only is None else ():
                if _state(self.folder / name) == record.pop(name)[1:]:
                    (self.folder / name).unlink()
        return self.folder

    def send(self) -> None:
        """Copy what has changed on this machine to the URL. Raises StageError if that cannot be written."""
        with self._alone() as record:
            here = {name: _state(self.folder / name) for name in _files_of_a_run(self.folder)}
            for name, state in here.items():
                if record.get(name, [""])[1:] != state:
                    with self._asking("runs"):
                        self._make_folder_for(name)
                        self._at(name, partial(self._filesystem.put_file, str(self.folder / name)))
                        record[name] = [state_of(self._at(name, self._filesystem.info)), *state]
            for name in record.keys() - here.keys():
                with self._asking("runs"):
                    self._at(name, self._remove)
                del record[name]

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
        with self._asking("the run"):
            found = patiently(self.url, lambda: self._filesystem.find(self._root, detail=True))
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

    @contextmanager
    def _alone(self) -> Iterator[dict[str, list[Any]]]:
        """What is known of each file when it was last copied: its state at the URL, and its size and time here. For one
        process of this machine at a time; what changes is kept, whatever happens."""
        check_writable(self.folder, "the copy of the run", "XDG_CACHE_HOME names one for caches")
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self._record.with_suffix(".lock").open("w") as lock:
            with suppress(OSError):  # some network file systems have no locks
                fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                record = json.loads(self._record.read_bytes())
            except (FileNotFoundError, ValueError):
                record = {}
            try:
                yield record
            finally:
                replace_file(self._record, json.dumps(record).encode())


def run_folder(manifest: Manifest, fetch: bool = False) -> Path:
    """The folder of a run on this machine. If ``runs`` is a URL, it is a copy. fetch: look there for what is new."""
    copy = run_copy(manifest)
    if copy is None:
        return Path(manifest.runs) / manifest.name
    return copy.fetch() if fetch else copy.folder


def run_copy(manifest: Manifest) -> RunCopy | None:
    return RunCopy(f"{manifest.runs.rstrip('/')}/{manifest.name}") if is_url(manifest.runs) else None


def copies_at(url: str) -> list[RunCopy]:
    """All runs at a URL, or what may be runs. Raises ManifestError if it cannot be read."""
    filesystem, root = open_filesystem(url, "runs")
    try:
        found = patiently(url, lambda: filesystem.ls(root, detail=True))
    except FileNotFoundError:
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
    ended = threading.Event()
    thread = threading.Thread(target=_keep_sending, args=(copy, ended), daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        _end(thread, ended)
        with suppress(StageError):  # the run's own error says more
            copy.send()
        raise
    _end(thread, ended)
    try:
        copy.send()
    except StageError as error:
        raise StageError(
            f"{error}. The run's results are in its store, its files in {copy.folder}: run again to copy them"
        ) from error


def _keep_sending(copy: RunCopy, ended: threading.Event) -> None:
    pause = PAUSE
    while not ended.wait(pause):
        began = time.monotonic()
        with suppress(StageError, OSError):  # it is tried again; the last time it counts
            copy.send()
        pause = max(PAUSE, (time.monotonic() - began) / SHARE)


def _end(thread: threading.Thread, ended: threading.Event) -> None:
    ended.set()
    thread.join()


def _files_of_a_run(folder: Path) -> Iterator[str]:
    """The names of the files in a run's folder that others may want to read."""
    for path, _, names in os.walk(folder):
        kept_elsewhere = Path(path).parent == folder / WORK
        for name in [] if kept_elsewhere else names:
            file = Path(path, name)
            if file.is_file() and not file.is_symlink() and not HALF_WRITTEN.fullmatch(name):
                yield file.relative_to(folder).as_posix()


def _is_file_name(part: str) -> bool:
    """Whether a part of a name at a URL leads nowhere else in a folder here."""
    return part not in ("", ".", "..") and "\0" not in part


def _state(file: Path) -> list[int]:
    try:
        stat = file.stat()
    except FileNotFoundError:
        return []
    return [stat.st_size, stat.st_mtime_ns]
