"""Finds the skeletons of videos: a file for each of them in a folder, or one file for all."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import ManifestError
from stages.places import files_below, url_of
from stages.skeletons.formats import READERS
from stages.sources.files import skeleton_fingerprint
from stages.sources.recordings import without_extension
from stages.sources.remote_skeletons import RemoteSkeletons
from stages.sources.skeleton_entries import entries_of, matched


class FoundSkeletons(NamedTuple):
    """The skeletons of each video: columns of the index, null for videos without any."""

    paths: Sequence[str | None]
    sources: Sequence[str | None]
    entries: Sequence[str | None]
    """The clip in the file, if that is for all."""


class _Folder(NamedTuple):
    """A folder of skeleton files, here or at a URL."""

    place: str
    is_file: Callable[[str], bool]
    has_frames: Callable[[str], bool]
    """Whether something is a folder with JSON files, as OpenPose writes them."""


def find_skeletons(videos: Sequence[str], place: Path | None) -> FoundSkeletons:
    """The skeleton file of each video (called ``CLASS/name.mp4``), if there is one.

    In a folder they are ``CLASS/name`` or ``name``, with an extension of a skeleton file (of several, that which
    READERS has first) or as a folder of OpenPose's files. Raises ManifestError if skeletons could be of several videos,
    or if a file for all is of one clip or damaged.
    """
    nowhere: list[str | None] = [None] * len(videos)
    if place is None:
        return FoundSkeletons(nowhere, nowhere, nowhere)
    if (url := url_of(place)) is not None:
        found = files_below(url, "skeletons")
        if not found:
            raise ManifestError(f"skeletons: there are no files at {url}")
        remote = RemoteSkeletons()
        if [file.url for file in found] == [url]:
            return _in_file(videos, url, skeleton_fingerprint(url))
        remote.add(url, found)
        return _in_folder(videos, _Folder(url, remote.is_file, remote.has_frames), remote.state)
    place = place.expanduser().absolute()
    if place.is_file():
        return _in_file(videos, str(place), skeleton_fingerprint(place))
    if not place.is_dir():
        raise ManifestError(f"skeletons: there is no folder or file {place}")
    return _in_folder(videos, _Folder(str(place), os.path.isfile, _has_frames), skeleton_fingerprint)


def _in_file(videos: Sequence[str], file: str, state: str) -> FoundSkeletons:
    known = entries_of(Path(file))
    if known is None:
        raise ManifestError(f"skeletons: {file} is of one clip: name a folder of such files, or one of many clips")
    entries = matched(videos, known)
    return FoundSkeletons([entry and file for entry in entries], [entry and state for entry in entries], entries)


def _in_folder(videos: Sequence[str], folder: _Folder, state: Callable[[str], str]) -> FoundSkeletons:
    names = [without_extension(video) for video in videos]
    namesakes = Counter(name.rpartition("/")[2] for name in names) + Counter(name for name in names if "/" in name)
    paths = [_of_video(folder, name, namesakes) for name in names]
    states = {path: state(path) for path in set(paths) if path is not None}
    return FoundSkeletons(paths, [path and states[path] for path in paths], [None] * len(videos))


def _of_video(folder: _Folder, name: str, namesakes: Counter[str]) -> str | None:
    """The skeletons of the video with this path without extension. namesakes: how many videos have each path or name
    without extension."""
    for own in (name, name.rpartition("/")[2]):
        if (found := _at(folder, own)) and namesakes[own] > 1:
            raise ManifestError(
                f"skeletons: {found} could be of any of {namesakes[own]} videos called {own}: put skeleton files into "
                "folders like those of the videos, whose names must differ in more than their extensions"
            )
        if found:
            return found
    return None


def _at(folder: _Folder, name: str) -> str | None:
    place = f"{folder.place.rstrip('/')}/{name}"
    for extension in (spelled for known in READERS for spelled in (known, known.upper())):
        if folder.is_file(place + extension):
            return place + extension
    return place if folder.has_frames(place) else None


def _has_frames(place: str) -> bool:
    folder = Path(place)
    return folder.is_dir() and any(entry.name.lower().endswith(".json") for entry in os.scandir(folder))
