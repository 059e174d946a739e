"""Draws people in videos or clips, one after the other: how far it is, and what came of it."""

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import ClipError, ManifestError, PipelineError
from pipeline.progress import Display
from stages.recognitions.exported_files import LONGEST
from stages.showing.show import Shown
from stages.sources.files import VIDEO_EXTENSIONS

Progress = Callable[[int], None]


class Item(NamedTuple):
    """A video or a clip that is to be drawn."""

    name: str
    source: Path | None
    """The file that must not be overwritten."""
    total: Callable[[], int]
    """How many pictures there will be. May raise ClipError."""
    draw: Callable[[Path, Progress], Shown]
    """Write the path with the extensions .mp4 and .png. May raise ClipError."""
    path: Path | None = None
    """That path, below the folder of results; None: like the name, as short as it remains unique."""


class Result(NamedTuple):
    """One item drawn, or the reason why it was not."""

    name: str
    shown: Shown | None
    error: str


def show_items(items: Sequence[Item], out: Path, display: Display) -> list[Result]:
    """Draw all items, into files in the folder ``out``.

    Raises ManifestError if a video would be overwritten, PipelineError if none can be drawn at all.
    """
    stems = _stems([item.name for item in items])
    paths = [out / (item.path or stem) for item, stem in zip(items, stems, strict=True)]
    if out.exists() and not out.is_dir():
        raise ManifestError(f"{out}: is a file; give a folder as --out")
    for item, path in zip(items, paths, strict=True):
        movie = path.with_name(f"{path.name}.mp4")
        if item.source is not None and movie.exists() and movie.samefile(item.source):
            raise ManifestError(f"{movie}: would be overwritten; give another folder as --out")
    _tell(display, "run_started", stages=dict.fromkeys((item.name for item in items), 1))
    return [_result(item, path, display) for item, path in zip(items, paths, strict=True)]


def _result(item: Item, path: Path, display: Display) -> Result:
    _tell(display, "started", stage=item.name)
    try:
        total = item.total()

        def progress(done: int) -> None:
            _tell(display, "progress", stage=item.name, done=done, total=max(total, done), figures={})

        shown = item.draw(path, progress)
    except PipelineError:
        raise
    except Exception as error:
        _tell(display, "stage_failed", stage=item.name)
        text = str(error) if isinstance(error, ClipError) else f"{type(error).__name__}: {error}"
        return Result(item.name, None, text)
    _tell(display, "finished", stage=item.name, clips=1, failed=0)
    return Result(item.name, shown, "")


def _tell(display: Display, event: str, **values: object) -> None:
    display({"event": event, "time": time.time()} | values)


def _stems(names: Sequence[str]) -> list[Path]:
    """For each name a path below the folder of results, without the extension of videos where it remains unique. No two
    are the same, also where capital letters do not count."""
    whole = [Path(*(_harmless(part) for part in name.split("/") if part.strip(". "))) for name in names]
    short = [path.with_suffix("") if path.suffix.lower() in VIDEO_EXTENSIONS else path for path in whole]
    often = Counter(short)
    chosen = [path if often[stem] > 1 else stem for path, stem in zip(whole, short, strict=True)]
    same = Counter(str(path).lower() for path in chosen)
    return [
        path.with_name(f"{path.name}-{_mark(name)}") if same[str(path).lower()] > 1 else path
        for name, path in zip(names, chosen, strict=True)
    ]


def _harmless(part: str) -> str:
    kept = re.sub(r"[\x00-\x1f\\:*?\"<>|]+", "-", part)
    encoded = os.fsencode(kept)
    if len(encoded) <= LONGEST:
        return kept
    suffix = Path(kept).suffix
    film = suffix if suffix.lower() in VIDEO_EXTENSIONS else ""
    return f"{encoded[:LONGEST].decode(errors='ignore')}-{_mark(part)}{film}"


def _mark(name: str) -> str:
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
