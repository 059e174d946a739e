"""Files at URLs as files of this machine, for what reads no others: lists, sets of skeletons, weights.

Copies lie in the user's cache, in folders named by what the service says of their state. So each state of a file is
copied once to each machine; to see whether it is there takes one request.
"""

import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import ClipError, ManifestError, StageError, is_passing
from pipeline.patience import patiently
from pipeline.stage import KnownFile
from pipeline.urls import open_filesystem, state_of, unusable
from stages.places import is_full, reading, url_of

UNUSED = 30 * 24 * 3600.0
"""Seconds after which a copy that nobody has used is removed, when another one is made."""
FRESH = 2.0
"""Seconds for which what a service has said holds: a plan asks for each variant, a worker for each clip."""
LARGE = 10 << 20
"""Bytes from which on people are told that a file is copied."""


class NoSuchFileError(ManifestError):
    """There is no file at a URL."""


_asked: dict[tuple[str, tuple[str, ...]], tuple[float, Path]] = {}
_origins: dict[str, str] = {}
"""The URL of the folder that each folder of copies is of."""


def cache_folder() -> Path:
    """Where copies lie, in folders of their own."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "action-pipeline" / "files"


@contextmanager
def local_file(place: Path, what: str) -> Iterator[Path]:
    """A file that a parameter names or, if that is a URL, its copy. Errors call it by its URL.

    what: the parameter. Raises ManifestError if there is nothing at the URL, or if it cannot be read.
    """
    with errors_name_urls():
        yield local_path(place, what).absolute()


def local_copy(url: str, what: str, *beside: str) -> Path:
    """A copy of the file at a URL, in a folder with copies of those files beside it whose names match a pattern of
    ``beside``.

    what: what the file is, for errors. Raises NoSuchFileError, and ManifestError if it cannot be read.
    """
    at, copy = _asked.get((url, beside), (0.0, Path()))
    if at and time.monotonic() - at < FRESH and copy.is_file():
        return copy
    filesystem, path = open_filesystem(url, what)
    infos = _asking(url, what, partial(_look, filesystem, path, beside))
    states = sorted((_name(info["name"]), state_of(info)) for info in infos)
    if any(state.endswith(":") for _, state in states):
        states.append(("", str(time.time_ns())))  # nothing says whether such a file has changed
    made_of = json.dumps([url, states]).encode("utf-8", "surrogateescape")
    folder = cache_folder() / hashlib.blake2b(made_of, digest_size=16).hexdigest()
    try:
        with _alone(folder):
            if not all((folder / _name(info["name"])).is_file() for info in infos):
                shutil.rmtree(folder, ignore_errors=True)  # somebody has cleaned the cache
                _fill(folder, filesystem, infos, url, what)
        os.utime(folder)
    except OSError as error:
        raise ManifestError(
            f"{what}: {url} cannot be copied to {folder.parent}: {error.strerror or error}. Make room there, or name a "
            "folder for caches in the environment variable XDG_CACHE_HOME"
        ) from error
    _origins[str(folder)] = url.rpartition("/")[0]
    _asked[url, beside] = time.monotonic(), folder / _name(path)
    return folder / _name(path)


@contextmanager
def passing_copy(url: str) -> Iterator[Path]:
    """A copy of the file at a URL, or of the files right in the folder there, for as long as it is read. Errors call it
    by its URL.

    Raises ClipError if it is gone, and OSError if it cannot be read for the moment, as for a video.
    """
    filesystem, path = open_filesystem(url, "the file")
    with reading(url, tempfile.TemporaryDirectory) as folder:
        _origins[folder] = url.rpartition("/")[0]
        copy = Path(folder, _name(path))
        try:
            with errors_name_urls():
                if reading(url, lambda: filesystem.info(path))["type"] == "file":
                    reading(url, lambda: filesystem.get_file(path, str(copy)))
                else:
                    copy.mkdir()
                    infos = reading(url, lambda: filesystem.ls(path, detail=True))
                    names = [info["name"] for info in infos if _is_file(info)]
                    reading(url, lambda: filesystem.get(names, [str(copy / _name(name)) for name in names]))
                yield copy
        finally:
            del _origins[folder]


def copy_beside(copy: Path, name: str) -> None:
    """Copy another file from beside the one at a URL to beside its copy. Raises ClipError, OSError."""
    url = f"{_origins[str(copy.parent)]}/{name}"
    filesystem, path = open_filesystem(url, "the file")
    reading(url, lambda: filesystem.get_file(path, str(copy.with_name(name))))


@contextmanager
def errors_name_urls() -> Iterator[None]:
    """Call copies by the URLs of what they are copies of."""
    try:
        yield
    except (ClipError, ManifestError, StageError) as error:
        text = str(error)
        for folder, url in list(_origins.items()):
            text = text.replace(folder, url)
        if text == str(error) or type(error) not in (ClipError, ManifestError, StageError):
            raise
        raise type(error)(text) from error


def local_path(place: Path, what: str) -> Path:
    """A file that a parameter names or, if that is a URL, its copy, for use within ``errors_name_urls``."""
    url = url_of(place)
    return place.expanduser() if url is None else local_copy(url, what)


def keyed_file(place: Path, what: str) -> Path | KnownFile:
    """A file that a parameter names, as ``Stage.files`` gives it."""
    return as_known(local_path(place, what))


def as_known(file: Path) -> Path | KnownFile:
    """A copy by its content, as other machines have it elsewhere; any other file as it is."""
    return _known(file) if str(file.parent) in _origins and file.is_file() else file


@lru_cache(maxsize=256)
def _known(copy: Path) -> KnownFile:
    return KnownFile.of(copy)


def _look(filesystem: Any, path: str, beside: tuple[str, ...]) -> list[dict[str, Any]]:
    """What a file system says of a file, and of those beside it that match."""
    found = filesystem.info(path)
    if not _is_file(found):
        raise FileNotFoundError(path)
    folder = path.rpartition("/")[0]
    try:
        names = [info["name"] for info in filesystem.ls(folder, detail=True) if _is_file(info)] if beside else []
    except Exception as error:
        if is_passing(error):
            raise
        names = [f"{folder}/{pattern}" for pattern in beside]  # not all that may be read may be listed
    infos = [found]
    for name in names:
        if name != path and any(fnmatchcase(_name(name), pattern) for pattern in beside):
            with suppress(FileNotFoundError, PermissionError):
                infos.append(filesystem.info(name))  # which says more than a list
    return infos


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process of this machine at a time look for a folder and fill it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        with suppress(OSError):  # some network file systems have no locks: then several may copy
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fill(folder: Path, filesystem: Any, infos: list[dict[str, Any]], url: str, what: str) -> None:
    """Copy files into a folder, which is there as a whole or not at all."""
    _sweep(folder.parent)
    size = sum(info["size"] or 0 for info in infos)
    if size >= LARGE:
        print(f"copying {url}, {size / 2**20:.0f} MB", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as part:
        for info in infos:
            copy = Path(part, _name(info["name"]))
            _asking(url, what, partial(filesystem.get_file, info["name"], str(copy)))
            now = _asking(url, what, partial(filesystem.info, info["name"]))
            if state_of(now) != state_of(info) or info["size"] not in (None, copy.stat().st_size):
                raise ManifestError(f"{what}: {url} has changed while it was copied: try again")
        Path(part).rename(folder)


def _sweep(cache: Path) -> None:
    """Remove what nobody has used for long, and what was left half-copied."""
    for entry in cache.iterdir():
        with suppress(OSError):
            if time.time() - entry.stat().st_mtime > UNUSED:
                entry.unlink() if entry.is_file() else shutil.rmtree(entry, ignore_errors=True)


def _asking(url: str, what: str, work: Any) -> Any:
    """What a service answers. Raises ManifestError where it does not, or if there is no such file."""
    try:
        return patiently(url, work)
    except FileNotFoundError:
        raise NoSuchFileError(f"{what}: there is no file {url}") from None
    except Exception as error:  # of many kinds: of the cloud's own library
        if is_full(error) or type(error) is TimeoutError:  # this machine's disk; a limit of our own
            raise
        raise ManifestError(unusable(url, error, what)) from error


def _name(path: str) -> str:
    """Of a file, without what gives access to it or says how it is sent, which would make it another file each time."""
    place = urlsplit(path).path if path.startswith(("http://", "https://")) else path
    return place.rpartition("/")[2]


def _is_file(info: dict[str, Any]) -> bool:
    return info["type"] == "file" and _name(info["name"]) not in ("", ".", "..")
