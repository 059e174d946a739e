"""Videos with the same bytes under several names, whose clips stand in several splits or classes.

A million files are not read for this. Their sizes are in the index, so only files of one size are opened; of these
only the beginning and the end are read, and the rest only where those are equal.
"""

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.stage import Problem
from pipeline.texts import count
from stages.leftovers import is_leftover

NAMED = 3
"""Pairs of files that are named."""

END = 16 * 2**10
"""Bytes of the beginning, and of the end."""

PIECE = 2**20
"""Bytes that are read at once."""

BATCH = 64
"""Files that a thread reads one after another."""

THREADS = 8
"""They wait for the disk most of the time."""

SIZE = re.compile(r"([1-9]\d*(?::\d+)?):\w+")
"""The size in a fingerprint: of a folder of images, how many there are and how large they are together."""


class Video(NamedTuple):
    """A file or a folder of images, with what its clips are called, and their classes and splits."""

    clip_id: str
    labels: frozenset[str]
    splits: frozenset[str]


def copies(clips: pa.Table, all_of_them: bool) -> Iterator[Problem]:
    """What is said of videos that occur twice. Those of one class and one split only if ``all_of_them``."""
    divided, contradictory, idle = [], [], []
    for same in _same(clips):
        first = same[0]
        if other := next((one for one in same if one.splits != first.splits), None):
            divided.append(_pair(first, other, "splits"))
        if other := next((one for one in same if one.labels != first.labels), None):
            contradictory.append(_pair(first, other, "labels"))
        if len({(one.labels, one.splits) for one in same}) == 1:
            idle.append(f"{first.clip_id} and {same[1].clip_id}")
    for found, what, consequence in (
        (divided, "stands in several splits", "figures will be better than for new videos, so keep one of each"),
        (contradictory, "has several classes", "decide which is right"),
        (idle if all_of_them else [], "is listed more than once", "it counts more than others"),
    ):
        if found:
            names = "; ".join(found[:NAMED]) + ("; ..." if len(found) > NAMED else "")
            how = "with the same bytes under several names"
            yield Problem(f"{count(len(found), 'video')} {what}, {how}: {names}; {consequence}", fatal=False)


def _pair(one: Video, other: Video, what: str) -> str:
    places = (f"{video.clip_id} ({', '.join(sorted(getattr(video, what))) or 'none'})" for video in (one, other))
    return " and ".join(places)


def _same(clips: pa.Table) -> Iterator[list[Video]]:
    """Videos of the index that have the same bytes, in its order."""
    local = clips.filter(pc.invert(pc.match_substring(clips["path"], "://")))  # others would be downloaded for this
    by_path = local.group_by(["path", "source"], use_threads=False).aggregate(
        [("clip_id", "min"), ("label", "distinct"), ("split", "distinct")]
    )
    sized: defaultdict[str, list[int]] = defaultdict(list)
    for row, source in enumerate(by_path["source"].to_pylist()):
        if match := SIZE.fullmatch(source):
            sized[match[1]].append(row)
    rows = [row for own in sized.values() if len(own) > 1 for row in own]
    if not rows:
        return
    candidates = by_path.take(pa.array(rows))
    alike = _alike(tuple(candidates["path"].to_pylist()), tuple(candidates["source"].to_pylist()))
    for positions in alike:
        found = candidates.take(pa.array(positions)).to_pylist()
        videos = [
            Video(
                row["clip_id_min"],
                frozenset(label for label in row["label_distinct"] if label is not None),
                frozenset(split for split in row["split_distinct"] if split is not None),
            )
            for row in found
        ]
        yield sorted(videos, key=lambda video: video.clip_id)


@lru_cache(maxsize=1)  # the variants of a matrix, such as folds, ask about the same files
def _alike(paths: tuple[str, ...], sources: tuple[str, ...]) -> list[list[int]]:
    """Positions of files with the same bytes. sources: their fingerprints."""
    sizes = [source.rpartition(":")[0] for source in sources]
    groups = _divide([list(range(len(paths)))], lambda i: sizes[i])
    with ThreadPoolExecutor(THREADS) as pool:
        for read in (_ends, _all):
            rows = [row for group in groups for row in group]
            batches = [[paths[row] for row in rows[start : start + BATCH]] for start in range(0, len(rows), BATCH)]
            digests = [digest for batch in pool.map(partial(_digests, read), batches) for digest in batch]
            groups = _divide(groups, dict(zip(rows, digests, strict=True)).__getitem__)
    return groups


def _divide(groups: list[list[int]], key: Callable[[int], object]) -> list[list[int]]:
    """The groups cut by a key, without rows whose key is None, and without those that are alone."""
    divided: list[list[int]] = []
    for group in groups:
        parts: defaultdict[object, list[int]] = defaultdict(list)
        for row in group:
            parts[key(row)].append(row)
        divided += [rows for part, rows in parts.items() if part is not None and len(rows) > 1]
    return divided


def _digests(read: Callable[[BinaryIO], Iterator[bytes]], paths: Sequence[str]) -> list[bytes | None]:
    return [_digest(read, path) for path in paths]


def _digest(read: Callable[[BinaryIO], Iterator[bytes]], path: str) -> bytes | None:
    """The digest of what is read of a file, or of each image of a folder; None if it cannot be read."""
    state = hashlib.blake2b(digest_size=16)
    try:
        for name in _images(path) or [path]:
            with open(name, "rb", buffering=0) as file:  # noqa: PTH123, for a million files
                for piece in read(file):
                    state.update(piece)
    except (OSError, ValueError):
        return None
    return state.digest()


def _images(path: str) -> list[str]:
    """The files of a folder; none of a file."""
    try:
        with os.scandir(path) as entries:
            return sorted(entry.path for entry in entries if entry.is_file() and not is_leftover(entry.name))
    except NotADirectoryError:
        return []


def _ends(file: BinaryIO) -> Iterator[bytes]:
    yield file.read(END)
    size = os.fstat(file.fileno()).st_size
    if size > END:
        file.seek(max(END, size - END))
        yield file.read(END)


def _all(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece
