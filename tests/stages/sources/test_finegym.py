"""FineGYM's published files and folders as an index."""

import json
from collections import Counter
from pathlib import Path

import pytest
from finegym_files import write_categories

from pipeline.errors import ManifestError
from stages.commands.census import census
from stages.sources.finegym import FineGym

VAULT = "0LtLS9wROrk_E_002407_002415_A_0000_0006"
JUMP = "0LtLS9wROrk_E_002500_002590_A_0003_0005"
LEAP = "0LtLS9wROrk_E_002500_002590_A_0006_0006"
TURN = "-_JxZhLMbfU_E_000010_000020_A_0007_0010"
EVENT = JUMP.partition("_A_")[0]
VIDEO = JUMP.partition("_E_")[0]
TIMES = {
    VIDEO: {
        "E_002407_002415": {
            "event": 1,
            "timestamps": [[2407.32, 2415.2]],
            "segments": {"A_0000_0006": {"stages": 3, "timestamps": [[0.04, 3.5], [3.5, 4.1], [4.1, 6.72]]}},
        },
        "E_002500_002590": {
            "event": 3,
            "timestamps": [[2500.96, 2590.5]],
            "segments": {"A_0003_0005": {"stages": 1, "timestamps": [[3.83, 5.71]]}},
        },
        "E_003000_003010": {"event": 2, "timestamps": [[3000.1, 3010.2]], "segments": None},
    }
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Lists of four actions, categories and times; no videos."""
    folder = tmp_path / "annotations"
    folder.mkdir()
    write_categories(folder / "gym99_categories.txt", ["(VT) vault", "(BB) salto", "(BB) salto"], [1, 33, 35])
    (folder / "gym99_train_element_v1.0.txt").write_text(f"{VAULT} 0\n{JUMP} 1\n{LEAP} 2\n\n")
    (folder / "gym99_val_element.txt").write_text(f"{TURN} 1")
    (folder / "finegym_annotation_info_v1.1.json").write_text(json.dumps(TIMES))
    return tmp_path


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(name)


def listed(source: FineGym) -> dict[str, dict[str, object]]:
    return {row["clip_id"]: row for row in source.clips().to_pylist()}


def problems(source: FineGym) -> list[str]:
    found = list(source.check(source.clips(), {}))
    assert not any(problem.fatal for problem in found)
    return [problem.text for problem in found]


def test_classes_splits_and_recordings(root: Path) -> None:
    rows = listed(FineGym(root=root))
    assert {name: row["label"] for name, row in rows.items()} == {
        VAULT: "(VT) vault",
        JUMP: "(BB) salto (set 33)",
        LEAP: "(BB) salto (set 35)",
        TURN: "(BB) salto (set 33)",
    }
    assert {name: row["split"] for name, row in rows.items()} == {
        VAULT: "train", JUMP: "train", LEAP: "train", TURN: "test",
    }  # fmt: skip
    assert {row["group"] for row in rows.values()} == {VIDEO, "-_JxZhLMbfU"}


def test_the_shortest_file_that_has_an_action_is_taken(root: Path) -> None:
    taken = []
    for name in (
        f"videos/{VIDEO}.webm",
        f"events/{EVENT}.MP4",
        f"frames/{JUMP}/image_1.jpg",
        f"subactions/{JUMP}.mp4",
        f"actions/{JUMP}.mkv",
    ):
        if name.startswith("frames"):
            (root / "frames" / JUMP).mkdir(parents=True)
        touch(root, name)
        row = listed(FineGym(root=root))[JUMP]
        assert row["source"] != "missing"
        taken.append((str(Path(str(row["path"])).relative_to(root)), row["start"], row["end"]))
    assert taken == [
        (f"videos/{VIDEO}.webm", 2504.79, 2506.67),
        (f"events/{EVENT}.MP4", 3.83, 5.71),
        (f"frames/{JUMP}", None, None),
        (f"subactions/{JUMP}.mp4", None, None),
        (f"actions/{JUMP}.mkv", None, None),
    ]


def test_a_vault_lasts_from_its_first_stage_to_its_last(root: Path) -> None:
    touch(root, f"videos/{VIDEO}.mp4")
    row = listed(FineGym(root=root))[VAULT]
    assert (row["start"], row["end"]) == (2407.36, 2414.04)


def test_spans_of_ids_are_sure_to_contain_the_action(root: Path) -> None:
    """Each number of an id is rounded down, so the true spans, of the test above, lie within."""
    (root / "annotations" / "finegym_annotation_info_v1.1.json").unlink()
    touch(root, f"videos/{VIDEO}.mp4", "videos/-_JxZhLMbfU.mp4")
    rows = listed(FineGym(root=root))
    assert [(rows[name]["start"], rows[name]["end"]) for name in (VAULT, JUMP, LEAP, TURN)] == [
        (2407, 2415),
        (2503, 2507),
        (2506, 2508),
        (17, 21),  # the event ends before second 21
    ]
    assert [text for text in problems(FineGym(root=root)) if "whole seconds" in text and "of 4 actions" in text]
    touch(root, f"events/{EVENT}.mp4")
    rows = listed(FineGym(root=root))
    assert [(rows[name]["start"], rows[name]["end"]) for name in (JUMP, LEAP)] == [(3, 6), (6, 7)]


def test_times_that_make_no_sense_are_not_believed(root: Path) -> None:
    touch(root, f"videos/{VIDEO}.mp4")
    segments = {"A_0003_0005": {"timestamps": [[5.7, 3.8]]}, "A_0006_0006": {"timestamps": "soon"}}
    file = root / "annotations" / "finegym_annotation_info_v1.1.json"
    file.write_text(json.dumps({VIDEO: {"E_002500_002590": {"timestamps": [[2500, 2590]], "segments": segments}}}))
    rows = listed(FineGym(root=root))
    assert [(rows[name]["start"], rows[name]["end"]) for name in (JUMP, LEAP)] == [(2503, 2507), (2506, 2508)]


def test_what_is_missing_is_listed_and_counted(root: Path) -> None:
    touch(root, f"events/{EVENT}.mp4", f"videos/{VIDEO}.part")
    source = FineGym(root=root)
    rows = listed(source)
    assert [name for name, row in rows.items() if row["source"] == "missing"] == sorted([TURN, VAULT])
    assert all(rows[name]["start"] is None and rows[name]["end"] is None for name in (TURN, VAULT))
    (gone,) = (text for text in problems(source) if "are not in" in text)
    assert gone.startswith(
        f"2 of 4 actions are not in events or videos of {root}; nothing is there of 1 video, such as -_"
    )
    assert list(census(source.clips(), source.published(), reads_videos=True)) == [
        "train: 3 of 20,484 published, 3 classes; videos of 2 clips there",
        "test: 1 of 8,521 published, 1 class; videos of 0 clips there",
    ]


def test_a_folder_that_is_almost_called_right_is_named(root: Path) -> None:
    touch(root, f"Actions/{JUMP}.mp4")
    assert f"{root / 'Actions'} is not searched: call it actions" in problems(FineGym(root=root))


def test_skeletons_of_trimmed_actions(root: Path) -> None:
    touch(root, f"actions/{JUMP}.mp4", f"videos/{VIDEO}.mp4", "gym_hrnet.pkl")
    source = FineGym(root=root, skeletons=root / "gym_hrnet.pkl")
    rows = listed(source)
    assert all(row["skeleton_entry"] == name for name, row in rows.items())
    assert {row["skeleton_path"] for row in rows.values()} == {str(root / "gym_hrnet.pkl")}
    assert {row["skeleton_source"] for row in rows.values()}.isdisjoint({"missing", None})
    assert [name for name, row in rows.items() if row["source"] != "missing"] == [JUMP]
    assert any("videos in" in text and "not used" in text for text in problems(source))


def test_whole_videos_validate(root: Path) -> None:
    lines = [f"video-{video:05}_E_000001_000099_A_{i:04}_{i + 1:04} {i % 3}\n" for video in range(20) for i in range(9)]
    (root / "annotations" / "gym99_train_element_v1.0.txt").write_text("".join(lines))
    clips = FineGym(root=root, val_share=0.2).clips()
    pairs = set(zip(clips["group"].to_pylist(), clips["split"].to_pylist(), strict=True))
    assert len(pairs) == 21
    assert Counter(clips["split"].to_pylist()) == {"train": 144, "val": 36, "test": 1}
    assert FineGym(root=root, val_share=0.2).published() == {"test": 8521}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "gym99_val_element.txt",
            f"{TURN} 1\nfilm 1\n",
            r"val_element\.txt, line 2: expected an id .* not 'film 1'",
        ),
        ("gym99_val_element.txt", f"{TURN}\n", "line 1: expected an id"),
        ("gym99_val_element.txt", f"../{TURN} 1\n", "line 1: expected an id"),
        ("gym99_val_element.txt", f"{TURN} 3\n", "line 1: there is no class 3 among the categories"),
        ("gym99_val_element.txt", f"{TURN} 1\n{TURN} 1\n", "line 2: .* is listed twice"),
        ("gym99_val_element.txt", f"{JUMP} 1\n", f"listed more than once, the first is {JUMP}"),
        ("gym99_val_element.txt", "\n", "lists no actions"),
        ("gym99_categories.txt", "0 vault\n", r"gym99_categories\.txt, line 1: expected 'Clabel"),
        ("gym99_categories.txt", "Clabel: 0; set: 1; Glabel: 1; a\n" * 2, "line 2: Clabel 0 is listed twice"),
    ],
)
def test_what_is_malformed_is_named(root: Path, name: str, text: str, message: str) -> None:
    (root / "annotations" / name).write_text(text)
    with pytest.raises(ManifestError, match=message):
        FineGym(root=root).clips()


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000], ids=["cut off", "a list", "too deep"])
def test_times_that_are_not_readable(root: Path, text: str) -> None:
    touch(root, f"videos/{VIDEO}.mp4")
    (root / "annotations" / "finegym_annotation_info_v1.1.json").write_text(text)
    with pytest.raises(ManifestError, match=r"info_v1\.1\.json .*: download it again"):
        FineGym(root=root).clips()


def test_a_list_that_is_not_there(root: Path) -> None:
    with pytest.raises(ManifestError, match=r"gym288_categories\.txt: get it from https"):
        FineGym(root=root, categories="gym288").clips()
    with pytest.raises(ManifestError, match=r"set train_list to the version of gym99_train_element_v1\.0\.txt"):
        FineGym(root=root, train_list="v1.1").clips()
    (root / "annotations" / "gym99_val_element.txt").unlink()
    with pytest.raises(ManifestError, match="annotation JSON beside it has times, but neither classes nor splits"):
        FineGym(root=root).clips()
    with pytest.raises(ManifestError, match=r"there is no folder .*annotations"):
        FineGym(root=root / "videos").clips()


@pytest.mark.parametrize("categories,classes", [("gym99", 99), ("gym288", 288)])
@pytest.mark.parametrize("train_list", ["v1.0", "v1.1"])
def test_the_genuine_lists(shared_data: Path, tmp_path: Path, categories: str, train_list: str, classes: int) -> None:
    (tmp_path / "annotations").symlink_to(shared_data / "finegym")
    source = FineGym.model_validate({"root": tmp_path, "categories": categories, "train_list": train_list})
    clips = source.clips()
    assert Counter(clips["split"].to_pylist()) == source.published()
    assert len(set(clips["label"].to_pylist())) == classes
