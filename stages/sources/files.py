"""Video files below a folder, and what the index records of each."""

import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISDIR
from typing import NamedTuple

from pipeline.errors import ManifestError

VIDEO_EXTENSIONS = frozenset(
    {".3gp", ".asf", ".avi", ".divx", ".flv", ".gif", ".m2ts", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4"}
    | {".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv"}
)


class Video(NamedTuple):
    """A file that is a video by its extension."""

    name: str
    """Path below the root, with forward slashes."""
    path: str
    source: str
    """What the index calls its source: "SIZE:MTIME_NS"."""


class Skipped(NamedTuple):
    """A file or folder that is not listed, for people."""

    name: str
    reason: str


def fingerprint(path: str | os.PathLike[str]) -> str:
    """``SIZE:MTIME_NS`` of a file, by which a changed file is known; ``missing`` where there is none to be read.

    Of a folder of images ``COUNT:SIZE:MTIME_NS``: how many files it holds, the sum of their sizes, and the newest time.
    """
    try:
        status = os.stat(path)  # noqa: PTH116, a million of them: a Path each would double the time
        if not S_ISDIR(status.st_mode):
            return f"{status.st_size}:{status.st_mtime_ns}"
        files = [entry.stat() for entry in os.scandir(path) if entry.is_file()]
    except (OSError, ValueError):
        return "missing"
    newest = max((file.st_mtime_ns for file in files), default=0)
    return f"{len(files)}:{sum(file.st_size for file in files)}:{newest}"


def find_videos(root: Path, wanted: str) -> tuple[list[Video], list[Skipped]]:
    """All videos below ``root``, and whatever else is there with the reason it is left out.

    Hidden files and folders are left out without a word; links are followed, but never round in a circle.
    Raises ManifestError where there is no such folder or no video in it; ``wanted`` says what should be there.
    """
    if not root.is_dir():
        raise ManifestError(f"root: there is no folder {root}: it should hold {wanted}")
    videos: list[Video] = []
    skipped: list[Skipped] = []
    for found in _walk(str(root.absolute()), "", frozenset()):
        if isinstance(found, Video):
            videos.append(found)
        else:
            skipped.append(found)
    if not videos:
        reasons = f" ({skipped[0].name}: {skipped[0].reason})" if skipped else ""
        raise ManifestError(f"root: no videos below {root}{reasons}: it should hold {wanted}")
    return sorted(videos), sorted(skipped)


def _walk(folder: str, below: str, above: frozenset[tuple[int, int]]) -> Iterator[Video | Skipped]:
    """Files of a folder and the folders in it; ``above`` are the folders it lies in, by device and inode."""
    try:
        status = os.stat(folder)  # noqa: PTH116
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            yield Skipped(below, "a link to a folder it lies in")
            return
        entries = list(os.scandir(folder))
    except OSError as error:
        yield Skipped(below, f"the folder cannot be read: {error.strerror}")
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        name = readable(f"{below}/{entry.name}" if below else entry.name)
        is_video = os.path.splitext(name)[1].lower() in VIDEO_EXTENSIONS  # noqa: PTH122, as above
        try:
            if entry.is_dir() and not is_video:
                yield from _walk(entry.path, name, above | {identity})
            elif is_video and not (entry.is_file() or entry.is_dir()) and Path(entry.path).exists():
                yield Skipped(name, "a pipe or a device, not a file")
            elif is_video:
                yield Video(name, readable(entry.path), fingerprint(entry.path))
            else:
                yield Skipped(name, "no video by its extension")
        except OSError as error:
            yield Skipped(name, f"cannot be read: {error.strerror}")


def readable(name: str) -> str:
    r"""A file's name as text. Bytes that are not UTF-8 become ``\xNN``: the clip is listed, and fails when opened."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
