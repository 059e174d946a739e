"""Video files below a folder, and what the index records of each."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import ManifestError
from pipeline.urls import is_url
from stages.leftovers import is_leftover
from stages.places import MISSING, files_below, fingerprint, url_of
from stages.skeletons.npz import layout_file
from stages.skeletons.versions import VERSIONS
from stages.sources.remote_skeletons import RemoteSkeletons

VIDEO_EXTENSIONS = frozenset(
    {".3gp", ".asf", ".avi", ".divx", ".flv", ".gif", ".m2ts", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4"}
    | {".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv"}
)


OTHER_FILE = "not a video by its extension"
LEFTOVER = "hidden, or left behind by a system or a program"


class Video(NamedTuple):
    """A file with the extension of a video, or a folder of images."""

    name: str
    """Path below the root, with forward slashes."""
    path: str
    source: str
    """The column ``source`` of the index: "SIZE:MTIME_NS"."""


class Skipped(NamedTuple):
    """A file or folder that is not listed, with the reason for the user."""

    name: str
    reason: str


def skeleton_fingerprint(path: str | os.PathLike[str]) -> str:
    """What decides what a skeleton file gives: its fingerprint, then the version of its format's reader if that is not
    the first, or a digest of the layout file that it names if it names one; at a URL, of those that it may name."""
    found, file = fingerprint(path), Path(path)
    suffix = file.suffix.lower()
    if is_url(path) and (found == MISSING or suffix == ".npz"):  # perhaps a folder, or with a layout beside it
        return RemoteSkeletons().state(str(path))
    if found == MISSING:
        return found
    if suffix in VERSIONS:
        return f"{found}:{VERSIONS[suffix]}"
    if suffix != ".npz" or not _has_yaml(str(file.parent)):
        return found
    definition = layout_file(file)
    if definition is None or not definition.is_file():
        return found
    return f"{found}:{hashlib.blake2b(definition.read_bytes(), digest_size=8).hexdigest()}"


def _has_yaml(folder: str) -> bool:
    """Whether there are layout files in a folder. Only there is it worth looking into skeleton files."""
    return _yaml_in(folder, Path(folder).stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _yaml_in(folder: str, mtime_ns: int) -> bool:
    return any(entry.name.lower().endswith((".yaml", ".yml")) for entry in os.scandir(folder))


def find_videos(root: Path, wanted: str) -> tuple[list[Video], list[Skipped]]:
    """All videos below ``root``, and everything else with the reason why it is skipped.

    Nothing is looked for in leftovers (see ``is_leftover``), and those that are neither folders nor called like videos
    are not worth a word. Links are followed, but not in circles. Where there are no video files at all, folders of
    images are the videos.
    Raises ManifestError if the folder does not exist or contains no video; ``wanted`` says what it should contain.
    """
    if (url := url_of(root)) is not None:
        return _at_url(url, wanted)
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
        videos, skipped = _image_folders(root.absolute(), skipped)
    if not videos:
        raise ManifestError(f"root: no videos below {root}{_what_else(skipped)}: it should contain {wanted}")
    return sorted(videos), sorted(skipped)


def _at_url(url: str, wanted: str) -> tuple[list[Video], list[Skipped]]:
    """The same of what is at a URL, which is listed once: a state of each file comes with it."""
    from stages.video.with_images import EXTENSIONS

    videos, skipped = [], []
    for file in files_below(url, "root"):
        is_video = os.path.splitext(file.name)[1].lower() in VIDEO_EXTENSIONS  # noqa: PTH122
        if not any(is_leftover(part) for part in file.name.split("/")) and (is_video or file.url == url):
            videos.append(Video(file.name, file.url, file.state))
        else:
            skipped.append(Skipped(file.name, LEFTOVER if is_video else OTHER_FILE))
    if not videos:
        images = any(file.name.lower().endswith(tuple(EXTENSIONS)) for file in skipped)
        hint = " (folders of images must be in a folder of this machine or on a network file system)" if images else ""
        raise ManifestError(f"root: no videos below {url}{hint}: it should contain {wanted}")
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
        name = readable(f"{below}/{entry.name}" if below else entry.name)
        is_video = os.path.splitext(name)[1].lower() in VIDEO_EXTENSIONS  # noqa: PTH122, as above
        try:
            if is_leftover(entry.name):
                if is_video or entry.is_dir():
                    yield Skipped(name, LEFTOVER)
            elif entry.is_dir() and not is_video:
                yield from _walk(entry.path, name, above | {identity})
            elif is_video and not (entry.is_file() or entry.is_dir()) and Path(entry.path).exists():
                yield Skipped(name, "a pipe or a device, not a file")
            elif is_video:
                yield Video(name, readable(entry.path), fingerprint(entry.path))
            else:
                yield Skipped(name, OTHER_FILE)
        except OSError as error:
            yield Skipped(name, f"cannot be read: {error.strerror}")


def _image_folders(root: Path, skipped: list[Skipped]) -> tuple[list[Video], list[Skipped]]:
    """The folders that hold two images or more, and what else there is."""
    from stages.video.with_images import EXTENSIONS

    images: defaultdict[str, list[Skipped]] = defaultdict(list)
    others: list[Skipped] = []
    for file in skipped:
        folder, _, name = file.name.rpartition("/")
        is_image = file.reason == OTHER_FILE and os.path.splitext(name)[1].lower() in EXTENSIONS  # noqa: PTH122
        (images[folder] if is_image and folder else others).append(file)
    folders = [name for name, files in images.items() if len(files) > 1]
    others += [file for files in images.values() if len(files) == 1 for file in files]
    return [Video(name, str(root / name), fingerprint(root / name)) for name in folders], others


def _what_else(skipped: list[Skipped]) -> str:
    """In brackets, what there is where there are no videos."""
    from stages.video.with_images import EXTENSIONS

    for file in skipped:
        if "/" not in file.name and os.path.splitext(file.name)[1].lower() in EXTENSIONS:  # noqa: PTH122
            return f" ({file.name}: an image; the images of each video must be in a folder of their own below root)"
    return f" ({skipped[0].name}: {skipped[0].reason})" if skipped else ""


def readable(name: str) -> str:
    r"""A file's name as text. Bytes that are not UTF-8 become ``\xNN``: such a clip is listed but fails when opened."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
