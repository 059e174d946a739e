"""Videos without labels, for recognition: every video below a folder, long ones split into overlapping windows."""

import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
from pydantic import Field, model_validator

from pipeline.stage import Source, Table, unkeyed
from stages.places import fingerprint
from stages.sources.files import Skipped, Video, find_videos
from stages.sources.rows import clips_table
from stages.tables import CLIPS

SHORTEST_WINDOW = 0.1
"""Seconds: a few frames."""

PROBES = 8
"""Threads that read headers; most of their time is spent waiting for the disk."""

LATE = 0.1
"""Seconds by which the picture may begin after the sound before windows begin with it."""

MADE = ("overlay/", "previews/")
"""Folders of films that are made from the videos, where the results are written beside those."""

STILL_CHANGING = "has just changed: perhaps it is not complete yet"

Span = tuple[float | None, float | None]
WHOLE: Span = (None, None)


class Videos(Source):
    """Lists the videos below a folder; with ``window``, longer videos are split into overlapping windows."""

    key_name: ClassVar[str | None] = "stages.sources.videos:Videos"
    makes: ClassVar[Table] = CLIPS

    root: Path
    """Folder that is searched, with all its subfolders, or a single video."""
    window: float | None = Field(None, ge=SHORTEST_WINDOW)
    """Length of a window in seconds; shorter videos stay whole. Null: all videos stay whole."""
    stride: float | None = Field(None, gt=0)
    """Seconds from the start of one window to the next. Null: half a window."""
    leave_out: Path | None = unkeyed(None)
    """The folder of the results, root or a folder below it: videos that were made from the others are not listed."""
    settled: float = unkeyed(0.0, ge=0)
    """A file that has changed within so many seconds, perhaps since it is still being copied, is not listed yet."""

    @model_validator(mode="after")
    def _no_gaps(self) -> "Videos":
        if self.stride is not None and (self.window is None or self.stride > self.window):
            raise ValueError("stride must not be longer than window: parts between the windows would be skipped")
        return self

    def clips(self) -> pa.Table:
        """One clip per window. A video of unknown length is one clip, so that decoding reports the problem."""
        videos, _ = self._found()
        if self.window is None:
            return self.windows_of(videos, [None] * len(videos))
        from stages.video.extent import extent

        with ThreadPoolExecutor(PROBES) as pool:
            return self.windows_of(videos, list(pool.map(extent, [video.path for video in videos])))

    def windows_of(self, videos: Sequence[Video], shown: Sequence[tuple[float, float] | None]) -> pa.Table:
        """The clips of videos. shown: when each one's picture begins and ends, in seconds; None: unknown."""
        rows = [(video, span) for video, own in zip(videos, shown, strict=True) for span in self._windows(own)]
        return clips_table(
            {
                "clip_id": [_window_id(video.name, *span) for video, span in rows],
                "source": [video.source for video, _ in rows],
                "start": [start for _, (start, _) in rows],
                "end": [end for _, (_, end) in rows],
                "path": [video.path for video, _ in rows],
            }
        )

    def skipped(self) -> list[Skipped]:
        """What is not listed below ``root``, and why."""
        return self._found()[1]

    def complete(self) -> list[Video]:
        """The videos that are listed."""
        return self._found()[0]

    def _found(self) -> tuple[list[Video], list[Skipped]]:
        root = self.root.expanduser()
        if root.is_file():  # whatever its extension: it was named
            return [Video(root.name, str(root.absolute()), fingerprint(root))], []
        videos, skipped = find_videos(root, "the videos to be recognized")
        if made := self._made(root):
            videos = [video for video in videos if not video.name.startswith(made)]
            skipped = [one for one in skipped if not one.name.startswith(made)]
        if not self.settled:
            return videos, skipped
        young = {video.name for video in videos if seconds_since_change(video.path) < self.settled}
        skipped += [Skipped(name, STILL_CHANGING) for name in sorted(young)]
        return [video for video in videos if video.name not in young], skipped

    def _made(self, root: Path) -> tuple[str, ...]:
        """How the names begin of files that are made from the videos."""
        if self.leave_out is None:
            return ()
        place, root = self.leave_out.resolve(), root.resolve()  # either may be named by a link
        if place == root:
            return MADE
        return (f"{place.relative_to(root).as_posix()}/",) if root in place.parents else ()

    def _windows(self, shown: tuple[float, float] | None) -> list[Span]:
        """Start and end of each window: the first begins with the picture, the last one ends with it."""
        window = self.window
        if window is None or shown is None or shown[1] - shown[0] <= window + LATE:
            return [WHOLE]
        first = round(shown[0], 3) if shown[0] > LATE else 0.0
        stride = self.stride or window / 2
        last = round(shown[1] - window, 3)
        starts = [round(first + i * stride, 3) for i in range(int((last - first) / stride + 1e-6) + 1)]
        if last - starts[-1] > 0.1 * stride:
            starts.append(last)
        return [(start, round(start + window, 3)) for start in starts]


def seconds_since_change(path: str) -> float:
    """Since a file got content or a new name; infinite if it cannot be read, which decoding will report."""
    try:
        status = Path(path).stat()
    except OSError:
        return math.inf
    # Copying programs set the former to that of the source, by whose clock it may lie in the future.
    now, modified, changed = time.time(), status.st_mtime, status.st_ctime
    return now - (max(modified, changed) if modified <= now else changed)


def _window_id(name: str, start: float | None, end: float | None) -> str:
    """``name@00012.000-00014.000``: in the order of time, so that one pass serves the windows of a partition."""
    return name if start is None or end is None else f"{name}@{start:09.3f}-{end:09.3f}"
