"""Which clip and which frame an image name means: ``CLIP/000012.jpg``, ``CLIP_000012.jpg`` or ``12.jpg``."""

import os.path
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from pipeline.errors import ClipError

_MOST_DIGITS = 18
"""Of a number in a name: more do not fit into 64 bits."""


class Place(NamedTuple):
    """A frame of a clip."""

    clip: str
    number: int


def places(names: Iterable[str], file: str) -> dict[str, Place]:
    """The place of each image.

    The number at the end of a name is that of the frame. A folder is a clip, unless the names in it differ before
    their numbers: then each of these beginnings is one. Clips are named by their paths below the deepest folder that
    contains all of them; the clip of images called ``12.jpg`` has no name (""). Raises ClipError for an image without a
    number; ``file`` is what the message calls the file that has the names.
    """
    parts = {name: _parts(name, file) for name in names}
    beginnings = defaultdict(set)
    for folder, beginning, _ in parts.values():
        beginnings[folder].add(beginning)
    clips = {
        name: "/".join(filter(None, (folder, beginning if len(beginnings[folder]) > 1 or not folder else "")))
        for name, (folder, beginning, _) in parts.items()
    }
    folders = [clip.rpartition("/")[0] for clip in set(clips.values())]
    shared = os.path.commonpath(folders) if folders else ""
    return {name: Place(clip[len(shared) :].lstrip("/"), parts[name].number) for name, clip in clips.items()}


def frame_number(name: str) -> int | None:
    """The number at the end of a file name, before its extension; None if there is none."""
    stem = _stem(name)
    digits = stem[len(stem.rstrip("0123456789")) :]
    return int(digits) if 0 < len(digits) <= _MOST_DIGITS else None


class _Parts(NamedTuple):
    folder: str
    beginning: str
    number: int


def _parts(name: str, file: str) -> _Parts:
    folder, _, base = name.replace("\\", "/").rpartition("/")
    number = frame_number(base)
    if number is None:
        raise ClipError(
            f"{file}: image {name[:80]!r} has no frame number at the end of its name, such as clip/000012.jpg"
        )
    return _Parts(folder.strip("/"), _stem(base).rstrip("0123456789").rstrip(" _.-"), number)


def _stem(name: str) -> str:
    """The name without its extension, and without what OpenPose appends to it."""
    stem, dot, extension = name.rpartition(".")
    return (name if not dot or extension.isdigit() else stem).removesuffix("_keypoints")
