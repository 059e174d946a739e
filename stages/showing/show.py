"""From pictures and the people in them to a video and a contact sheet."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import ClipError
from pipeline.files import replace_file
from pipeline.texts import count, duration
from stages.images import encoded
from stages.showing.drawing import draw_caption, draw_people
from stages.showing.footage import Seen, Size, fitted, scaled
from stages.showing.movie import Movie
from stages.showing.people import People
from stages.showing.sheet import Sheet

SHORT = 480
"""Pixels; pictures whose shorter side has fewer are enlarged before anything is drawn on them."""
FULL = 1080
"""Pixels; pictures whose shorter side has more are reduced."""
LONG = 1920
"""Pixels of the longer side, at most."""


Captions = Callable[[float], str | None]
"""What is written on the picture that is shown at a time, in seconds."""


class Shown(NamedTuple):
    """What has been written."""

    movie: Path
    facts: str
    """About the video, in one line."""
    notes: list[str]
    """What was unusual."""


def show(
    name: str,
    seen: Iterator[Seen],
    people: Iterator[People],
    out: Path,
    about: str = "",
    caption: str | Captions | None = None,
    sound_of: Path | None = None,
    start: float = 0.0,
    progress: Callable[[int], None] = lambda done: None,
) -> Shown:
    """Write ``out`` with the extensions .mp4 and .png.

    name: of the video, for the sheet. about: where the people come from. caption: written on every picture, or
    what is written on the picture of a time. sound_of: a file with the sound, if there may be any. start: seconds that
    the sheet adds to all times. progress: called with the number of pictures done.
    Raises ClipError if there is no picture.
    """
    sheet, notes = Sheet(), list[str]()
    first = next(seen, None)
    if first is None:
        raise ClipError("there is no picture in it")
    size = drawn_size(first)
    numbers: dict[int, None] = {}
    occupied = 0
    movie_path, sheet_path = (out.with_name(out.name + kind) for kind in (".mp4", ".png"))
    with Movie(movie_path, size, 1 / max(first.until - first.time, 1e-3), sound_of) as movie:
        picture: Seen | None = first
        while picture is not None:
            those = next(people, People())
            image = draw_people(fitted(picture.image, size), those)
            if text := caption(picture.time) if callable(caption) else caption:
                draw_caption(image, text)
            movie.add(image, picture.time, picture.until)
            sheet.add(image, start + picture.time)
            numbers |= dict.fromkeys(person.number for person in those.persons)
            occupied += bool(those.persons)
            until = picture.until
            progress(sheet.count)
            picture = next(seen, None)
    if movie.encoder == "mpeg4":
        notes.append("written as MPEG-4, which browsers do not play: PyAV's FFmpeg was built without libx264")
    if movie.sound and movie.sound.lost:
        notes.append(f"the sound is missing or ends early: {movie.sound.lost}")
    who = f"{count(len(numbers), 'track')}, people in {count(occupied, 'frame')}" if numbers else "nobody found"
    length = f"{count(sheet.count, 'frame')}, {duration(until - first.time)}"
    height, width = first.image.shape[:2]
    facts = f"{length}, {width} x {height}; {who}"
    lines = [None if callable(caption) else caption, facts, about]
    replace_file(sheet_path, encoded(sheet.drawn(name, "; ".join(filter(None, lines))), ".png"))
    return Shown(movie_path, facts, notes)


def drawn_size(first: Seen) -> Size:
    """Width and height in which a video is drawn, from its first picture."""
    short, long = sorted(first.image.shape[:2])
    scale = max(SHORT / short, 1.0) if short < SHORT else min(FULL / short, 1.0)
    width, height = scaled(first.image, min(scale, LONG / long))
    return max(width, 2), max(height, 2)
