"""Video files below a folder, and what the index records of each."""

import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISDIR
from typing import NamedTuple

from pipeline.errors import ManifestError
from stages.skeletons.versions import VERSIONS

VIDEO_EXTENSIONS = frozenset(
    {".3gp", ".asf", ".avi", ".divx", ".flv", ".gif", ".m2ts", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4"}
    | {".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv"}
)


class Video(NamedTuple):
    """A file with the extension of a video."""

    name: str
    """Path below the root, with forward slashes."""
    path: str
    source: str
    """The column ``source`` of the index: "SIZE:MTIME_NS"."""


class Skipped(NamedTuple):
    """A file or folder that is not listed, with the reason for the user."""

    name: str
    reason: str


def fingerprint(path: str | os.PathLike[str]) -> str:
    """``SIZE:MTIME_NS`` of a file, by which changes are detected; ``missing`` if it cannot be read.

    For a folder of images ``COUNT:SIZE:MTIME_NS``: the number of its files, their total size, and the newest time.
    """
    try:
        status = os.stat(path)  # noqa: PTH116, for a million files, creating Path objects would double the time
        if not S_ISDIR(status.st_mode):
            return f"{status.st_size}:{status.st_mtime_ns}"
        files = [entry.stat() for entry in os.scandir(path) if entry.is_file()]
    except (OSError, ValueError):
        return "missing"
    newest = max((file.st_mtime_ns for file in files), default=0)
    return f"{len(files)}:{sum(file.st_size for file in files)}:{newest}"


def skeleton_fingerprint(path: str | os.PathLike[str]) -> str:
    """The fingerprint of a skeleton file, with the version of its format's reader after it if that is not the first."""
    found = fingerprint(path)
    version = VERSIONS.get(os.path.splitext(path)[1].lower())  # noqa: PTH122, as above
    return found if version is None or found == "missing" else f"{found}:{version}"


def find_videos(root: Path, wanted: str) -> tuple[list[Video], list[Skipped]]:
    """All videos below ``root``, and everything else with the reason why it is skipped.

    Hidden files and folders are skipped silently; links are followed, but not in circles.
    Raises ManifestError if the folder does not exist or contains no video; ``wanted`` says what it should contain.
    """
    if not root.is_dir():
        raise ManifestError(f"root: there is no folder {root}: it should contain {wanted}")
    videos: list[Video] = []
    skipped: list[Skipped] = []
    for found in _walk(str(root.absolute()), "", frozenset()):
        if isinstance(found, Video):
            videos.append(found)
        else:
            skipped.append(found)
    if not videos:
        reasons = f" ({skipped[0].name}: {skipped[0].reason})" if skipped else ""
        raise ManifestError(f"root: no videos below {root}{reasons}: it should contain {wanted}")
    return sorted(videos), sorted(skipped)


def _walk(folder: str, below: str, above: frozenset[tuple[int, int]]) -> Iterator[Video | Skipped]:
    """The files below a folder; ``above`` are the folders around it, by device and inode."""
    try:
        status = os.stat(folder)  # noqa: PTH116
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            yield Skipped(below, "a link to a folder that contains it")
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
                yield Skipped(name, "not a video by its extension")
        except OSError as error:
            yield Skipped(name, f"cannot be read: {error.strerror}")


def readable(name: str) -> str:
    r"""A file's name as text. Bytes that are not UTF-8 become ``\xNN``: such a clip is listed but fails when opened."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
