"""Lists of clips, CSV and JSON lines."""

import json
from collections import Counter
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


def test_a_list_from_excel_in_german(tmp_path: Path) -> None:
    text = "\ufeffpath;label;split;start;end\r\na.mp4;laufen;train;0,5;1,5\r\n\r\na.mp4;sitzen;train;2;3,25\r\n"
    first, second = listed(tmp_path / "list.csv", text)
    assert (first["clip_id"], first["start"], first["label"]) == ("a.mp4@0.5-1.5", 0.5, "laufen")
    assert (second["clip_id"], second["end"]) == ("a.mp4@2.0-3.25", 3.25)
    with pytest.raises(ManifestError, match="line 3: start must be a number of seconds"):
        listed(tmp_path / "list.csv", "path;start\na.mp4;1,5\nb.mp4;1.234,5\n")


def test_tabs_and_arrays_and_numbers_as_classes(tmp_path: Path) -> None:
    assert listed(tmp_path / "list.tsv", "path\tlabel\na, b.mp4\trun\n")[0]["clip_id"] == "a, b.mp4"
    rows = listed(tmp_path / "list.json", '[{"path": "a.mp4", "label": 3}, {"path": "b.mp4", "label": 10, "start": 1}]')
    assert [(row["clip_id"], row["label"]) for row in rows] == [("a.mp4", "3"), ("b.mp4@1.0-", "10")]
    with pytest.raises(ManifestError, match=r"list\.json, entry 2: path is empty"):
        listed(tmp_path / "list.json", '[{"path": "a.mp4"}, {"label": "x"}]')
    with pytest.raises(ManifestError, match=r"list\.json: not a JSON array"):
        listed(tmp_path / "list.json", '[{"path": "a.mp4"},')


def test_paths_from_windows(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.mp4").write_text("video")
    (row,) = listed(tmp_path / "list.csv", "path,skeleton\na\\b.mp4,a\\b.npz\n")
    assert (row["clip_id"], row["path"], row["source"][:2]) == ("a/b.mp4", str(tmp_path / "a/b.mp4"), "5:")
    assert row["skeleton_path"] == str(tmp_path / "a/b.npz")
    with pytest.raises(ManifestError, match=r"line 3: D:\\v\\b\.mp4 is a path of a Windows machine"):
        listed(tmp_path / "list.csv", "path\na.mp4\nD:\\v\\b.mp4\n")


def test_groups(tmp_path: Path) -> None:
    text = "path,split,start,group\na.mp4,train,1,\na.mp4,train,2,\nb.mp4,train,1,x\nb.mp4,train,2,\n"
    text += "c.mp4,train,1,\nc.mp4,test,2,\nd.mp4,train,1,\n"
    assert [row["group"] for row in listed(tmp_path / "list.csv", text)] == ["a.mp4", "a.mp4", "x", "b.mp4"] + [
        None
    ] * 3
    source = Listing(list=tmp_path / "list.csv")
    (problem,) = source.check(source.clips(), {})
    assert problem.text.startswith(f"spans of 1 file, such as {tmp_path}/c.mp4, stand in more than one split")
    assert [row["group"] for row in listed(tmp_path / "list.csv", "path,group\na.mp4,x\nb.mp4,\n")] == ["x", None]


@pytest.mark.parametrize(
    "name", ["array.json", "excel_german.csv", "labels_are_numbers.jsonl", "no_split.csv", "tabs.tsv", "windows.csv"]
)
def test_awkward_lists_are_taken(name: str, shared_data: Path) -> None:
    table = Listing(list=shared_data / "awkward/l01_lists" / name).clips()
    labels, splits = table["label"].to_pylist(), table["split"].to_pylist()
    assert labels == (["0"] * 5 + ["1"] * 5 if "numbers" in name else ["alpha"] * 5 + ["beta"] * 5)
    if name == "no_split.csv":  # they are drawn
        assert sorted(splits[:5]) == sorted(splits[5:]) == ["test"] + ["train"] * 4
    else:
        assert splits == (["train"] * 4 + ["test"]) * 2
    assert "missing" not in table["source"].to_pylist()


def test_a_list_without_a_header_is_sent_elsewhere(shared_data: Path) -> None:
    with pytest.raises(ManifestError, match=r"list\.txt, line 1: no column path; .* with `uses: split_lists`"):
        Listing(list=shared_data / "awkward/l01_lists/list.txt").clips()


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


def test_a_list_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes("path,label\na.mp4,Straße\n".encode("latin-1"))
    with pytest.raises(ManifestError, match=r"list\.csv, line 2: not UTF-8"):
        Listing(list=tmp_path / "list.csv").clips()


def test_a_missing_or_empty_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"there is no file .*nowhere\.csv"):
        Listing(list=tmp_path / "nowhere.csv").clips()
    with pytest.raises(ManifestError, match=r"list\.csv"):
        listed(tmp_path / "list.csv", "")


