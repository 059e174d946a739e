"""The store: one Parquet file per result, named by its key, and written completely or not at all.

A store is a folder or any URL that fsspec opens. Its files never change once written, so any number of runs may share a
store at the same time: at worst, two of them make the same file.
"""

import contextlib
import io
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.errors import ManifestError, MissingResultError, PipelineError, StageError, UnreadableError
from pipeline.files import check_writable, replace_file
from pipeline.keys import KEY_BYTES
from pipeline.parquet import parquet_content, read_parquet
from pipeline.patience import PatientFile, patiently
from pipeline.remote_files import RemoteFile, kept
from pipeline.stage import Table
from pipeline.urls import is_cloud, open_filesystem, protocols, state_of, unusable
from pipeline.writers import is_alive, writer_name

TEMPORARY = "tmp"
ATTEMPTS = "attempts"
DAMAGED = "damaged"
SAME = "same"
CONTENTS = "contents"
WORK = "work"

AT_ONCE = 8
"""Notes that are written at a time: one takes as long as a service takes to answer."""
ARRIVAL = (0.1, 0.4, 1.0, 2.0)
"""Seconds between two looks for a file that another machine has written."""


class Attempts(NamedTuple):
    """How often a partition has been asked for again: the number of the last attempt, and of the last forced one."""

    last: int = 0
    forced: int = 0


