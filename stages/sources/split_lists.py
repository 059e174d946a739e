"""Videos with the split lists that most data sets come with: UCF101, HMDB51, Kinetics, MMAction2's lists and others."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, ClassVar

import pyarrow as pa
from pydantic import BeforeValidator, model_validator

from pipeline.errors import ManifestError
from pipeline.stage import Problem, Source, Stage, Table
from pipeline.urls import is_url
from stages.local_files import errors_name_urls, local_copy, local_path
from stages.places import address_of, files_below
from stages.sources.class_names import labels_of
from stages.sources.files import Skipped, Video, find_videos
from stages.sources.name_patterns import refuse_bad_fields
from stages.sources.recordings import divided, groups, ungrouped, without_extension
from stages.sources.rows import clips_table
from stages.sources.split_list_formats import Entry, read_split_list
from stages.tables import CLIPS

Lists = Annotated[tuple[str, ...], BeforeValidator(lambda given: (given,) if isinstance(given, str) else given)]
"""One list or several, files or URLs. ``*`` in a file's name stands for any text."""


class SplitLists(Source):
    """Takes the clips of each split from text files, and their videos from anywhere below ``root``.

    The format of a list is recognized by its content: a video and the number or name of its class per line (UCF101,
    MMAction2), a video and 0, 1 or 2 (HMDB51), Kinetics' tables, Something-Something's JSON. A list that itself says
    which line is of which split may be given for several splits.
    """

    key_name: ClassVar[str | None] = "stages.sources.split_lists:SplitLists"
    makes: ClassVar[Table] = CLIPS

    root: Path
    """Folder that is searched for the listed videos, with all its subfolders."""
    train: Lists = ()
    """Lists of the training clips."""
    test: Lists = ()
    """Lists of the test clips."""
    val: Lists = ()
    """Lists of the validation clips."""
    classes: Path | None = None
    """Names of numbered classes: a name per line, with its number before it or in order, or JSON. Null: the names of
    the folders that the videos are in, where folders and numbers correspond."""
    group: str | None = None
    """Which clips are of one recording, so that validation clips are drawn recording by recording: a pattern of their
    file names without extensions, as in the source ``folder``. UCF101: ``{group}_c{clip}``."""
    trimmed: bool = False
    """Of Kinetics: whether videos that are named by the id alone (``ID.mp4``) are the clips. Otherwise they are the
    videos that the clips are parts of, from ``time_start`` to ``time_end``."""

    @model_validator(mode="after")
    def _something_is_listed(self) -> "SplitLists":
        if not (self.train or self.test or self.val):
            raise ValueError("train, test and val name no list")
        if self.group is not None:
            refuse_bad_fields(self.group, "group")
        return self

    def clips(self) -> pa.Table:
        """One clip per line; a listed video that is not there is listed as missing.

        Raises ManifestError with file and line of what cannot be understood, or of what is listed twice.
        """
        with errors_name_urls():
            return self._clips()

    def _clips(self) -> pa.Table:
        entries, splits, _ = self._listed()
        labels = labels_of(entries, self.classes and local_path(self.classes, "classes"))
        root, shelf = address_of(self.root), _Shelf(self._videos()[0])
        found = [shelf.find(entry) for entry in entries]
        parts = [self._is_part(entry, video) for entry, video in zip(entries, found, strict=True)]
        _refuse_twice(entries, splits, found, parts)
        names = [
            video.name if video and entry.name.startswith("/") else entry.name
            for entry, video in zip(entries, found, strict=True)
        ]
        paths = [video.path if video else _below(root, name) for name, video in zip(names, found, strict=True)]
        return clips_table(
            {
                "clip_id": names,
                "source": [video.source if video else "missing" for video in found],
                "start": [entry.start if part else None for entry, part in zip(entries, parts, strict=True)],
                "end": [entry.end if part else None for entry, part in zip(entries, parts, strict=True)],
                "path": paths,
                "label": labels,
                "split": splits,
                "group": self._recordings(entries, names, labels),
            }
        )

    def check(self, clips: pa.Table, upstream: Mapping[str, Stage]) -> Iterator[Problem]:
        yield from ungrouped(clips, self.group)
        yield from divided(clips, "the lists say so")

    def skipped(self) -> list[Skipped]:
        """What no list names below ``root``, and what is not a video."""
        entries, _, unused = self._listed()
        videos, skipped = self._videos()
        shelf = _Shelf(videos)
        taken = {video.name for entry in entries if (video := shelf.find(entry))}
        left_out = {video.name for entry in unused if (video := shelf.find(entry))} - taken
        skipped += [Skipped(name, "in a list, but not for any of the splits") for name in left_out]
        listed = taken | left_out
        skipped += [Skipped(video.name, "in no list") for video in videos if video.name not in listed]
        return sorted(skipped)

    def _listed(self) -> tuple[list[Entry], list[str], list[Entry]]:
        """The entries of the splits, their splits, and entries of no split."""
        entries: list[Entry] = []
        splits: list[str] = []
        unused: list[Entry] = []
        read: dict[Path, list[Entry]] = {}
        for split, patterns in (("train", self.train), ("val", self.val), ("test", self.test)):
            files = [file for pattern in patterns for file in _files(pattern, split)]
            for file in dict.fromkeys(files):
                if file not in read:
                    read[file] = read_split_list(file, split)
                own = [entry for entry in read[file] if not entry.marked or entry.split == split]
                entries += own
                splits += [split] * len(own)
                unused += [entry for entry in read[file] if entry.marked and entry.split != split]
            if patterns and split not in splits:
                raise ManifestError(f"{split}: {', '.join(patterns)}: no line is of this split")
        return entries, splits, unused

    def _videos(self) -> tuple[list[Video], list[Skipped]]:
        return find_videos(self.root.expanduser(), "the videos that the lists name")

    def _is_part(self, entry: Entry, video: Video | None) -> bool:
        """Whether the clip is a part of this video, which is named after the original one alone."""
        return video is not None and not self.trimmed and _last(video.name) == entry.original

    def _recordings(self, entries: list[Entry], names: list[str], labels: list[str | None]) -> list[str | None]:
        """The recording of each clip: by the pattern, or the original video of several clips."""
        if self.group is not None:
            return groups(names, labels, self.group)
        clips = Counter(entry.original for entry in entries)
        return [entry.original if clips[entry.original] > 1 else None for entry in entries]


