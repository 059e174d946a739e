"""Previews: small MP4 files of videos that browsers do not play, for the page."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import ClipError, StageError
from pipeline.stage import Row

LINES = 480
"""Of a preview, at most."""
EXTENSIONS = frozenset({".mp4", ".m4v", ".mov", ".webm"})
"""By them, browsers know what a file is that no server names."""
CONTAINERS = frozenset({"mp4", "mov", "webm"})
CODECS = frozenset({"h264", "vp8", "vp9", "av1"})
PIXELS = frozenset({"yuv420p", "yuvj420p"})
"""Other pixels of H.264 are played by some browsers only."""


def preview_path(folder: Path, file: str) -> Path:
    """Where the preview of a video is. ``folder``: of the output. ``file``: as in RECOGNITIONS."""
    return folder / "previews" / f"{file}.mp4"


def write_previews(videos: Sequence[Row], root: Path, folder: Path) -> list[str]:
    """Write the previews that are missing or older than their videos, each as a whole. Returns what went wrong, a line
    for each video that has none.

    videos: rows of RECOGNITIONS; those without segments need no preview. root: the folder that their files are relative
    to. folder: of the output.
    """
    import av

    wrong = []
    for video in videos:
        source, target = root / video["file"], preview_path(folder, video["file"])
        if not video["segments"]:
            continue
        try:
            if not is_played(source) and not _is_of(target, source):
                write_preview(source, target)
        except (ClipError, StageError, av.FFmpegError, OSError, ValueError) as error:
            wrong.append(f"no preview of {video['file']}: {error}")
    return wrong


def is_played(path: Path) -> bool:
    """Whether all current browsers play a video. Raises ClipError if it is none."""
    from stages.video.container import film_stream, open_container

    if path.suffix.lower() not in EXTENSIONS or path.is_dir():
        return False
    with open_container(str(path)) as container:
        codec = film_stream(container).codec_context
        is_plain = codec.codec.canonical_name != "h264" or codec.pix_fmt in PIXELS
        return is_plain and codec.codec.canonical_name in CODECS and _is_container(container)


def _is_container(container: Any) -> bool:
    return not CONTAINERS.isdisjoint(container.format.name.split(","))


def _is_of(preview: Path, source: Path) -> bool:
    """Whether a preview was made of the video as it is now."""
    return preview.is_file() and preview.stat().st_mtime_ns == source.stat().st_mtime_ns


def write_preview(source: Path, target: Path) -> None:
    """Write a video, or a folder of images, as small H.264 with its sound, in the same time as the source.

    Raises ClipError if it cannot be read, StageError if there is no encoder.
    """
    from stages.showing.footage import Footage, fitted, scaled
    from stages.showing.movie import Movie

    pictures = Footage(source).pictures()
    first = next(pictures, None)
    if first is None:
        raise ClipError("there is no picture in it")
    size = scaled(first.image, min(1.0, LINES / first.image.shape[0]))
    rate = 1 / max(first.until - first.time, 1e-3)
    with Movie(target, size, rate, None if source.is_dir() else source) as movie:
        movie.add(fitted(first.image, size), first.time, first.until)
        for picture in pictures:
            movie.add(fitted(picture.image, size), picture.time, picture.until)
    state = source.stat()
    os.utime(target, ns=(state.st_atime_ns, state.st_mtime_ns))  # says of which state of the video it is
