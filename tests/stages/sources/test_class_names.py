"""Names of numbered classes."""

from pathlib import Path

import pytest

from pipeline.errors import ManifestError
from stages.sources.class_names import labels_of
from stages.sources.split_list_formats import Entry


def entries(*pairs: tuple[str, int | None]) -> list[Entry]:
    return [Entry(f"l.txt, line {line}", name, number=number) for line, (name, number) in enumerate(pairs, 1)]


def labels(file: Path, text: str, *numbers: int) -> list[str | None]:
    file.write_text(text)
    return labels_of(entries(*((f"{i}.mp4", number) for i, number in enumerate(numbers))), file)


def test_lists_count_from_0_or_from_1(tmp_path: Path) -> None:
    file = tmp_path / "names"
    assert labels(file, "a\nb b\nc\n", 0, 1) == ["a", "b b"]
    assert labels(file, "a\nb b\nc\n", 3, 1) == ["c", "a"]
    with pytest.raises(
        ManifestError, match="3 names, and the lists have classes from 1 to 2, which could count from 0 or"
    ):
        labels(file, "a\nb\nc\n", 1, 2)
    with pytest.raises(ManifestError, match="3 names, but the lists have classes up to 3"):
        labels(file, "a\nb\nc\n", 0, 3)
    with pytest.raises(ManifestError, match="3 names, but the lists have classes up to 4"):
        labels(file, "a\nb\nc\n", 1, 4)
    assert labels(file, "\na\nb\n\n", 0, 1) == ["a", "b"]
    with pytest.raises(ManifestError, match="has empty lines between the names: write the number before each"):
        labels(file, "a\n\nc\n", 0, 1)


def test_numbers_beside_the_names(tmp_path: Path) -> None:
    file = tmp_path / "names"
    assert labels(file, "\ufeff1 a\n2\tb b\n", 2, 1) == ["b b", "a"]
    assert labels(file, '{"a": "0", "b": "1"}', 1, 0) == ["b", "a"]
    assert labels(file, '{"0": "a", "1": "b"}', 1, 0) == ["b", "a"]
    assert labels(file, '["a", "b"]', 1, 0) == ["b", "a"]
    for text, words in (
        ("1 a\n1 b\n", "line 2: '1 b' is not a new number"),
        ("1 a\nb\n", "line 2: 'b' is not a new number"),
        ('{"a": [1]}', "neither names nor names with numbers"),
        ("1 a\n2 b\n", r"line 2: class 3 has no name"),
    ):
        with pytest.raises(ManifestError, match=words):
            labels(file, text, 1, 3)


def test_folders_name_the_classes_where_they_correspond(tmp_path: Path) -> None:
    assert labels_of(entries(("x/run/a.mp4", 4), ("x/sit/b.mp4", 2), ("x/run/c.mp4", None)), None) == [
        "run",
        "sit",
        "run",
    ]
    for pairs in (
        (("run/a.mp4", 0), ("run/b.mp4", 1)),
        (("run/a.mp4", 0), ("sit/b.mp4", 0)),
        (("run/a.mp4", 0), ("b.mp4", 1)),
    ):
        with pytest.raises(
            ManifestError, match=r"l\.txt, line 2: the classes are numbers.* with the parameter classes"
        ):
            labels_of(entries(*pairs), None)


def test_a_number_that_contradicts_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "names").write_text("0 run\n1 sit\n")
    with pytest.raises(ManifestError, match=r"line 1: class 1 is sit, but the video is in the folder run"):
        labels_of(entries(("run/a.mp4", 1), ("sit/b.mp4", 2)), tmp_path / "names")


def test_a_folder_that_is_no_class_of_the_list_is_refused(tmp_path: Path) -> None:
    """As where the list of names has an underscore, and the folders of the list without numbers a blank."""
    (tmp_path / "names").write_text("0 run\n1 sit_down\n")
    with pytest.raises(ManifestError, match=r"line 2: no class of .*names is called sit down; did you mean 'sit_down'"):
        labels_of(entries(("a.mp4", 0), ("sit down/b.mp4", None)), tmp_path / "names")


def test_a_name_of_two_numbers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "names").write_text("0 run\n1 sit\n2 run\n")
    with pytest.raises(ManifestError, match=r"names gives the name run to 2 numbers"):
        labels_of(entries(("a.mp4", 0), ("b.mp4", 1)), tmp_path / "names")
