"""Subtitles: WebVTT, which browsers show, and SRT, which every player shows. One file a video, below ``subtitles``."""

from collections.abc import Sequence

from pipeline.stage import Row
from stages.recognitions.exported_files import Places, caption, labeled, write_texts

FOLDER = "subtitles"
IN_VTT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
IN_SRT = str.maketrans("<>{}", "‹›()")
"""SRT has no escapes: what players would take for markup gets other brackets."""


def write_vtt(videos: Sequence[Row], places: Places, model: str) -> None:
    """Write ``subtitles/VIDEO.vtt`` for each row of RECOGNITIONS that was read."""
    write_texts(videos, places, FOLDER, ".vtt", vtt)


def write_srt(videos: Sequence[Row], places: Places, model: str) -> None:
    """Write ``subtitles/VIDEO.srt`` for each row of RECOGNITIONS that was read."""
    write_texts(videos, places, FOLDER, ".srt", srt)


def vtt(segments: Sequence[Row]) -> str:
    """WebVTT of a video's segments, in which those without a label are left out."""
    cues = [f"{_span(segment, '.')}\n{caption(segment).translate(IN_VTT)}\n" for segment in labeled(segments)]
    return "\n".join(["WEBVTT\n", *cues])


def srt(segments: Sequence[Row]) -> str:
    """SRT of the same."""
    return "\n".join(
        f"{number}\n{_span(segment, ',')}\n{caption(segment).translate(IN_SRT)}\n"
        for number, segment in enumerate(labeled(segments), 1)
    )


def _span(segment: Row, point: str) -> str:
    start = round(1000 * segment["start"])
    end = max(round(1000 * segment["end"]), start + 1)
    return f"{_clock(start, point)} --> {_clock(end, point)}"


def _clock(milliseconds: int, point: str) -> str:
    """``00:01:02.500``."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{rest:03}"
