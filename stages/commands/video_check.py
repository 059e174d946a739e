"""Reads videos from beginning to end and says what is unusual about them: worth an hour before a week of training."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np

from pipeline.errors import ClipError
from stages.places import fingerprint
from stages.sources.files import Video, find_videos
from stages.video.film import Film, Picture, UnprovenError
from stages.video.packets import packets_of
from stages.video.passes import SEEK_PAYS, Clip, Encoding, read_clips
from stages.video.selection import select

FRAMES = 48
"""Frames that are sampled, as by the stage decode."""


class VideoCheck(NamedTuple):
    """What one file is."""

    name: str
    frames: int
    seconds: float
    """From the first frame to the end of the last one."""
    size: str
    codec: str
    notes: tuple[str, ...]
    """What is unusual, but read rightly all the same."""
    problems: tuple[str, ...]
    """Why clips of it will fail."""


def check_videos(root: Path) -> Iterator[VideoCheck]:
    """Check a file, or all videos below a folder, one after the other. Raises ManifestError if there are none."""
    if root.is_file():
        videos = [Video(root.name, str(root.absolute()), fingerprint(root))]
    else:
        videos = find_videos(root, "videos to be checked")[0]
    return (_check(video) for video in videos)


def _check(video: Video) -> VideoCheck:
    if Path(video.path).is_dir():
        return VideoCheck(video.name, 0, 0.0, "", "folder", ("a folder of images",), ())
    try:
        with Film(video.path) as film:
            return _read(video, film)
    except ClipError as error:
        return VideoCheck(video.name, 0, 0.0, "", "", (), (str(error),))


def _read(video: Video, film: Film) -> VideoCheck:
    times: list[float] = []
    sums: list[int] = []
    sizes: dict[str, None] = {}
    damaged, lost, until = 0, 0, 0.0
    for picture in film.pictures():
        times.append(picture.time)
        sums.append(_checksum(picture))
        sizes[f"{picture.frame.width}x{picture.frame.height}"] = None
        damaged, lost, until = damaged + picture.damaged, lost + picture.after_loss, picture.until
    shown = np.array(times)
    steps = np.diff(shown)
    notes, problems = [*film.warnings], []
    if len(sizes) > 1:
        notes.append(f"the size of the frames changes: {', '.join(sizes)}")
    if times[0] > 0.1:
        notes.append(f"the picture begins {times[0]:.2f} s after the file")
    if len(steps) and steps.max() > 1.5 * np.median(steps):
        notes.append(f"a frame is shown for {steps.max():.2f} s, most for {np.median(steps):.3f} s")
    packets = packets_of(video.path)
    if len(packets.times) != len(times):
        notes.append(f"{len(packets.times):,} packets make {len(times):,} frames")
    notes += _seek_notes(video.path, shown, sums)
    [sample] = read_clips(video.path, [(None, None)], FRAMES, Encoding(short_side=16, quality=50))
    if isinstance(sample, Clip) and sample.indices != select(shown, until, None, None, FRAMES).tolist():
        problems.append("sampling gives other frames than a full decode does")
    if damaged or lost:
        problems.append(f"{damaged} frames are damaged, and frames are missing in {lost} places")
    if film.broken:
        at = f"after frame {film.broken.number - 1} ({film.broken.time:.2f} s)"
        problems.append(f"cut off or broken {at}: {film.broken.reason}")
    codec = film.stream.codec_context.name
    length = until - times[0]
    return VideoCheck(video.name, len(times), length, next(iter(sizes)), codec, tuple(notes), tuple(problems))


def _seek_notes(path: str, shown: np.ndarray, sums: list[int]) -> Iterator[str]:
    """Whether a seek into the second half of a long file finds the frame that reading from the beginning gives."""
    if shown[-1] < 2 * SEEK_PAYS:
        return
    start = packets_of(path).start_before(float(shown[len(shown) * 3 // 4]))
    if start is None:
        yield "no seek can be proven: clips deep in it are read from its beginning"
        return
    try:
        with Film(path) as film:
            picture = next(film.pictures_from(start))
    except (UnprovenError, StopIteration):
        yield "seeks do not lead to where they should: clips deep in it are read from its beginning"
        return
    if _checksum(picture) != sums[picture.number]:
        yield f"a seek to frame {picture.number} shows another picture than reading from the beginning"


def _checksum(picture: Picture) -> int:
    """Of the first plane of the frame, such as its brightness."""
    return crc32(bytes(picture.frame.planes[0]))