class _Shelf:
    """Finds the video of an entry: the one at the listed path, or the only one whose path ends like it."""

    def __init__(self, videos: list[Video]) -> None:
        self.by_name = {video.name: video for video in videos}
        self.by_last: defaultdict[str, list[Video]] = defaultdict(list)
        for video in videos:
            self.by_last[_last(video.name)].append(video)

    def find(self, entry: Entry) -> Video | None:
        """Raises ManifestError if several videos could be meant."""
        if video := self.by_name.get(entry.name):
            return video
        path = without_extension(entry.name)
        alike = [
            video for video in self.by_last.get(_last(path), ()) if _end_alike(without_extension(video.name), path)
        ]
        if not alike and entry.original is not None:
            alike = self.by_last.get(entry.original, [])
        if len(alike) > 1:
            raise ManifestError(
                f"{entry.place}: {entry.name} could be {alike[0].name} or {alike[1].name}: "
                "move one of them away, or set root to the folder that holds the videos of the lists"
            )
        return alike[0] if alike else None


def _end_alike(one: str, other: str) -> bool:
    """Whether one of two paths ends with the other: lists may say more or less than the path below root."""
    return f"/{one}".endswith(f"/{other}") or f"/{other}".endswith(f"/{one}")


def _below(root: str, name: str) -> str:
    return f"{root.rstrip('/')}/{name}" if is_url(root) else str(Path(root, name))


def _last(name: str) -> str:
    """The file's name without folders and extension."""
    return without_extension(name).rpartition("/")[2]


def _refuse_twice(entries: list[Entry], splits: list[str], found: list[Video | None], parts: list[bool]) -> None:
    """Raise ManifestError if two lines are of one clip."""
    first: dict[tuple[object, ...], int] = {}
    twice = []
    for row, (entry, video, part) in enumerate(zip(entries, found, parts, strict=True)):
        clip = (video.name if video else entry.name, *((entry.start, entry.end) if part else ()))
        if first.setdefault(clip, row) != row:
            twice.append((first[clip], row))
    if twice:
        one, other = twice[0]
        more = f" (and {len(twice) - 1:,} more)" if len(twice) > 1 else ""
        raise ManifestError(
            f"{entries[other].place}: {entries[other].name} is listed twice, for {splits[one]} ({entries[one].place}) "
            f"and for {splits[other]}{more}: list each video once"
        )


def _files(pattern: str, parameter: str) -> list[Path]:
    """The lists that a parameter names. Raises ManifestError if there is none."""
    if is_url(pattern):
        return [local_copy(url, parameter) for url in _at_url(pattern, parameter)]
    path = Path(pattern).expanduser()
    if "*" not in path.name or path.exists():
        return [path]
    files = sorted(file for file in path.parent.glob(path.name) if file.is_file())
    if not files:
        raise ManifestError(f"{parameter}: no list is called {path}")
    return files


def _at_url(pattern: str, parameter: str) -> list[str]:
    """The same of a URL."""
    folder, _, name = pattern.rpartition("/")
    if "*" not in name:
        return [pattern]
    files = [
        file.url for file in files_below(folder, parameter) if "/" not in file.name and fnmatchcase(file.name, name)
    ]
    if not files:
        raise ManifestError(f"{parameter}: no list is called {pattern}")
    return files
