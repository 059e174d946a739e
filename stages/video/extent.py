"""When a file shows its picture: from its header where that can be believed, else found by listing its packets."""

from pathlib import Path

import av

from pipeline.errors import ClipError
from stages.video.container import film_stream, open_container
from stages.video.film import Film
from stages.video.packets import packets_of
from stages.video.with_images import RATE, ImageFolderReader

HEADERS_BELIEVED = ("mp4", "avi")
"""Formats whose headers count the frames of each stream. Others give the length of the whole file, sound included, or
none."""


def extent(path: str) -> tuple[float, float] | None:
    """When the first frame is shown and the last one ends, in seconds; None if there is no film."""
    try:
        if Path(path).is_dir():
            return 0.0, len(ImageFolderReader(path).times) / RATE
        with open_container(path) as container:
            stream = film_stream(container)
            believed = any(name in container.format.name.split(",") for name in HEADERS_BELIEVED)
            if believed and stream.duration:
                base = float(stream.time_base)
                start = (stream.start_time or 0) * base - (container.start_time or 0) / av.time_base
                return start, start + stream.duration * base
        packets = packets_of(path)
        if packets.unstamped:
            return _decoded_extent(path)
    except (ClipError, OSError):
        return None
    return (float(packets.times[0]), packets.until) if len(packets.times) else None


def _decoded_extent(path: str) -> tuple[float, float]:
    """The same by decoding, where packets have no timestamps."""
    with Film(path) as film:
        shown = [(picture.time, picture.until) for picture in film.pictures()]
    return shown[0][0], shown[-1][1]
