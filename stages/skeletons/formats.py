"""Skeleton files by their extension."""

from collections.abc import Callable, Collection
from pathlib import Path

from pipeline.errors import ClipError
from stages.skeletons.json_clips import names_in_json, read_json
from stages.skeletons.mediapipe_csv import read_mediapipe_csv
from stages.skeletons.npz import read_npz
from stages.skeletons.ntu import read_ntu
from stages.skeletons.openpose import read_openpose
from stages.skeletons.pennaction import read_pennaction
from stages.skeletons.pyskl import clips_of_pyskl, read_pyskl
from stages.skeletons.skeleton_file import SkeletonFile

Reader = Callable[[Path, str | None], SkeletonFile]
"""Takes the file, and which clip's skeletons are wanted: None for formats that have a file for each clip."""

READERS: dict[str, Reader] = {
    ".npz": read_npz,
    ".skeleton": read_ntu,
    ".mat": read_pennaction,
    ".json": read_json,
    ".csv": read_mediapipe_csv,
    ".pkl": read_pyskl,
    ".pickle": read_pyskl,
}

ENTRIES: dict[str, Callable[[Path], Collection[str] | None]] = {
    ".json": names_in_json,
    ".pkl": clips_of_pyskl,
    ".pickle": clips_of_pyskl,
}
"""For formats whose files hold many clips: what names them, or None if a file turns out to be of one clip."""


def entries(path: Path) -> Collection[str] | None:
    """The names of the clips in a skeleton file; None for a file of one clip. Raises ClipError if it is damaged."""
    names = ENTRIES.get(path.suffix.lower())
    return names(path) if names and path.is_file() else None


def read_skeletons(path: Path, entry: str | None = None) -> SkeletonFile:
    """Read a clip's skeletons from a file, whose extension says the format, or from a folder of OpenPose's files.

    Raises ClipError that says what is wrong, and where.
    """
    if path.is_dir():
        return read_openpose(path, entry)
    if not path.is_file():
        raise ClipError(f"skeleton file {path} not found")
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise ClipError(f"skeleton file {path}: extension {path.suffix!r} is not supported ({', '.join(READERS)})")
    return READERS[suffix](path, entry)