def test_skeletons_without_videos_need_no_path(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("skeleton,label\na.npz,run\nb.npz,sit\n")
    rows = Listing(list=tmp_path / "list.csv").clips().to_pylist()
    assert [(row["clip_id"], row["path"], row["skeleton_path"]) for row in rows] == [
        (name, str(tmp_path / name), str(tmp_path / name)) for name in ("a.npz", "b.npz")
    ]


def test_a_list_without_splits_gets_them(tmp_path: Path) -> None:
    rows = [f"{label}/{i}.mp4,{label}" for label in "ab" for i in range(10)] + ["c/1.mp4,"]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *rows]))
    source = Listing(list=tmp_path / "list.csv", val_share=0.1)
    clips = source.clips()
    assert Counter(zip(clips["label"].to_pylist(), clips["split"].to_pylist(), strict=True)) == (
        {(label, split): count for label in "ab" for split, count in (("train", 7), ("val", 1), ("test", 2))}
        | {(None, None): 1}
    )
    (said,) = source.check(clips, {})
    assert said.text.startswith("the list gives no splits, so they are drawn: 0.2 of each class for testing, 0.1 for")
    few = Listing(list=tmp_path / "list.csv", test_share=0.01)
    _, warned = few.check(few.clips(), {})
    assert warned.text.startswith("no class has a test clip")


def test_spans_of_one_file_get_one_split(tmp_path: Path) -> None:
    rows = [f"{i}.mp4,a,{start},{start + 1}" for i in range(10) for start in range(4)]
    (tmp_path / "list.csv").write_text("\n".join(["path,label,start,end", *rows]))
    clips = Listing(list=tmp_path / "list.csv").clips()
    assert clips["split"].to_pylist().count("test") == 8
    assert len(set(zip(clips["path"].to_pylist(), clips["split"].to_pylist(), strict=True))) == 10


def test_lists_without_labels_or_with_some_splits_stay_as_they_are(tmp_path: Path) -> None:
    for text in ("path\na.mp4\nb.mp4\n", "path,label,split\na.mp4,a,\nb.mp4,b,\nc.mp4,b,train\n"):
        (tmp_path / "list.csv").write_text(text)
        source = Listing(list=tmp_path / "list.csv")
        assert source.clips()["split"].to_pylist()[:2] == [None, None]
        assert list(source.check(source.clips(), {})) == []


def test_excels_unicode_text(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("path\tlabel\tsplit\r\na.mp4\tcafé\ttrain\r\n", encoding="utf-16")
    assert Listing(list=tmp_path / "list.txt").clips()["label"].to_pylist() == ["café"]


def test_files_that_are_no_lists_are_called_what_they_are(tmp_path: Path) -> None:
    for content, text in (
        (b"PK\x03\x04", "is a zip file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is a file of an old office program"),
        (b"<!doctype html>", "is a web page"),
        (b"[clips]\na.mp4", "not a JSON array, though it begins with"),
        (b"{walk} a.mp4", "line 1: not JSON, though the file begins with {"),
    ):
        (tmp_path / "list.csv").write_bytes(content)
        with pytest.raises(ManifestError, match=text):
            Listing(list=tmp_path / "list.csv").clips()


@pytest.mark.parametrize("separator", [", ", " , ", "; ", "\t"])
def test_headers_and_cells_may_have_blanks_and_capitals(separator: str, tmp_path: Path) -> None:
    lines = ["Path,Label,SPLIT,start,End,group", "a.mp4,1,train,0.2,0.9,g", "b.mp4,2,test,0,1, "]
    first, second = listed(tmp_path / "list.csv", "\n".join(line.replace(",", separator) for line in lines))
    assert [first[name] for name in ("clip_id", "label", "split", "start", "end", "group")] == [
        "a.mp4@0.2-0.9", "1", "train", 0.2, 0.9, "g"
    ]  # fmt: skip
    assert (second["path"], second["group"]) == (str(tmp_path / "b.mp4"), None)
    (row,) = listed(tmp_path / "list.csv", f"Skeleton{separator}label\na.npz{separator}walk")
    assert (row["clip_id"], row["label"]) == ("a.npz", "walk")
    with pytest.raises(ManifestError, match="has the column start twice"):
        listed(tmp_path / "list.csv", "path,start,Start\na.mp4,1,2\n")
    with pytest.raises(ManifestError, match=r"line 3: .*Expected 2 columns, got 3"):
        listed(tmp_path / "list.csv", "path, label\na.mp4,x\nb.mp4,y,z\n")


def test_namesakes_do_not_share_a_clip_of_a_skeleton_file(tmp_path: Path) -> None:
    content = coco_of("001")
    (tmp_path / "all.json").write_text(content)
    (tmp_path / "list.csv").write_text("path,skeleton\nwalk/001.mp4,all.json\nrun/001.mp4,all.json\n")
    with pytest.raises(ManifestError, match=r"001 could be of any of 2 videos, such as walk/001\.mp4"):
        Listing(list=tmp_path / "list.csv").clips()
    spans = "path,skeleton,start,end\nwalk/001.mp4,all.json,0,1\nwalk/001.mp4,all.json,1,2\n"
    assert [row["skeleton_entry"] for row in listed(tmp_path / "list.csv", spans)] == ["001", "001"]
    (tmp_path / "all.json").write_text(coco_of("another"))
    rows = listed(tmp_path / "list.csv", spans)
    assert [row["skeleton_entry"] for row in rows] == [None, None], "the only clip, whatever it is called"


def coco_of(*clips: str) -> str:
    """COCO's keypoints of somebody in one frame of each clip."""
    images = [{"id": number, "file_name": f"{clip}/0.jpg"} for number, clip in enumerate(clips)]
    person = {"category_id": 1, "keypoints": [5.0, 6.0, 2.0] * 17}
    annotations = [person | {"id": number, "image_id": number} for number in range(len(clips))]
    return json.dumps({"images": images, "annotations": annotations})
