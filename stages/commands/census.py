"""Counts the clips of an index by split and class, those whose files are there and those whose files are not."""

from collections import Counter
from collections.abc import Iterator, Mapping

import pyarrow as pa

from pipeline.texts import count

LISTED = 20
"""Classes with missing files that are listed, at most."""


def census(clips: pa.Table, published: Mapping[str, int], reads_videos: bool) -> Iterator[str]:
    """Lines for people, one per split.

    published: clips of each split as the data set's authors count them, for comparison. reads_videos: whether the
    manifest wants more than skeleton files.
    """
    columns = ("label", "split", "source", "skeleton_source")
    rows = clips.select(columns).to_pylist()
    of_split = Counter(row["split"] for row in rows)
    videos = Counter(row["split"] for row in rows if row["source"] != "missing")
    skeletons = Counter(row["split"] for row in rows if row["skeleton_source"] not in (None, "missing"))
    names_skeletons = any(row["skeleton_source"] is not None for row in rows)
    for split in [*published, *(split for split in sorted(of_split, key=str) if split not in published)]:
        official = f" of {published[split]:,} published" if split in published else ""
        classes = len({row["label"] for row in rows if row["split"] == split and row["label"] is not None})
        there = [f"videos of {count(videos[split], 'clip')}"] if reads_videos else []
        there += [f"skeletons of {count(skeletons[split], 'clip')}"] if names_skeletons else []
        yield f"{split or 'no split'}: {of_split[split]:,}{official}, {_classes(classes)}; {' and '.join(there)} there"


def lacking(clips: pa.Table, reads_videos: bool) -> int:
    """How many clips are listed without the file that the manifest reads first."""
    return clips[("source" if reads_videos else "skeleton_source")].to_pylist().count("missing")


def gaps(clips: pa.Table, reads_videos: bool) -> Iterator[str]:
    """Lines for people, one per class of which some files are there and others are not, the emptiest first."""
    rows = clips.select(["label", "source", "skeleton_source"]).to_pylist()
    for column, what in (("source", "videos"), ("skeleton_source", "skeletons"))[not reads_videos :]:
        wanted = Counter(str(row["label"]) for row in rows if row[column] is not None)
        there = Counter(str(row["label"]) for row in rows if row[column] not in (None, "missing"))
        short = sorted((there[label] / wanted[label], label) for label in wanted if there[label] < wanted[label])
        if not there:
            continue  # said by the lines above: there are none at all
        for _, label in short[:LISTED]:
            yield f"{label}: {there[label]:,} of {wanted[label]:,} {what} there"
        if len(short) > LISTED:
            yield f"and {_classes(len(short) - LISTED)} more without some of their {what}"


def _classes(number: int) -> str:
    return f"{number:,} class{'' if number == 1 else 'es'}"
