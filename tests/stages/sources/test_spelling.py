"""Spellings that nobody can tell apart are one class, wherever labels come from."""

import unicodedata
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.stage import Source
from stages.sources.folder import Folder
from stages.sources.listing import Listing
from stages.sources.pattern import Pattern
from stages.sources.spelling import one_spelling, perhaps_the_same, spelled_alike
from stages.sources.split_lists import SplitLists

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "café noir") for form in ("NFC", "NFD"))
SPELLINGS = (COMPOSED, DECOMPOSED, f" {COMPOSED}", f"{DECOMPOSED} ", "café  noir", "café\u00a0noir")


def put(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def labels(source: Source) -> Counter[str | None]:
    return Counter(source.clips()["label"].to_pylist())


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_one_spelling(spelling: str) -> None:
    assert one_spelling(spelling) == COMPOSED


def test_class_folders(tmp_path: Path) -> None:
    """Splits are drawn for the class as a whole: each spelling alone has too few clips for one in the test split."""
    root = put(tmp_path, *(f"{spelling}/{i}.mp4" for spelling in SPELLINGS for i in range(2)), "b/1.mp4")
    clips = Folder(root=root).clips()
    assert Counter(clips["label"].to_pylist()) == {COMPOSED: 12, "b": 1}
    assert Counter(clips["split"].to_pylist())["test"] == 2


def test_lists(tmp_path: Path) -> None:
    rows = "".join(f'{i}.mp4,"{spelling}"\n' for i, spelling in enumerate((*SPELLINGS, "b", "  ")))
    (tmp_path / "clips.csv").write_text(f"path,label\n{rows}", encoding="utf-8")
    assert labels(Listing(list=tmp_path / "clips.csv")) == {COMPOSED: 6, "b": 1, None: 1}


def test_file_names_and_their_table_of_labels(tmp_path: Path) -> None:
    root = put(tmp_path, f"1_{COMPOSED}.mp4", f"2_{DECOMPOSED}.mp4")
    assert labels(Pattern(root=root, pattern="{clip}_{label}.mp4")) == {COMPOSED: 2}
    named = Pattern(root=root, pattern="{clip}_{label}.mp4", labels={DECOMPOSED: "coffee"})
    assert labels(named) == {"coffee": 2}


def test_split_lists_with_a_file_of_names(tmp_path: Path) -> None:
    root = put(tmp_path / "videos", f"{DECOMPOSED}/1.mp4", "b/2.mp4")
    for name, text in (("classes", f"0 {COMPOSED}\n1 b\n"), ("train", f"{DECOMPOSED}/1.mp4 0\nb/2.mp4 1\n")):
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    source = SplitLists(root=root, train=str(tmp_path / "train.txt"), classes=tmp_path / "classes.txt")
    assert labels(source) == {COMPOSED: 1, "b": 1}
    (tmp_path / "classes.txt").write_text(f"0 b\n1 {COMPOSED}\n", encoding="utf-8")
    with pytest.raises(Exception, match="but the video is in the folder café noir"):
        source.clips()


def test_a_column_of_labels() -> None:
    spelled = spelled_alike(pa.chunked_array([["a ", None], ["a", " "]]))
    assert spelled.to_pylist() == ["a", None, "a", None]


def test_what_may_be_the_same() -> None:
    assert perhaps_the_same(["run", "Run", "jog"]) == [["Run", "run"]]
    assert perhaps_the_same(["Long_Jump", "long-jump", "long jump", "LongJump"]) == [
        ["LongJump", "Long_Jump", "long jump", "long-jump"]
    ]
    assert perhaps_the_same(["1", "-1", "1.5", "15", "c", "c++", "cafe", "café"]) == []
