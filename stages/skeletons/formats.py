"""Skeleton files by their extension."""

from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import ClipError, ManifestError, StageError, UnreadableError
from pipeline.limits import without_limit
from pipeline.stage import Row
from pipeline.urls import is_url
from stages.local_files import copy_beside, errors_name_urls, local_copy, passing_copy
from stages.places import is_full, refuse_changed, state_at, url_of
from stages.skeletons.json_clips import names_in_json, read_json
from stages.skeletons.mediapipe_csv import read_mediapipe_csv
from stages.skeletons.npz import layout_file, read_npz
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


LAYOUT_FILES = ("*.yaml", "*.yml")
"""What may define the layout of an ``.npz`` file beside it."""


def entries(path: Path) -> Collection[str] | None:
    """The names of the clips in a skeleton file; None for a file of one clip. Raises ClipError if it is damaged, and
    ManifestError if it is at a URL and cannot be read."""
    names, url = ENTRIES.get(path.suffix.lower()), url_of(path)
    if names is None or (state_at(url) is None if url else not path.is_file()):
        return None
    with errors_name_urls():
        return names(_kept(url) if url else path)


def read_skeletons(path: Path, entry: str | None = None) -> SkeletonFile:
    """Read a clip's skeletons from a file, whose extension says the format, or from a folder of OpenPose's files.

    Raises ClipError that says what is wrong, and where. Of a file at a URL, raises OSError or UnreadableError if that
    cannot be reached.
    """
    if (url := url_of(path)) is not None:
        return _read_at(url, entry)._replace(path=url)
    if path.is_dir():
        return read_openpose(path, entry)
    if not path.is_file():
        raise ClipError(f"skeleton file {path} not found")
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise ClipError(f"skeleton file {path}: extension {path.suffix!r} is not supported ({', '.join(READERS)})")
    return READERS[suffix](path, entry)


def read_planned(clip: Row) -> SkeletonFile:
    """The skeletons of a clip of the index, as ``read_skeletons``. Raises ClipError also if a local file is no longer
    what was planned."""
    path = clip["skeleton_path"]
    if not is_url(path):
        refuse_changed(path, clip["skeleton_source"])
    return read_skeletons(Path(path), clip["skeleton_entry"])


def keep_sets(clips: pa.Table) -> None:
    """Copy files of many clips here that are at URLs. It counts for no clip's time."""
    files = clips.filter(pc.is_valid(clips["skeleton_entry"]))["skeleton_path"].unique().to_pylist()
    for url in filter(None, map(url_of, filter(None, files))):
        with suppress(ManifestError), without_limit():  # reading the clips will say what is wrong
            _kept(url)


def _read_at(url: str, entry: str | None) -> SkeletonFile:
    """As ``read_skeletons``. A file of one clip is read only once, so its copy is not kept."""
    if entry is None:
        with passing_copy(url) as copy:
            definition = layout_file(copy) if copy.suffix.lower() == ".npz" else None
            if definition and definition.parent == copy.parent:
                with suppress(ClipError):  # reading will name the file that is missing
                    copy_beside(copy, definition.name)
            return read_skeletons(copy)
    try:
        with errors_name_urls():
            return read_skeletons(_kept(url), entry)
    except ManifestError as error:
        if isinstance(error.__cause__, UnreadableError):
            raise error.__cause__ from None
        if is_full(error.__cause__):
            raise StageError(str(error)) from error
        raise ClipError(str(error)) from error


def _kept(url: str) -> Path:
    return local_copy(url, "skeletons", *(LAYOUT_FILES if url.lower().endswith(".npz") else ()))
