"""Lines that could mean two things are refused with their place."""

from pathlib import Path

import pytest

from pipeline.errors import ManifestError
from stages.sources.split_list_formats import read_split_list


@pytest.mark.parametrize(
    ("line", "name", "label", "number"),
    [
        ("Archery/v_Archery_g01_c01.avi 1", "Archery/v_Archery_g01_c01.avi", None, 1),
        ("Archery/v_Archery_g01_c01.avi", "Archery/v_Archery_g01_c01.avi", None, None),
        ("my videos/a b.MP4\t\t12", "my videos/a b.MP4", None, 12),
        ("a.mp4,shake, hands", "a.mp4", "shake, hands", None),
        ('"a b.mp4";3', "a b.mp4", None, 3),
        ("alpha\\0.mp4 0", "alpha/0.mp4", None, 0),
        ("Archery/v_Archery_g01_c01 7", "Archery/v_Archery_g01_c01", None, 7),
        ("some/frames 163 1", "some/frames", None, 1),
    ],
)
def test_paths(line: str, name: str, label: str | None, number: int | None, tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_bytes(b"\xef\xbb\xbf" + line.encode() + b"\r\n\r\n")
    (entry,) = read_split_list(tmp_path / "l.txt", "train")
    assert (entry.name, entry.label, entry.number) == (name, label, number)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a.mp4 1\nb.mp4 1\n# c\n", "line 3: '# c' is not a video and its class"),
        ("video label\na.mp4 1\n", "line 1: 'video label' is not a video and its class"),
        ("a.mp4 1 2\n", "line 1: '1 2' after the video is not one class"),
        ("a.mp4 -1\n", "line 1: '-1' after the video is not one class"),
        ("a.mp4 1.0\n", "line 1: '1.0' after the video is not one class"),
        ("x/a 1\nx/b 12 1\n", "line 2: 'x/b 12 1' is not a video"),
        ("x/a 12 1\nx/b 1\n", "line 2: 'x/b 1' is not a video"),
        ("C:\\data\\a.mp4 1\n", r"line 1: C:\\data\\a\.mp4 is a path of a Windows machine: list it relative to root"),
        ("\n \n", "lists no clips"),
        ("a" + " " * 100_000 + "b", "line 1: longer than 4,096 characters"),
        ("[1]", "entry 1: not an object with id and template"),
        ("[" * 100_000, "not a JSON array"),
        ("label,youtube_id,time_start\nrun,a,1\n", "line 1: no column time_end"),
        ("label,youtube_id,time_start,time_end\nrun,,1,2\n", "line 2: youtube_id is empty"),
        ("label,youtube_id,time_start,time_end\nrun,a,nan,2\n", "line 2: time_start and time_end must be seconds"),
        ("label,youtube_id,time_start,time_end,split\nrun,a,1,2,dev\n", "line 2: split 'dev' is none of train"),
    ],
)
def test_what_is_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text(text)
    with pytest.raises(ManifestError, match=rf"train: .*l\.txt.*{words}"):
        read_split_list(tmp_path / "l.txt", "train")


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_bytes("a.mp4 Straße\n".encode("utf-16"))
    assert read_split_list(tmp_path / "l.txt", "train")[0].label == "Straße", "its byte order mark says what it is"
    (tmp_path / "l.txt").write_bytes("a.mp4 Straße\n".encode("latin-1"))
    with pytest.raises(ManifestError, match=r"l\.txt, line 1: not UTF-8"):
        read_split_list(tmp_path / "l.txt", "train")
