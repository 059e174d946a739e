"""Lists of clips, CSV and JSON lines."""

from pathlib import Path

import pytest

from pipeline.errors import ManifestError
from stages.sources.listing import Listing


def listed(file: Path, text: str, **parameters: object) -> list[dict]:
    file.write_text(text)
    return Listing(list=file, **parameters).clips().to_pylist()


def test_skeletons_are_marked_with_the_version_of_their_reader(tmp_path: Path) -> None:
    (tmp_path / "a.skeleton").write_text("skeleton")
    (row,) = listed(tmp_path / "list.csv", "path,skeleton\na.mp4,a.skeleton\n")
    assert row["skeleton_source"].startswith("8:") and row["skeleton_source"].endswith(":2")


def test_csv(tmp_path: Path) -> None:
    (tmp_path / "b.mp4").write_text("video")
    (tmp_path / "a.npz").write_text("skeleton")
    text = (
        "split,path,label,start,end,skeleton,remark\n"
        'train,b.mp4,"shake, hands",1.5,3,a.npz,\n'
        "\n"
        "test,b.mp4,wave,4,6.25,,good\n"
        ",a/gone.mp4,,,,,\n"
    )
    gone, first, second = listed(tmp_path / "list.csv", text)
    assert (first["clip_id"], first["start"], first["end"]) == ("b.mp4@1.5-3.0", 1.5, 3.0)
    assert (first["label"], first["split"], first["path"]) == ("shake, hands", "train", str(tmp_path / "b.mp4"))
    assert first["source"].startswith("5:") and first["skeleton_source"].startswith("8:")
    assert first["skeleton_source"].count(":") == 1
    assert first["skeleton_path"] == str(tmp_path / "a.npz")
    assert (second["clip_id"], second["skeleton_path"], second["split"]) == ("b.mp4@4.0-6.25", None, "test")
    assert gone["source"] == "missing"
    assert [gone[name] for name in ("clip_id", "label", "split", "start", "end")] == ["a/gone.mp4"] + [None] * 4


def test_json_lines(tmp_path: Path) -> None:
    text = '{"path": "a.mp4", "label": "run", "extra": {"x": 1}}\n{"path": "a.mp4", "start": 2, "end": 3.5}\n'
    whole, span = listed(tmp_path / "list.jsonl", text, root=tmp_path / "videos")
    assert (whole["clip_id"], whole["label"], whole["path"]) == ("a.mp4", "run", str(tmp_path / "videos" / "a.mp4"))
    assert (span["clip_id"], span["start"], span["end"]) == ("a.mp4@2.0-3.5", 2.0, 3.5)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("list.csv", "path,start\na.mp4,1\n\nb.mp4,soon\n", r"list\.csv, line 4: start must be a number of seconds"),
        ("list.csv", "path,start\na.mp4,inf\n", "line 2: start must be a number"),
        ("list.csv", "path,start,end\na.mp4,3,2\nb.mp4,3,2\n", r"line 2: end must be after start \(and 1 more\)"),
        ("list.csv", "path,start\na.mp4,-1\n", "line 2: start and end must not be negative"),
        ("list.csv", "path,split\na.mp4,training\n", "line 2: split must be one of train, val, test"),
        ("list.csv", "path,label\na.mp4,run\n,run\n", "line 3: path is empty"),
        ("list.csv", "path,label\na.mp4,run\nb.mp4\n", "line 3: Expected 2 columns"),
        ("list.csv", "file,label\na.mp4,run\n", "no column path; it has file, label"),
        ("list.csv", "path,path\na.mp4,b.mp4\n", "the column path twice"),
        ("list.csv", "path,label\n", "lists no clips"),
        ("list.csv", "path\na.mp4\na.mp4\n", "a.mp4: list each once"),
        ("list.jsonl", '{"path": "a.mp4"}\n{"path": "b.mp4", "start": "soon"}\n', "line 2: .*start"),
        ("list.jsonl", '{"path": "a.mp4"}\n{"path": \n', r"list\.jsonl"),
        ("list.jsonl", '{"path": "a.mp4", "end": 0, "start": 0}\n', "line 1: end must be after start"),
    ],
)
def test_errors_name_file_and_line(name: str, text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=words) as caught:
        listed(tmp_path / name, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("encoding", "line"), [("latin-1", 2), ("utf-16", 1)])
def test_a_list_in_another_encoding_is_named(encoding: str, line: int, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes("path,label\na.mp4,Straße\n".encode(encoding))
    with pytest.raises(ManifestError, match=rf"list\.csv, line {line}: not UTF-8"):
        Listing(list=tmp_path / "list.csv").clips()


def test_a_missing_or_empty_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"there is no file .*nowhere\.csv"):
        Listing(list=tmp_path / "nowhere.csv").clips()
    with pytest.raises(ManifestError, match=r"list\.csv"):
        listed(tmp_path / "list.csv", "")
