"""Where videos and skeletons are: in folders of this machine, or at URLs that fsspec opens, such as ``s3://bucket/a``.

A file at a URL is read in ranges of a few megabytes, and kept as long as the process works on it. Its state is that
which the service says of it, and is asked for once for all clips of a partition.
"""

import errno
import hashlib
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from stat import S_ISDIR
from typing import Any, BinaryIO, NamedTuple, TypeVar, cast

from pipeline.errors import ClipError, ManifestError, StageError, is_of_a_stranger, is_passing
from pipeline.patience import patiently
from pipeline.remote_files import KeptRanges, RemoteFile
from pipeline.urls import is_url, open_filesystem, state_of, unusable

URL_AS_PATH = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)")
"""What ``pathlib`` makes of a URL: a second slash is dropped."""
FINGERPRINT = re.compile(r"\d+:\d+(:|$)")
"""How the state of a local file, or of a folder, begins."""
MISSING = "missing"
"""The state of what a list or a page names and nobody finds."""
RECENT = 8
"""Files at URLs of which a process keeps what it has read."""

T = TypeVar("T")


class Found(NamedTuple):
    """A file below a URL."""

    name: str
    """Path below it."""
    url: str
    state: str


def url_of(place: Path) -> str | None:
    """The URL that a parameter names, or None for a local path."""
    match = URL_AS_PATH.fullmatch(str(place))
    if match is None:
        return None
    return f"{match[1]}:///{match[2]}" if match[1].lower() == "file" else f"{match[1]}://{match[2]}"


def address_of(place: Path) -> str:
    """The URL or the absolute path of what a parameter names."""
    return url_of(place) or str(place.expanduser().absolute())


def folder_here(place: Path, parameter: str, what: str) -> Path:
    """The absolute path of a folder that may not be at a URL. Raises ManifestError if it is.

    what: what is in it.
    """
    if (url := url_of(place)) is not None:
        raise ManifestError(
            f"{parameter}: {url} is a URL, but {what} must be in a folder of this machine or on a network file system: "
            "name that"
        )
    return place.expanduser().absolute()


def is_file(place: Path) -> bool:
    """Whether there is a file, here or at a URL. Raises ManifestError if the URL cannot be read."""
    url = url_of(place)
    if url is None:
        return place.is_file()
    filesystem, path = open_filesystem(url, "the file")
    try:
        return bool(patiently(url, lambda: filesystem.isfile(path)))
    except Exception as error:  # of many kinds: of the cloud's own library
        raise ManifestError(unusable(url, error, "the file")) from error


def files_below(url: str, what: str, depth: int | None = None) -> list[Found]:
    """All files below a URL, or the one that it names. Raises ManifestError if they cannot be listed.

    what: the URL's part in the manifest, for the message. depth: 1 for those right in the folder, and so on.
    """
    filesystem, root = open_filesystem(url, what)
    scheme = url.partition("://")[0]

    def find() -> dict[str, dict[str, Any]]:
        found = filesystem.find(root, maxdepth=depth, detail=True)
        if scheme in ("http", "https"):  # whose pages name files and say nothing of them
            return {path: _said_of(filesystem, path) for path in found}
        return cast(dict[str, dict[str, Any]], found)

    try:
        infos = patiently(url, find)
    except Exception as error:  # of many kinds: of the cloud's own library
        raise ManifestError(unusable(url, error, what)) from error
    root = root.rstrip("/")
    folder = root.rpartition("/")[0] if infos.get(root, {}).get("type") == "file" else root  # or it is a single file

    def url_at(path: str) -> str:
        return path if is_url(path) else f"{scheme}:{'///' if scheme == 'file' else '//'}{path.lstrip('/')}"

    return sorted(
        Found(path.removeprefix(f"{folder}/"), url_at(path), state_of(info) if info["type"] == "file" else MISSING)
        for path, info in infos.items()
        if info["type"] in ("file", MISSING)
    )


def _said_of(filesystem: Any, path: str) -> dict[str, Any]:
    """What a file system says of a file. A link that leads nowhere is that file's failure alone."""
    try:
        return dict(filesystem.info(path))
    except FileNotFoundError:
        return {"type": MISSING}


def state_at(url: str) -> str | None:
    """The state of the file at a URL; None if there is none."""
    try:
        return patiently(url, lambda: _Remote.of(url, ask=True).state)
    except ClipError:
        return None


