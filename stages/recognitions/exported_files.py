"""Files for other programs: their names and texts, which no name of a video or of a class may break, and how they are
written."""

import math
import re
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from pipeline.files import replace_file
from pipeline.stage import Row
from stages.places import address_of
from stages.recognitions.tables import NONE

LONGEST = 200
"""Bytes of a name, which file systems limit to 255, so that an extension can follow."""
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")
"""Control characters, line breaks, and what neither UTF-8 nor XML can hold."""


class Places(NamedTuple):
    """Where the videos are, and where files about them are written."""

    videos: Path
    """The folder that was searched."""
    out: Path

    def video(self, row: Row) -> Path:
        """The absolute path of a row's video, or its URL as a path."""
        return Path(address_of(self.videos)) / row["file"]

    def beside(self, folder: str, row: Row, extension: str) -> Path:
        """The file about a video in a folder of results: the video's path below the folder that was searched, with
        another extension at its end. Videos with different paths have different files, and none is elsewhere."""
        *folders, name = [_harmless(part) for part in row["file"].split("/")]
        return self.out.joinpath(folder, *folders, name + extension)


Writer = Callable[[Sequence[Row], Places, str], str | None]
"""Writes a format. Takes rows of RECOGNITIONS, the places, and what the model is called. Returns a line about what was
not written, if anything."""


def write_changed(path: Path, content: bytes) -> None:
    """Write a file, unless it has this content already: what is known about a thousand videos costs no thousand writes
    when one arrives, and programs see by the time of a file whether it is new."""
    if not (path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content):
        replace_file(path, content)


def write_texts(
    videos: Sequence[Row], places: Places, folder: str, extension: str, text: Callable[[Sequence[Row]], str]
) -> None:
    """Write what ``text`` makes of the segments of each video that was read; what was written of another is removed."""
    for video in videos:
        path = places.beside(folder, video, extension)
        if was_read(video):
            write_changed(path, text(video["segments"]).encode())
        else:
            path.unlink(missing_ok=True)


def plain(text: str) -> str:
    """The text as one line, without what cannot be printed."""
    return UNPRINTABLE.sub(" ", text).strip() or "?"


def labeled(segments: Sequence[Row]) -> list[Row]:
    """The segments in which a class was recognized. The others are left out of what people watch and annotate."""
    return [segment for segment in segments if segment["label"] is not None]


def rounded(score: float) -> float | None:
    """A score as JSON holds it, which knows no NaN."""
    return round(score, 4) if math.isfinite(score) else None


def percent(score: float) -> str:
    """``83 %``, or a dash for what is no number."""
    return f"{100 * score:.0f} %" if math.isfinite(score) else "–"


def caption(segment: Row) -> str:
    """``fall 83 %``, or ``person 2: fall 83 %``."""
    said = f"{plain(segment['label'] or NONE)} {percent(segment['score'])}"
    return said if segment["person"] is None else f"person {segment['person']}: {said}"


def was_read(row: Row) -> bool:
    """Whether any part of a video was recognized."""
    return bool(row["windows"])


def _harmless(part: str) -> str:
    """A part of a path; another name in place of one that leads elsewhere, is too long, or cannot be written."""
    kept = UNPRINTABLE.sub("-", part)
    if kept == part and part.strip(".") and len(part.encode()) <= LONGEST:
        return part
    mark = blake2b(part.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{kept.strip('.').encode()[:LONGEST].decode(errors='ignore')}-{mark}"
