"""Finds the skeletons of videos: a file for each of them in a folder, or one file for all."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import ManifestError
from stages.places import url_of
from stages.skeletons.formats import READERS
from stages.sources.skeleton_entries import entries_of, matched


def find_skeletons(videos: Sequence[str], place: Path | None) -> tuple[list[Path | None], list[str | None]]:
    """The skeleton file of each video (called ``CLASS/name.mp4``), if there is one, and the clip in it if the file is
    for all.

    In a folder they are ``CLASS/name`` or ``name``, with an extension of a skeleton file (of several, that which
    READERS has first) or as a folder of OpenPose's files. Raises ManifestError if skeletons could be of several videos,
    or if a file for all is of one clip or damaged.
    """
    nowhere: list[str | None] = [None] * len(videos)
    if place is None:
        return [None] * len(videos), nowhere
    if (url := url_of(place)) is not None:
        raise ManifestError(f"skeletons: {url} is a URL, but skeleton files are read from folders: copy them to one")
    place = place.expanduser().absolute()
    if not place.is_file():
        namesakes = Counter(Path(video).stem for video in videos)
        return [_in_folder(place, Path(video).with_suffix(""), namesakes) for video in videos], nowhere
    known = entries_of(place)
    if known is None:
        raise ManifestError(f"skeletons: {place} is of one clip: name a folder of such files, or one of many clips")
    entries = matched(videos, known)
    return [None if entry is None else place for entry in entries], entries


def _in_folder(folder: Path, name: Path, namesakes: Counter[str]) -> Path | None:
    """The skeletons of the video with this path without extension. namesakes: how many videos have each name."""
    if found := _at(folder / name):
        return found
    found = _at(folder / name.name)
    if found and namesakes[name.name] > 1:
        raise ManifestError(
            f"skeletons: {found} could be of any of {namesakes[name.name]} videos called {name.name}: put skeleton "
            "files into folders like those of the videos"
        )
    return found


def _at(place: Path) -> Path | None:
    for extension in (spelled for known in READERS for spelled in (known, known.upper())):
        if (file := place.with_name(place.name + extension)).is_file():
            return file
    if place.is_dir() and any(entry.name.lower().endswith(".json") for entry in os.scandir(place)):
        return place
    return None
