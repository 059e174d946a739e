"""Previews: small MP4 files of videos that browsers do not play."""

from pathlib import Path


def preview_path(folder: Path, file: str) -> Path:
    """Where the preview of a video is. ``folder``: of the output. ``file``: as in RECOGNITIONS."""
    return folder / "previews" / f"{file}.mp4"