class Store:
    """Results by stage folder and key.

    url: a folder or an fsspec URL (``s3://bucket/prefix``; with credentials as fsspec expects them).
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._bucket_is_there = False
        self.filesystem, self.root = open_filesystem(url, "the store")
        self.is_local = "file" in protocols(self.filesystem)
        if self.is_local:
            self.url = self.root  # absolute, because workers may run in another folder
            there = next(folder for folder in (Path(self.root), *Path(self.root).parents) if folder.exists())
            if not there.is_dir():
                raise ManifestError(f"store: {there} is not a folder")

    def __reduce__(self) -> tuple[type["Store"], tuple[str]]:
        return Store, (self.url,)

    def check_writable(self) -> None:
        """Raises ManifestError that says what to do if nothing can be written here, before anything has run."""
        if self.is_local:
            root = Path(self.root)
            folders = [root, *(path for path in root.iterdir() if path.is_dir())] if root.is_dir() else [root]
            for folder in folders:
                check_writable(folder, "store", "--set store=FOLDER")
            return
        probe = f"{TEMPORARY}/{writer_name()}"
        try:
            self.write_note(probe, "")
            self.remove_note(probe)
        except StageError as error:
            raise ManifestError(str(error)) from error

    def path(self, folder: str, key: str) -> str:
        return f"{self.root}/{folder}/{key}.parquet"

    def keys(self, folder: str) -> set[str]:
        """Keys of all results that exist in a stage's folder."""
        return {name.removesuffix(".parquet") for name in self._names(folder) if name.endswith(".parquet")}

    def sizes(self) -> dict[str, int]:
        """Bytes by path of every result, even damaged ones, and of what is kept for unfinished ones. Other files in the
        store's folder are ignored."""
        found = self.filesystem.find(self.root, detail=True) if self.filesystem.exists(self.root) else {}
        key = rf"[0-9a-f]{{{2 * KEY_BYTES}}}"
        ours = re.compile(re.escape(self.root) + rf"/((\w+/|{DAMAGED}/\w+-){key}\.parquet|{WORK}/{key}\.[\w.-]+)")
        return {path: info["size"] for path, info in found.items() if ours.fullmatch(path)}

    def write(self, folder: str, key: str, table: pa.Table, spec: Table) -> int:
        """Commit a result under its key; returns its size in bytes. Raises StageError if it cannot be written."""
        content = parquet_content(table, spec.row_group, spec.compression)
        self._commit(self.path(folder, key), content)
        return len(content)

    def open(self, path: str) -> Any:
        """A binary file object, seekable, for reading. Where that fails for the moment, it is tried again."""
        if self.is_local:
            return PatientFile(path, lambda: Path(path).open("rb"))
        return RemoteFile(self._info(path)["size"], partial(self._fetch, path))

    def open_input(self, path: str) -> Any:
        """A result that is known to have been made. Raises MissingResultError if somebody has removed it since.

        Of a store at a URL, what is read is kept for the next time.
        """
        with _known_to_exist(path):
            if self.is_local:
                return self.open(path)
            info = self._info(path)
            name, fetch = f"{path} {state_of(info)}", partial(self._fetch, path)
            return RemoteFile(info["size"], lambda start, stop: kept.read(name, start, stop, fetch))

    def read_input(self, path: str) -> pa.Table:
        """The whole of such a result."""
        with _known_to_exist(path):
            return self.read(path)

    def has_arrived(self, path: str, pauses: Sequence[float] = ARRIVAL) -> bool:
        """Whether a file is here that another machine says it has written. Network file systems may show it later."""
        for pause in pauses:
            if self._is_there(path):
                return True
            time.sleep(pause)
            with contextlib.suppress(OSError):  # NFS asks its server again about a folder that is opened
                os.scandir(Path(path).parent).close()
        return self._is_there(path)

    def read(self, path: str, columns: list[str] | None = None) -> pa.Table:
        if self.is_local or columns:
            with self.open(path) as file:
                return read_parquet(file, path, columns)
        return read_parquet(io.BytesIO(self._fetch(path)), path)

    def remove(self, path: str) -> None:
        self.filesystem.rm_file(path)

    def set_aside(self, path: str) -> str | None:
        """Move a damaged result to the folder ``damaged``; returns its new path. None: it is gone already."""
        target = f"{self.root}/{DAMAGED}/{path.removeprefix(f'{self.root}/').replace('/', '-')}"
        try:
            self.filesystem.makedirs(f"{self.root}/{DAMAGED}", exist_ok=True)
            self.filesystem.mv(path, target)
        except FileNotFoundError:
            return None
        return target

    # Notes: the engine's own small files, beside the results.

    def write_note(self, name: str, text: str) -> None:
        self._commit(f"{self.root}/{name}", memoryview(text.encode()))

    def read_note(self, name: str) -> str | None:
        path = f"{self.root}/{name}"
        try:
            with self._reaching():
                return patiently(path, lambda: self.filesystem.cat_file(path)).decode()
        except FileNotFoundError:
            return None

    def remove_note(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.filesystem.rm_file(f"{self.root}/{name}")

    def notes(self, folder: str) -> list[str]:
        """Names of the notes in a folder."""
        return self._names(folder)

    def upload(self, file: Path, name: str) -> None:
        """Copy a local file here, in place of an older one. Raises StageError if it cannot be written."""
        self._writing(f"{self.root}/{name}", lambda: self.filesystem.put_file(str(file), f"{self.root}/{name}"))

    def download(self, name: str, file: Path) -> None:
        """Copy what ``upload`` has written to a local file, in place of an older one."""
        path, part = f"{self.root}/{name}", file.with_name(f"{file.name}.{writer_name()}")
        try:
            with self._reaching():
                patiently(path, lambda: self.filesystem.get_file(path, str(part)))
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)

    def attempts(self) -> dict[str, Attempts]:
        """The attempts at partitions that were forced, or that had failures and were retried, by their first key."""
        found: dict[str, Attempts] = {}
        for name in self._names(ATTEMPTS):
            key, _, number = name.partition(".")
            number, _, retry = number.partition(".")
            if number.isdigit():
                known, count = found.get(key, Attempts()), int(number)
                found[key] = Attempts(max(known.last, count), known.forced if retry else max(known.forced, count))
        return found

    def record_attempts(self, counts: Mapping[str, int], retry: bool = False) -> None:
        """Note how often results are now asked for, by first key.

        retry: the attempts are for failures, and may change nothing; otherwise they are forced.
        """
        names = [f"{ATTEMPTS}/{key}.{count}{'.retry' if retry else ''}" for key, count in counts.items()]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda name: self.write_note(name, ""), names))

    def same(self) -> dict[str, str]:
        """Keys whose results are those of older keys (see ``record_same``)."""
        return dict(name.split(".") for name in self._names(SAME) if name.count(".") == 1)

    def record_same(self, key: str, older: str) -> None:
        """Note that what ``key`` names is the same, by content, as the result under an older key."""
        self.write_note(f"{SAME}/{key}.{older}", "")

    def key_with_content(self, content: str) -> str | None:
        """The key of a whole stage's result that was made from this content, if one has been noted."""
        return self.read_note(f"{CONTENTS}/{content}")

    def record_content(self, content: str, key: str) -> None:
        self.write_note(f"{CONTENTS}/{content}", key)

    def sweep(self) -> None:
        """Remove temporary files that killed processes have left behind: at once those of this machine, after a day
        those of others, which cannot be asked whether they are alive. No work fails for what cannot be removed."""
        with contextlib.suppress(PipelineError):
            for name in self._names(TEMPORARY):
                path = f"{self.root}/{TEMPORARY}/{name}"
                with contextlib.suppress(OSError):  # renamed, removed by another sweep, or somebody else's
                    if "@" in name and not is_alive(name, self._changed(path)):
                        self.filesystem.rm_file(path)

    def _changed(self, path: str) -> float:
        """When a file was last written, in seconds since 1970."""
        if self.is_local:
            return Path(path).stat().st_mtime
        with self._reaching():
            return float(patiently(path, lambda: self.filesystem.modified(path)).timestamp())

    def _info(self, path: str) -> dict[str, Any]:
        with self._reaching():
            return dict(patiently(path, lambda: self.filesystem.info(path)))

    def _fetch(self, path: str, start: int | None = None, stop: int | None = None) -> bytes:
        with self._reaching():
            return bytes(patiently(path, lambda: self.filesystem.cat_file(path, start=start, end=stop)))

    def _is_there(self, path: str) -> bool:
        if self.is_local:
            return os.path.lexists(path)
        with self._reaching():
            return bool(patiently(path, lambda: self.filesystem.exists(path)))

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        """Says what to set where the store's service cannot be reached, or does not let us in."""
        try:
            yield
        except FileNotFoundError:
            raise
        except Exception as error:  # the libraries of clouds have their own kinds
            if self.is_local or isinstance(error, UnreadableError):
                raise
            raise ManifestError(unusable(self.url, error)) from error

    def _names(self, folder: str) -> list[str]:
        path = f"{self.root}/{folder}"
        try:
            with self._reaching():
                paths = patiently(path, lambda: self.filesystem.ls(path, detail=False))
            return [path.rpartition("/")[2] for path in paths]
        except FileNotFoundError:
            self._check_bucket()
            return []
        except UnreadableError as error:
            raise ManifestError(unusable(self.url, error)) from error

    def _check_bucket(self) -> None:
        """An empty store needs no folder, but a bucket, which nobody makes by the way."""
        if is_cloud(self.filesystem) and not self._bucket_is_there:
            bucket = self.root.partition("/")[0]
            with self._reaching():
                self._bucket_is_there = patiently(self.url, lambda: self.filesystem.exists(bucket))
            if not self._bucket_is_there:
                raise ManifestError(f"store: there is no bucket {bucket} for {self.url}: make it, or correct the URL")

    def _commit(self, path: str, content: memoryview) -> None:
        def write() -> None:
            if self.is_local:
                replace_file(Path(path), content, Path(self.root) / TEMPORARY)
            else:
                # In object stores, an object exists only when its upload is complete.
                self.filesystem.pipe_file(path, bytes(content))

        self._writing(path, write)

    def _writing(self, path: str, write: Callable[[], None]) -> None:
        try:
            patiently(path, write)
        except Exception as error:
            if not self.is_local:
                raise StageError(unusable(self.url, error)) from error
            if not isinstance(error, OSError | UnreadableError):
                raise
            reason = error.reason if isinstance(error, UnreadableError) else error.strerror or error
            raise StageError(
                f"cannot write {path}: {reason}. What is done is kept: make room (pipeline clean) "
                "or choose another store (--set store=FOLDER), then run again"
            ) from error


@contextlib.contextmanager
def _known_to_exist(path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise MissingResultError(path, "somebody has removed it") from error
