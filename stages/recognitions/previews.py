"""Previews: small MP4 files of videos that browsers do not play, for the page."""

import os
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pipeline.errors import ClipError, StageError
from pipeline.files import FileState, state_of
from pipeline.stage import Row
from stages.places import address_of, state_at, url_of
from stages.recognitions.exported_files import Places

LINES = 480
"""Of a preview, at most."""
EXTENSIONS = frozenset({".mp4", ".m4v", ".mov", ".webm"})
"""By them, browsers know what a file is that no server names."""
CONTAINERS = frozenset({"mp4", "mov", "webm"})
CODECS = frozenset({"h264", "vp8", "vp9", "av1"})
PIXELS = frozenset({"yuv420p", "yuvj420p"})
"""Other pixels of H.264 are played by some browsers only."""
GRAINS = (1, 100, 1_000, 1_000_000, 10_000_000, 1_000_000_000, 2_000_000_000)
"""Nanoseconds to whose multiples file systems round a time down: ext4, NTFS, …, exFAT, …, FAT."""


def preview_path(video: Row, places: Places) -> Path:
    """Where the preview of a row's video is written."""
    return places.beside("previews", video, ".mp4")


def preview_of(video: Row, places: Places) -> Path | None:
    """The preview that was made of a row's video as it is now; the last one if the video is gone; None without one."""
    source, preview = places.video(video), preview_path(video, places)
    if not preview.is_file():
        return None
    try:
        is_outdated = (url_of(source) is not None or source.exists()) and not _is_of(preview, source)
    except OSError:  # such as from a drive that is no longer there
        is_outdated = False
    return None if is_outdated else preview


def write_previews(videos: Sequence[Row], places: Places) -> list[str]:
    """Write the previews that are missing or of an earlier state of their videos, each as a whole. Returns what went
    wrong, a line for each video that has none.

    videos: rows of RECOGNITIONS; those without segments need no preview.
    """
    import av

    wrong = []
    for video in videos:
        source, target = places.video(video), preview_path(video, places)
        if not video["segments"]:
            continue
        try:
            if not _is_of(target, source) and not _was_played(source, state_of(source)):
                write_preview(source, target)
        except (ClipError, StageError, av.FFmpegError, OSError, ValueError) as error:
            wrong.append(f"no preview of {video['file']}: {error}")
    return wrong


@lru_cache(maxsize=100_000)
def _was_played(path: Path, _: FileState) -> bool:
    """``is_played``, for which a file is opened once in each of its states, however often others arrive beside it."""
    return is_played(path)


def is_played(path: Path) -> bool:
    """Whether all current browsers play a video. Raises ClipError if it is none."""
    from stages.video.container import film_stream, open_container

    url = url_of(path)
    if path.suffix.lower() not in EXTENSIONS or path.is_dir() or (url and not url.startswith(("http:", "https:"))):
        return False
    with open_container(address_of(path)) as container:
        codec = film_stream(container).codec_context
        is_plain = codec.codec.canonical_name != "h264" or codec.pix_fmt in PIXELS
        return is_plain and codec.codec.canonical_name in CODECS and _is_container(container)


def _is_container(container: Any) -> bool:
    return not CONTAINERS.isdisjoint(container.format.name.split(","))


def _is_of(preview: Path, source: Path) -> bool:
    """Whether a preview was made of the video as it is now."""
    made_of, now = state_of(preview).mtime_ns, _time_of(source)
    return preview.is_file() and any(made_of == now - now % grain for grain in GRAINS)


def _time_of(source: Path) -> int:
    """When a video changed last, in nanoseconds; at a URL, a time that is another one for each of its states."""
    url = url_of(source)
    if url is None:
        return state_of(source).mtime_ns
    return int.from_bytes(blake2b(str(state_at(url)).encode(), digest_size=3).digest(), "little") * 100 * 10**9


def write_preview(source: Path, target: Path) -> None:
    """Write a video, or a folder of images, as small H.264 with its sound, in the same time as the source.

    Raises ClipError if it cannot be read, StageError if there is no encoder.
    """
    from stages.showing.footage import Footage, fitted, scaled
    from stages.showing.movie import Movie

    pictures = Footage(source).pictures()
    changed = _time_of(source)  # before it is read: if it changes meanwhile, the preview is of neither state
    first = next(pictures, None)
    if first is None:
        raise ClipError("there is no picture in it")
    size = scaled(first.image, min(1.0, LINES / first.image.shape[0]))
    rate = 1 / max(first.until - first.time, 1e-3)
    with Movie(target, size, rate, None if source.is_dir() else source) as movie:
        movie.add(fitted(first.image, size), first.time, first.until)
        for picture in pictures:
            movie.add(fitted(picture.image, size), picture.time, picture.until)
    os.utime(target, ns=(changed, changed))  # says of which state of the video it is
