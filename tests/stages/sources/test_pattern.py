"""Videos whose names say the class."""

from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.errors import ManifestError
from stages.sources.pattern import Pattern

UT_INTERACTION = {0: "hand shaking", 1: "hugging", 2: "kicking", 3: "pointing", 4: "punching", 5: "pushing"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("s01/a_01_0.avi", "s01/b_02_1.avi", "s02/c_10_1.avi", "s02/other.avi"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_fields_give_label_and_split(root: Path) -> None:
    stage = Pattern(
        root=root,
        pattern="{clip}_{sequence}_{label}.avi",
        labels={0: "run", "1": "jump"},
        test={"sequence": [1]},
        val={"sequence": ["10"], "label": [1]},
    )
    rows = stage.clips().to_pylist()
    assert [(row["clip_id"], row["label"], row["split"]) for row in rows] == [
        ("s01/a_01_0.avi", "run", "test"),
        ("s01/b_02_1.avi", "jump", "train"),
        ("s02/c_10_1.avi", "jump", "val"),
    ]


def test_a_field_may_be_the_group(root: Path) -> None:
    stage = Pattern(root=root, pattern="{clip}_{group}_{label}.avi")
    assert stage.clips()["group"].to_pylist() == ["1", "2", "10"]


def test_folders_can_be_fields(root: Path) -> None:
    rows = Pattern(root=root, pattern="s{subject}/{clip}_{take}_{label}.avi", test={"subject": [2]}).clips().to_pylist()
    assert [(row["label"], row["split"]) for row in rows] == [("0", "train"), ("1", "train"), ("1", "test")]


def test_label_names_from_a_file(root: Path) -> None:
    table = root / "labels.txt"
    table.write_text("0 hand shaking\n\n1\thugging\n")
    stage = Pattern(root=root, pattern="{clip}_{sequence}_{label}.avi", labels=table)
    assert stage.clips()["label"].to_pylist() == ["hand shaking", "hugging", "hugging"]
    assert stage.files() == (table,)
    table.write_text("0 hand shaking\n1\n")
    with pytest.raises(ManifestError, match=r"labels\.txt, line 2"):
        stage.clips()
    table.write_text("0 hand shaking\n1 hugging\n0 kicking\n")
    with pytest.raises(ManifestError, match=r"labels\.txt, line 3: 0 already has the name hand shaking"):
        stage.clips()
    table.write_text("0 hand shaking\n1 hugging\n", encoding="utf-8-sig")
    assert stage.clips()["label"][0].as_py() == "hand shaking"
    table.write_text("0 hand shaking\n")
    with pytest.raises(ManifestError, match=r"no name for '1', the label of s01/b_02_1\.avi"):
        stage.clips()


def test_names_that_do_not_match(root: Path) -> None:
    with pytest.raises(ManifestError, match=r"1 of 4 videos .* such as s02/other\.avi"):
        Pattern(root=root, pattern="{clip}_{sequence}_{label}.avi", strict=True).clips()
    with pytest.raises(ManifestError, match=r"4 of 4 videos .* such as s01/a_01_0\.avi, s01/b_02_1\.avi"):
        Pattern(root=root, pattern="{label}.mov").clips()


def test_what_is_skipped_is_said(root: Path) -> None:
    (root / "notes.txt").touch()
    assert Pattern(root=root, pattern="{clip}_{sequence}_{label}.avi").skipped() == [
        ("notes.txt", "not a video by its extension"),
        ("s02/other.avi", "does not match {clip}_{sequence}_{label}.avi"),
    ]


def test_impossible_patterns_are_refused(root: Path) -> None:
    with pytest.raises(ValidationError, match=r"no field \{label\}"):
        Pattern(root=root, pattern="{clip}.avi")
    with pytest.raises(ValidationError, match=r"no field \{camera\}; it has label, clip"):
        Pattern(root=root, pattern="{label}_{clip}.avi", test={"camera": [1]})
    with pytest.raises(ValidationError, match="a field twice"):
        Pattern(root=root, pattern="{label}_{label}.avi")
    with pytest.raises(ValidationError, match=r"must begin with a letter, unlike \{1\}"):
        Pattern(root=root, pattern="{1}_{label}.avi")


def test_ut_interaction(shared_data: Path) -> None:
    stage = Pattern(
        root=shared_data / "ut_interaction" / "set1",
        pattern="{clip}_{sequence}_{label}.avi",
        labels=UT_INTERACTION,
        test={"sequence": [1]},
        strict=True,
    )
    table = stage.clips()
    assert Counter(table["label"].to_pylist()) == dict.fromkeys(UT_INTERACTION.values(), 10)
    assert Counter(table["split"].to_pylist()) == {"train": 54, "test": 6}
