"""What is written for other programs, whatever videos and classes are called."""

import json
import os
import re
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.files import state_of
from stages.recognitions.exported_files import Places, plain
from stages.recognitions.exports import EXPORTS, asked_for, write_exports
from stages.recognitions.stage import Recognitions

HOSTILE = [
    "../../escaped.mp4",
    "/etc/escaped.mp4",
    "a/../b.mp4",
    "..",
    "new\nline.mp4",
    "null\0.mp4",
    "undecodable\udcff.mp4",
    "x" * 255,
    "ü" * 127 + "x",
    'a-->b <i>&amp; "q" \'.mp4',
    "same.mp4",
    "same.avi",
    "sub/same.mp4",
]
NAMES = ["a --> b\n\n1\n00:00:00,000", "<script>&", "]]>\x00\x1b", "{\\an8}", "日本 ü", '"quoted", \\', "  ", "\ud800"]


def written(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_formats_are_asked_for_by_name() -> None:
    assert asked_for([]) == []
    assert asked_for(["vtt,srt", "VTT", " eaf "]) == ["vtt", "srt", "eaf"]
    for wrong in ("vtt,", "", "elan"):
        with pytest.raises(ValueError, match=r"no format is called '(elan)?'.*vtt, srt, eaf, labelstudio, coco, jsonl"):
            asked_for([wrong])
    with pytest.raises(ValueError, match="did you mean 'labelstudio'"):
        asked_for(["label_studio"])


def test_formats_in_a_manifest(tmp_path: Path) -> None:
    assert Recognitions(root=tmp_path, exports=["srt"]).exports == ("srt",)
    with pytest.raises(ValidationError, match="no format is called 'subtitles'"):
        Recognitions(root=tmp_path, exports=["subtitles"])


@pytest.mark.parametrize("name", EXPORTS)
def test_no_name_leads_elsewhere_or_collides(name: str, tmp_path: Path, video_row) -> None:
    rows = [video_row(file, [(0, 1, None, kind, 0.5) for kind in NAMES], NAMES) for file in HOSTILE]
    if name == "jsonl":  # Arrow's strings, from which the rows come, hold no surrogates
        rows = json.loads(json.dumps(rows).replace("\\udcff", "?").replace("\\ud800", "?"))
    out = tmp_path / "deep" / "out"
    write_exports([name], rows, Places(tmp_path / "in", out), "model\n-->")
    files = written(tmp_path)
    assert files and all(file.is_relative_to(out) for file in files)
    if name in ("vtt", "srt", "eaf"):
        assert len(files) == len(HOSTILE)
        assert all(file.suffix == f".{name}" for file in files)
        assert out / f"{'elan' if name == 'eaf' else 'subtitles'}/sub/same.mp4.{name}" in files
    for file in files:
        assert "\x00" not in file.read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]


@pytest.mark.parametrize("name", EXPORTS)
def test_files_are_replaced_as_a_whole(name: str, tmp_path: Path, video_row, monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(tmp_path / "in", tmp_path / "out")
    write_exports([name], [video_row("x.mp4", [(0, 1, None, "sit", 0.5)], ["sit"])], places, "first")
    before = {file: file.read_bytes() for file in written(tmp_path)}

    def full(_: int) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_exports([name], [video_row("x.mp4", [(0, 2, None, "sit", 0.5)], ["sit"])], places, "second")
    assert {file: file.read_bytes() for file in written(tmp_path)} == before


@pytest.mark.parametrize("name", EXPORTS)
def test_what_is_the_same_is_not_written_again(name: str, tmp_path: Path, video_row, monkeypatch) -> None:
    places, segments = Places(tmp_path / "in", tmp_path / "out"), [(0, 1, None, "sit", 0.5)]
    names = ["sit", ' DATE="2000"']
    rows = [video_row(file, segments, names) for file in ("a.mp4", "b.mp4")]
    write_exports([name], rows, places, ' DATE="1999"')
    before = {file: state_of(file) for file in written(tmp_path)}
    synced, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(number) or fsync(number))
    time.sleep(1.1)  # the next second, in which ELAN's documents have another date
    write_exports([name], rows, places, ' DATE="1999"')
    assert {file: state_of(file) for file in written(tmp_path)} == before and synced == []
    rows[1]["segments"][0]["end"] = 2
    write_exports([name], rows, places, ' DATE="1999"')
    changed = [file for file in written(tmp_path) if state_of(file) != before[file]]
    assert len(changed) == len(synced) == 1 and "a.mp4" not in changed[0].name


@pytest.mark.parametrize("name", EXPORTS)
def test_what_is_there_is_written_again(name: str, tmp_path: Path, video_row) -> None:
    places, row = Places(tmp_path / "in", tmp_path / "out"), video_row("sub/a.mp4", [(0, 1, None, "sit", 0.5)], ["sit"])
    assert write_exports([], [row], places, "model") == [] and written(tmp_path) == []
    assert write_exports([name], [row], places, "model") == []
    before = {file: file.read_bytes() for file in written(tmp_path)}
    row["segments"][0]["end"] = 2.0
    [line] = write_exports([], [row], places, "model")
    assert line == f"also written, as they are in {places.out} from an earlier recognition: {name}"
    again = {file: file.read_bytes() for file in written(tmp_path)}
    assert again.keys() == before.keys() and again != before
    assert write_exports([name], [row], places, "model") == []
    assert {file: file.read_bytes() for file in written(tmp_path)} == again
    for file in again:
        file.rename(file.with_name(f"another {file.name}"))
    assert write_exports([], [row], places, "model") == [], "somebody's own files with other names are none of these"


@pytest.mark.parametrize("name", ["eaf", "labelstudio", "coco", "jsonl", "srt"])
def test_a_score_that_is_no_number(name: str, tmp_path: Path, video_row) -> None:
    row = video_row("a.mp4", [(0, 1, None, "sit", float("nan"))], ["sit"])
    write_exports([name], [row], Places(tmp_path, tmp_path / "out"), "model")
    for file in written(tmp_path):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"\bnan\b", text, re.IGNORECASE)


@pytest.mark.parametrize("name", ["vtt", "srt", "eaf"])
def test_videos_that_could_not_be_read_have_no_file(name: str, tmp_path: Path, video_row) -> None:
    unread = video_row("broken.mp4", [], ["sit"]) | {"windows": [], "error": "moov atom not found"}
    write_exports([name], [unread], Places(tmp_path, tmp_path / "out"), "model")
    assert written(tmp_path) == []


@pytest.mark.parametrize("name", EXPORTS)
def test_nothing_was_found(name: str, tmp_path: Path) -> None:
    write_exports([name], [], Places(tmp_path, tmp_path / "out"), "model")


def test_plain() -> None:
    assert plain("a\r\n\tb\x7f\x9fc\u2028d\ufffe") == "a b c d"
    assert plain("\n") == "?"
    assert plain("日本 ü") == "日本 ü"
