"""Subtitles, as FFmpeg reads them."""

from pathlib import Path

import av
import pytest

from stages.recognitions.elan import write_elan
from stages.recognitions.exported_files import Places
from stages.recognitions.subtitles import srt, vtt, write_srt, write_vtt

NAMES = ["sit", "fall", "a --> b\n\nc", "<i>&lt;{\\an8}"]
SEGMENTS = [
    (0, 1.5, 1, "sit", 0.834),
    (0.25, 2, 2, "fall", 1.0),
    (2, 3, None, None, 0.3),
    (3661.0004, 3661.0004, None, NAMES[2], 0.5),
    (3662, 3663.9996, None, NAMES[3], 0.0),
]
VTT = """\
WEBVTT

00:00:00.000 --> 00:00:01.500
person 1: sit 83 %

00:00:00.250 --> 00:00:02.000
person 2: fall 100 %

01:01:01.000 --> 01:01:01.001
a --&gt; b c 50 %

01:01:02.000 --> 01:01:04.000
&lt;i&gt;&amp;lt;{\\an8} 0 %
"""
SRT = """\
1
00:00:00,000 --> 00:00:01,500
person 1: sit 83 %

2
00:00:00,250 --> 00:00:02,000
person 2: fall 100 %

3
01:01:01,000 --> 01:01:01,001
a --› b c 50 %

4
01:01:02,000 --> 01:01:04,000
‹i›&lt;(\\an8) 0 %
"""


def test_text(video_row) -> None:
    segments = video_row("x", SEGMENTS, NAMES)["segments"]
    assert vtt(segments) == VTT
    assert srt(segments) == SRT


def test_a_video_without_segments_has_subtitles_that_say_nothing() -> None:
    assert (vtt([]), srt([])) == ("WEBVTT\n", "")


@pytest.mark.parametrize(("write", "extension"), [(write_vtt, "vtt"), (write_srt, "srt")])
def test_ffmpeg_reads_the_same_cues(write, extension: str, tmp_path: Path, video_row) -> None:
    write([video_row("x.mp4", SEGMENTS, NAMES)], Places(tmp_path, tmp_path), "model")
    with av.open(str(tmp_path / "subtitles" / f"x.mp4.{extension}")) as container:
        (stream,) = container.streams
        packets = [packet for packet in container.demux(stream) if packet.size]
        spans = [(float(p.pts * p.time_base), float((p.pts + p.duration) * p.time_base)) for p in packets]
        texts = [text.dialogue.decode() for packet in packets for text in packet.decode()]
    assert spans == [(0, 1.5), (0.25, 2), (3661, 3661.001), (3662, 3664)]
    assert texts[:2] == ["person 1: sit 83 %", "person 2: fall 100 %"]
    assert texts[2].startswith("a --") and texts[2].endswith(" b c 50 %")
    assert texts[3].endswith(" 0 %")


def test_what_was_written_of_a_video_that_cannot_be_read_any_more_is_removed(tmp_path: Path, video_row) -> None:
    places = Places(tmp_path, tmp_path)
    rows = [video_row(name, SEGMENTS, NAMES) for name in ("x.mp4", "y.mp4")]
    for write in (write_vtt, write_srt, write_elan):
        write(rows, places, "model")
    rows[0] |= {"windows": [], "segments": [], "error": "moov atom not found"}
    edited = places.beside("elan", rows[0], ".eaf")
    for write in (write_vtt, write_srt, write_elan):
        write(rows, places, "model")
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["elan/y.mp4.eaf", "subtitles/y.mp4.srt", "subtitles/y.mp4.vtt"]
    edited.write_text("somebody's work")
    write_elan(rows, places, "model")
    assert edited.read_text() == "somebody's work"
