"""Skeleton files by their extension."""

from collections.abc import Callable
from pathlib import Path

from pipeline.errors import ClipError
from stages.skeletons.npz import read_npz
from stages.skeletons.ntu import read_ntu
from stages.skeletons.pennaction import read_pennaction
from stages.skeletons.skeleton_file import SkeletonFile

Reader = Callable[[Path, str | None], SkeletonFile]
"""Takes the file, and which clip's skeletons are wanted: None for formats that have a file for each clip."""

READERS: dict[str, Reader] = {".npz": read_npz, ".skeleton": read_ntu, ".mat": read_pennaction}


def read_skeletons(path: Path, entry: str | None = None) -> SkeletonFile:
    """Read a clip's skeletons from a file, whose extension says the format.

    Raises ClipError that says what is wrong, and where.
    """
    if not path.is_file():
        raise ClipError(f"skeleton file {path} not found")
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise ClipError(f"skeleton file {path}: extension {path.suffix!r} is not supported ({', '.join(READERS)})")
    return READERS[suffix](path, entry)
