"""Which clips come from one recording, and recordings whose clips stand on both sides of a split.

Clips of one recording show the same people, place and light, so a network that has trained on one of them recognizes
the others too easily. A recording is what the column ``group`` says, or the file of a span.
"""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import ManifestError
from pipeline.stage import Problem
from pipeline.texts import count
from stages.sources.files import VIDEO_EXTENSIONS
from stages.sources.name_patterns import matcher

NUMBERED_PART = re.compile(r"(.*[^ _.-])[ _.-]*(?:part|pt|segment|seg|scene|shot|chunk|split|clip)[ _.-]?\d+", re.I)
"""``video_001_part1``, ``match3-clip 12``."""

GROUP_AND_CLIP = re.compile(r"(.*_g\d+)_c\d+")
"""``v_Archery_g01_c05``, as in UCF101."""

SPAN_OF_TIME = re.compile(r"(.+)_(\d{6})_(\d{6})")
"""``ID_000010_000020``, as in Kinetics: seconds."""

PERHAPS = r"(?i)(_c|_\d{6}_|part|pt|segment|seg|scene|shot|chunk|split|clip)[ _.-]?\d+(\.\w+)?$"
"""All names that one of these can match, and some more. Arrow sorts a million names out in a second."""

LONGEST_SPAN = 3600
"""Seconds: two numbers that differ by more are a date and a time."""


def groups(names: Sequence[str], labels: Sequence[str | None], pattern: str) -> list[str | None]:
    """The recording of each clip: what ``{group}`` stands for in its name, null for a name that does not match.

    names: paths below the root. pattern: of a file name without its extension, or of the path if it has a slash; its
    field ``{label}`` stands for the clip's class. Raises ManifestError if no name matches.
    """
    whole, by_label = "/" in pattern, "{label}" in pattern

    @lru_cache
    def of_class(label: str | None) -> re.Pattern[str]:
        return matcher(pattern, {} if label is None else {"label": label}, long=("group",))

    found = []
    for name, label in zip(names, labels, strict=True):
        path = without_extension(name)
        match = of_class(label if by_label else None).fullmatch(path if whole else path.rpartition("/")[2])
        found.append(match and match["group"])
    if names and not any(found):
        raise ManifestError(f"group: no name matches {pattern}, such as {without_extension(names[0])}")
    return found


def without_extension(name: str) -> str:
    """A video's path without its extension; a folder of images may have dots in its name."""
    stem, extension = os.path.splitext(name)  # noqa: PTH122, for a million files
    return stem if extension.lower() in VIDEO_EXTENSIONS else name


def ungrouped(clips: pa.Table, pattern: str | None) -> Iterator[Problem]:
    """Names that do not match the pattern that says which clips belong together."""
    if pattern is not None and clips["group"].null_count:
        first = clips.filter(pc.is_null(clips["group"]))["clip_id"][0]
        text = f"group: {clips['group'].null_count:,} of {count(len(clips), 'name')} do not match {pattern}"
        yield Problem(f"{text}, the first is {first}: each of them counts as a recording of its own", fatal=False)


def divided(clips: pa.Table, remedy: str) -> Iterator[Problem]:
    """Recordings that stand in more than one split. remedy: how the user can say which clips belong together."""
    consequence = "figures will be better than for new recordings"
    split = clips.filter(pc.is_valid(clips["split"]))
    if names := _in_several_splits(split.filter(pc.is_valid(split["group"])), "group"):
        text = f"{count(len(names), 'recording')} (column group), such as {names[0]}"
        yield Problem(f"clips of {text}, stand in more than one split: {consequence}", fatal=False)
    alone = split.filter(pc.is_null(split["group"]))
    is_span = _are_spans(alone)
    if names := _in_several_splits(_whole_and_in_part(split), "path"):
        text = f"{count(len(names), 'video')} as a whole and in part, such as {names[0]}"
        yield Problem(f"{text}, stand in more than one split: {consequence}", fatal=False)
    if names := _in_several_splits(alone.filter(is_span), "path"):
        text = f"spans of {count(len(names), 'file')}, such as {names[0]}"
        yield Problem(f"{text}, stand in more than one split: {consequence}", fatal=False)
    guessed = recordings_by_name(alone.filter(pc.invert(is_span)))
    splits = dict(zip(alone["clip_id"].to_pylist(), alone["split"].to_pylist(), strict=True)) if guessed else {}
    torn = sorted(name for name, ids in guessed.items() if len({splits[clip_id] for clip_id in ids}) > 1)
    if torn:
        text = f"by their names, clips of {count(len(torn), 'recording')}, such as {torn[0]}"
        yield Problem(f"{text}, stand in more than one split: {consequence}; {remedy}", fatal=False)


def recordings_by_name(clips: pa.Table) -> dict[str, list[str]]:
    """Recordings with several clips, as their names suggest, with the ids of their clips.

    One that is alone in its class is left out: ``run_clip1`` to ``run_clip9`` are just numbered.
    """
    ids: defaultdict[str, list[str]] = defaultdict(list)
    of_class: defaultdict[str | None, set[str]] = defaultdict(set)
    classes: defaultdict[str, set[str | None]] = defaultdict(set)
    clips = clips.filter(pc.match_substring_regex(clips["clip_id"], PERHAPS))
    for clip_id, label in zip(clips["clip_id"].to_pylist(), clips["label"].to_pylist(), strict=True):
        if (name := recording_by_name(without_extension(clip_id))) is not None:
            ids[name].append(clip_id)
            of_class[label].add(name)
            classes[name].add(label)
    return {
        name: own
        for name, own in ids.items()
        if len(own) > 1 and all(len(of_class[label]) > 1 for label in classes[name])
    }


def recording_by_name(name: str) -> str | None:
    """The recording that a name without extension suggests, or None: ``a/video_1_part2`` is of ``a/video_1``."""
    folder, slash, last = name.rpartition("/")
    if match := GROUP_AND_CLIP.fullmatch(last) or NUMBERED_PART.fullmatch(last):
        return folder + slash + match[1]
    match = SPAN_OF_TIME.fullmatch(last)
    return folder + slash + match[1] if match and 0 < int(match[3]) - int(match[2]) < LONGEST_SPAN else None


def files_of_several_clips(paths: Sequence[str], splits: Sequence[str | None]) -> list[str | None]:
    """The group of each span: its file, if there are more spans of it. A file whose spans are divided among splits on
    purpose is none."""
    clips = Counter(paths)
    of_file: defaultdict[str, set[str | None]] = defaultdict(set)
    for path, split in zip(paths, splits, strict=True):
        of_file[path].add(split)
    return [path if clips[path] > 1 and len(of_file[path]) == 1 else None for path in paths]


def _are_spans(clips: pa.Table) -> pa.ChunkedArray:
    return pc.or_(pc.is_valid(clips["start"]), pc.is_valid(clips["end"]))


def _whole_and_in_part(clips: pa.Table) -> pa.Table:
    """The clips of files that are clips as a whole, and parts of which are clips, too."""
    is_span = _are_spans(clips)
    of_both = (pc.is_in(clips["path"], clips.filter(kind)["path"].unique()) for kind in (is_span, pc.invert(is_span)))
    return clips.filter(pc.and_(*of_both))


def _in_several_splits(clips: pa.Table, column: str) -> list[str]:
    """Values of a column whose clips have more than one split."""
    counted = clips.group_by(column).aggregate([("split", "count_distinct")])
    return sorted(counted.filter(pc.greater(counted["split_count_distinct"], 1))[column].to_pylist())
