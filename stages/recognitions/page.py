"""The page that shows what was recognized: time lines, a player, thumbnails, sums, and corrections for the next
training."""

import base64
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from pipeline.files import replace_file
from pipeline.stage import Row
from stages.html import templates
from stages.places import url_of
from stages.recognitions.exported_files import Places, rounded
from stages.recognitions.previews import preview_of
from stages.recognitions.thumbnails import MOST

NAME = "recognitions.html"
THUMBNAIL_BYTES = 12_000_000
"""All thumbnails of a page together, before they are encoded as text."""
SCRIPTS = ("data", "corrections", "boundaries", "rows", "lanes", "player", "state", "views", "main")
"""Files in the folder ``script``, in the order in which they build on each other."""


def write_page(videos: Sequence[Row], places: Places, title: str) -> Path:
    """Write a page that needs no other file than the videos, which it finds by their place relative to its own. Returns
    its path.

    videos: rows of RECOGNITIONS.
    """
    folder = Path(__file__).parent
    # Browsers count \r\n as \n when they compare a script with its hash.
    script = "".join(_text(folder / "script" / f"{name}.js") for name in SCRIPTS)
    style = _text(folder / "page.css")
    environment = templates(folder)
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    page = environment.get_template("page.html.jinja").render(
        title=title,
        data=page_data(videos, places),
        script=Markup(script),
        style=Markup(style),
        script_hash=_hash(script),
        style_hash=_hash(style),
    )
    path = places.out / NAME
    replace_file(path, page.encode("utf-8", "backslashreplace"))
    return path


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """What a Content-Security-Policy calls a script or a style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def page_data(videos: Sequence[Row], places: Places) -> dict[str, Any]:
    """What the script shows. Segments are lists of start, end, person, number of the label (-1: none), score, number
    of the thumbnail (-1: none) and, if the label is none, number of the likeliest class, to keep the page small."""
    labels = list(dict.fromkeys(name for video in videos for name in video["class_names"]))
    numbers = {name: i for i, name in enumerate(labels)}
    thumbnails: list[str] = []
    left = THUMBNAIL_BYTES
    left_out = max(sum(len(video["segments"]) for video in videos) - MOST, 0)
    rows = []
    for video in videos:
        segments = []
        for segment in video["segments"]:
            picture, number = segment["thumbnail"], -1
            if picture is not None and len(picture) <= left:
                number, left = len(thumbnails), left - len(picture)
                thumbnails.append(base64.b64encode(picture).decode())
            elif picture is not None:
                left_out += 1
            start, end = round(segment["start"], 3), round(segment["end"], 3)
            label = -1 if segment["label"] is None else numbers[segment["label"]]
            row = [start, end, segment["person"], label, rounded(segment["score"]), number]
            segments.append(row if segment["nearest"] is None else [*row, numbers[segment["nearest"]]])
        preview = preview_of(video, places)
        seen = [span["end"] for span in (*video["windows"], *video["segments"])]
        rows.append(
            {
                "file": video["file"],
                "original": address(places.video(video), places.out),
                "preview": address(preview, places.out) if preview else None,
                "error": video["error"],
                "failed": video["failed"],
                "windows": len({(window["start"], window["end"]) for window in video["windows"]}),
                "seconds": round(max(seen, default=0.0), 3),
                "segments": segments,
            }
        )
    return {"labels": labels, "videos": rows, "thumbnails": thumbnails, "thumbnails_left_out": left_out}


def address(file: Path, folder: Path) -> str:
    """Where a page in ``folder`` finds a file: a relative address, or a ``file:`` one if it is on another drive, or
    the file's URL."""
    if (url := url_of(file)) is not None:
        return quote(url, safe=":/?=&%")
    try:
        relative = Path(os.path.relpath(file.absolute(), folder.absolute()))
    except ValueError:
        return file.absolute().as_uri()
    return quote(relative.as_posix())