def fingerprint(path: str | os.PathLike[str]) -> str:
    """``SIZE:MTIME_NS`` of a file, by which changes are detected; ``missing`` if it cannot be read.

    Of a file at a URL it is its size and what else the service says of its state. For a folder of images it is
    ``COUNT:SIZE:DIGEST``: the number of its files, their total size, and a digest of the name (which decides the
    order), size and time of each.
    """
    if is_url(path):
        return state_at(str(path)) or MISSING
    try:
        status = os.stat(path)  # noqa: PTH116, for a million files, creating Path objects would double the time
        if not S_ISDIR(status.st_mode):
            return f"{status.st_size}:{status.st_mtime_ns}"
        with os.scandir(path) as entries:
            files = sorted((entry.name, entry.stat()) for entry in entries if entry.is_file())
    except (OSError, ValueError):
        return MISSING
    state = hashlib.blake2b(digest_size=8)
    for name, file in files:
        state.update(f"{name}\0{file.st_size}:{file.st_mtime_ns}\0".encode("utf-8", "surrogateescape"))
    return f"{len(files)}:{sum(file.st_size for _, file in files)}:{state.hexdigest()}"


def refuse_changed(path: str, planned: str | None) -> None:
    """Raise ClipError if a file is there, but no longer what was planned.

    planned: what the index says of it: its state at a URL, or its fingerprint, which for skeletons may be followed by
    what else counts. An index of one's own may say something else, or nothing.
    """
    if planned == MISSING or not (is_url(path) or FINGERPRINT.match(planned or "")):
        return
    now = _Remote.of(path, ask=True).state if is_url(path) else fingerprint(path)
    if now not in (MISSING, planned) and not (planned or "").startswith(f"{now}:"):
        raise ClipError("the file has changed since the run was planned: run again")


def opened(path: str) -> BinaryIO:
    """A local file or the one at a URL, for reading. Raises ClipError if that is not there or may not be read."""
    if not is_url(path):
        return Path(path).open("rb")
    return cast(BinaryIO, _Remote.of(path).open())


def version_of(path: str) -> tuple[int | str, ...]:
    """What changes when a file does. Raises OSError, or ClipError where it is at a URL."""
    if is_url(path):
        return (_Remote.of(path).state,)
    status = Path(path).stat()
    return status.st_size, status.st_mtime_ns


def size_of(path: str) -> int:
    """Bytes of a file, as ``version_of``."""
    return _Remote.of(path).size if is_url(path) else Path(path).stat().st_size


_recent: OrderedDict[str, "_Remote"] = OrderedDict()
_lock = threading.Lock()


class _Remote:
    """A file at a URL in one state, with what has been read of it."""

    def __init__(self, url: str, filesystem: Any, path: str, info: dict[str, Any]) -> None:
        self.url, self.filesystem, self.path = url, filesystem, path
        self.size, self.state = int(info["size"]), state_of(info)
        self.kept = KeptRanges()

    @classmethod
    def of(cls, url: str, ask: bool = False) -> "_Remote":
        """The file at a URL. ask: whether it is still in the same state, although it has just been read."""
        with _lock:
            known = _recent.get(url)
        if known and not ask:
            return known
        filesystem, path = open_filesystem(url, "the file")
        info = reading(url, lambda: filesystem.info(path))
        if info["type"] == "directory":
            raise ClipError("it is a folder, and at URLs only files are read")
        found = cls(url, filesystem, path, info)
        with _lock:
            if known and known.state == found.state:
                return known
            _recent[url] = found
            _recent.move_to_end(url)
            while len(_recent) > RECENT:
                _recent.popitem(last=False)
        return found

    def open(self) -> RemoteFile:
        return RemoteFile(self.size, self._read, self.url)

    def _read(self, start: int, stop: int) -> bytes:
        return self.kept.read_blocks(self.url, start, stop, self.size, self._fetch)

    def _fetch(self, start: int, stop: int) -> bytes:
        return bytes(reading(self.url, lambda: self.filesystem.cat_file(self.path, start=start, end=stop)))


def is_full(error: BaseException | None) -> bool:
    """Whether this machine's disk takes no more: that is no file's fault."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def reading(url: str, work: Callable[[], T]) -> T:
    """What ``work`` reads from a service. Raises ClipError where trying again would not help, StageError if the service
    lets nobody in or there is no room here, else OSError."""
    try:
        return work()
    except FileNotFoundError:
        raise ClipError("no such file: was it moved or renamed?") from None
    except Exception as error:
        if type(error) is TimeoutError and error.__cause__ is None:  # our own limit
            raise
        if is_of_a_stranger(error):
            raise StageError(unusable(url, error, "the file")) from error
        if isinstance(error, PermissionError):
            raise ClipError(f"no permission to read the file: {error}") from error
        if is_full(error):
            raise StageError(f"no room for a copy on the disk of this machine: {error}") from error
        if is_passing(error):
            raise OSError(errno.EREMOTEIO, f"{type(error).__name__}: {error}") from error
        raise ClipError(f"the file cannot be read: {type(error).__name__}: {error}") from error
