"""Which clips belong to one recording, and what is said where a split divides them."""

import pyarrow as pa
import pytest

from pipeline.errors import ManifestError
from stages.sources.recordings import divided, files_of_several_clips, groups, recording_by_name, ungrouped
from stages.tables import CLIPS


def clips(*rows: tuple[str, str, str], **columns: list[object]) -> pa.Table:
    """Clips of (clip_id, label, split)."""
    table = pa.Table.from_pylist(
        [
            {"clip_id": name, "source": "1:1", "path": "/v", "label": label, "split": split}
            for name, label, split in rows
        ],
        CLIPS.schema,
    )
    for name, values in columns.items():
        place = table.column_names.index(name)
        table = table.set_column(place, CLIPS.schema.field(name), pa.array(values, CLIPS.schema.field(name).type))
    return table


@pytest.mark.parametrize(
    ("pattern", "name", "label", "group"),
    [
        ("{group}_c{clip}", "baby_crawling/v_baby_crawling_g01_c02.avi", "baby_crawling", "v_baby_crawling_g01"),
        ("v_{class}_g{group}_c{clip}", "x/v_Run_g07_c02.avi", "x", "07"),
        ("{group}_{label}_{clip}", "brush_hair/A_brush_hair_B_brush_hair_u_0.avi", "brush_hair", "A_brush_hair_B"),
        ("{label}/{group}/{clip}", "run/monday/1.mp4", "run", "monday"),
        ("{group}_part{number}", "run/other.mp4", "run", None),
    ],
)
def test_groups_by_a_pattern(pattern: str, name: str, label: str, group: str | None) -> None:
    matching = {"{label}/{group}/{clip}": "run/m/1.mp4", "{group}_{label}_{clip}": "run/a_run_1.mp4"}
    names = [name, matching.get(pattern, "run/v_run_g1_c1.mp4" if "part" not in pattern else "run/a_part1.mp4")]
    assert groups(names, [label, "run"], pattern)[0] == group


def test_a_pattern_that_nothing_matches() -> None:
    with pytest.raises(ManifestError, match=r"group: no name matches \{group\}_c\{clip\}, such as run/1"):
        groups(["run/1.mp4"], ["run"], "{group}_c{clip}")
    table = clips(("a", "run", "train"), ("b", "run", "train"), group=["x", None])
    (problem,) = ungrouped(table, "{group}_c{clip}")
    assert problem.text.startswith("group: 1 of 2 names do not match {group}_c{clip}, the first is b")
    assert list(ungrouped(table, None)) == []


@pytest.mark.parametrize(
    ("name", "recording"),
    [
        ("Archery/v_Archery_g01_c05", "Archery/v_Archery_g01"),
        ("run/video_001_part1", "run/video_001"),
        ("run/match3-clip 12", "run/match3"),
        ("--1DO2V4K74_000010_000020", "--1DO2V4K74"),
        ("0LtLS9wROrk_E_000147_000152", "0LtLS9wROrk_E"),
        *((name, None) for name in ("clip001", "run/clip001", "part 2", "0001", "IMG_1234", "a1/cam1_230102_101500")),
        *((name, None) for name in ("0_1_4", "S001C001P001R001A001_rgb", "run_clipper", "VID_20230102_123456")),
    ],
)
def test_recordings_by_their_names(name: str, recording: str | None) -> None:
    assert recording_by_name(name) == recording


def test_a_split_that_divides_what_belongs_together_is_noticed() -> None:
    rows = [(f"run/v{i // 2}_part{i % 2}.mp4", "run", ("train", "test")[i % 2]) for i in range(6)]
    (problem,) = divided(clips(*rows), "remedy")
    assert problem.text.startswith(
        "by their names, clips of 3 recordings, such as run/v0, stand in more than one split"
    )
    assert problem.text.endswith("; remedy") and not problem.fatal
    (problem,) = divided(clips(*rows, group=["a"] * 6), "remedy")
    assert problem.text.startswith("clips of 1 recording (column group), such as a, stand in more than one split")
    (problem,) = divided(clips(*rows[:4], start=[0, 1, 2, 3], path=["/v", "/v", "/w", "/x"]), "remedy")
    assert problem.text.startswith("spans of 1 file, such as /v, stand in more than one split")


@pytest.mark.parametrize(
    "rows",
    [
        [(f"run/clip{i:03}.mp4", "run", ("train", "test")[i % 2]) for i in range(9)],
        [
            (f"{label}/{label}_clip{i}.mp4", label, ("train", "test")[i % 2])
            for label in ("run", "sit")
            for i in range(9)
        ],
        [(f"run/v{i // 2}_part{i % 2}.mp4", "run", ("train", "test")[i // 2 % 2]) for i in range(9)],
        [(f"run/v{i}_part1.mp4", "run", ("train", "test")[i % 2]) for i in range(9)],
    ],
)
def test_no_false_alarm(rows: list[tuple[str, str, str]]) -> None:
    assert list(divided(clips(*rows), "")) == []


def test_spans_of_a_file_are_a_group_unless_their_splits_differ() -> None:
    assert files_of_several_clips(["a", "a", "b", "c", "c"], ["train", "train", "train", "train", "test"]) == [
        *("a", "a"),
        *(None, None, None),
    ]


def test_a_whole_video_and_parts_of_it_in_different_splits_are_said() -> None:
    rows = [("a.mp4", "walk", "test"), ("a.mp4@0-2", "walk", "train"), ("b.mp4", "run", "train")]
    table = clips(*rows, path=["/a.mp4", "/a.mp4", "/b.mp4"], start=[None, 0, None], group=[None, "a.mp4", None])
    (problem,) = divided(table, "do")
    assert problem.text.startswith("1 video as a whole and in part, such as /a.mp4, stand in more than one split: fig")
    assert list(divided(table.slice(1), "do")) == []
    sets = clips(("1", "walk", "train"), ("2", "walk", "test"))
    assert list(divided(sets, "do")) == [], "clips of one file that has them all"
