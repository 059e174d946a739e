"""Which clip of a skeleton file of many belongs to a video: the one that has its name."""

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from pipeline.errors import ClipError, ManifestError
from stages.skeletons.formats import entries
from stages.sources.recordings import without_extension

_NOT_IN_NAMES = "_rgb"
"""The end of the names of NTU RGB+D's videos, which those of its skeletons do not have."""


def entries_of(file: Path) -> Collection[str] | None:
    """The names of the clips in a skeleton file; None for a file of one clip. Raises ManifestError if it is damaged."""
    try:
        return entries(file)
    except ClipError as error:
        raise ManifestError(f"skeletons: {error}") from error


def entry_of(video: str, known: Collection[str]) -> str | None:
    """The clip of a video: its path below the root, without extension or with it, or else its file name."""
    path = without_extension(video)
    stem = path.rpartition("/")[2]
    names = (path, video, stem, video.rpartition("/")[2], stem.removesuffix(_NOT_IN_NAMES))
    return next((name for name in names if name in known), None)


def matched(videos: Sequence[str], known: Collection[str]) -> list[str | None]:
    """The clip of each video. Raises ManifestError if a clip could be of several videos."""
    found = [entry_of(video, known) for video in videos]
    counts = Counter(entry for entry in found if entry is not None)
    for entry, count in counts.most_common(1):
        if count > 1:
            raise ManifestError(
                f"skeletons: {entry} could be of any of {count} videos, such as {videos[found.index(entry)]}: "
                "name clips after the path of their video"
            )
    return found
