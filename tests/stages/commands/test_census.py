"""What the doctor counts in an index."""

import pyarrow as pa

from stages.commands.census import LISTED, census, gaps, lacking
from stages.tables import CLIPS


def clips(*rows: tuple[str, str | None, str, str | None]) -> pa.Table:
    """Clips of (label, split, source, skeleton_source)."""
    names = ("label", "split", "source", "skeleton_source")
    content = [{"clip_id": str(i), "path": ""} | dict(zip(names, row, strict=True)) for i, row in enumerate(rows)]
    return pa.Table.from_pylist(content, CLIPS.schema)


def test_splits_beside_what_was_published() -> None:
    table = clips(
        ("run", "train", "1:1", None), ("run", "train", "missing", None), ("sit", "train", "1:1", "2:2"),
        ("sit", "test", "1:1", "missing"), ("sit", None, "1:1", None),
    )  # fmt: skip
    assert list(census(table, {"train": 1300, "test": 1}, reads_videos=True)) == [
        "train: 3 of 1,300 published, 2 classes; videos of 2 clips and skeletons of 1 clip there",
        "test: 1 of 1 published, 1 class; videos of 1 clip and skeletons of 0 clips there",
        "no split: 1, 1 class; videos of 1 clip and skeletons of 0 clips there",
    ]
    assert list(gaps(table, reads_videos=True)) == ["run: 1 of 2 videos there", "sit: 1 of 2 skeletons there"]


def test_files_that_are_all_missing_are_not_listed_by_class() -> None:
    table = clips(("run", "train", "missing", None), ("sit", "train", "missing", None))
    assert list(census(table, {}, reads_videos=True)) == ["train: 2, 2 classes; videos of 0 clips there"]
    assert list(gaps(table, reads_videos=True)) == []


def test_only_the_emptiest_classes_are_listed() -> None:
    rows = [(f"{i:03}", "train", source, None) for i in range(LISTED + 2) for source in ("1:1", "missing")]
    *_, last_listed, more = gaps(clips(*rows), reads_videos=True)
    assert last_listed == f"{LISTED - 1:03}: 1 of 2 videos there"
    assert more == "and 2 classes more without some of their videos"


def test_videos_do_not_matter_where_skeletons_are_all_that_is_read() -> None:
    table = clips(
        ("run", "train", "missing", "1:1"), ("sit", "train", "1:1", "missing"), ("sit", "train", "1:1", "1:1")
    )
    assert list(census(table, {}, reads_videos=False)) == ["train: 3, 2 classes; skeletons of 2 clips there"]
    assert list(gaps(table, reads_videos=False)) == ["sit: 1 of 2 skeletons there"]
    assert (lacking(table, reads_videos=False), lacking(table, reads_videos=True)) == (1, 1)
