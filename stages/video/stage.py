"""The decode stage: T evenly spaced frames of each clip, as JPEG images with their numbers and times."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.errors import ClipError, StageError
from pipeline.rows import Row
from pipeline.stage import MapStage, Problem, Stage, Table, unkeyed
from stages.tables import FRAMES

if TYPE_CHECKING:
    from stages.video.reader import Reader

    OpenReader = Callable[[str, float | None, float | None], Reader]


class Decode(MapStage):
    """Reads T evenly spaced frames of each clip from its video file or folder of images.

    Video files are read with decord where it is known to be correct, and with PyAV otherwise; the column ``reader`` of
    the frames table says with which.
    """

    key_name: ClassVar[str | None] = "stages.decode:Decode"
    makes: ClassVar[Table] = FRAMES

    frames: int = Field(48, ge=1, le=4096)
    """T, the frames per clip: the middle frame of each of T equal segments. Shorter clips repeat frames."""
    short_side: int = Field(480, ge=16)
    """Frames whose shorter side has more pixels are scaled down to this; smaller ones keep their size."""
    quality: int = Field(95, ge=1, le=100)
    """JPEG quality, up to 100."""
    reader: str | None = Field(None, pattern=r"^[\w.]+:\w+$")
    """A reader of your own in place of decord and PyAV: my_module:MyReader (see stages.video.reader)."""
    time_limit: float = unkeyed(120.0, gt=0)
    """Seconds after which a clip is given up."""

    def seconds_per_clip(self) -> float:
        """The parameter ``time_limit``."""
        return self.time_limit

    def check(self, clips: pa.Table, upstream: Mapping[str, Stage]) -> Iterator[Problem]:
        """Files that are not there, and a reader of one's own that cannot be imported."""
        if self.reader is not None:
            try:
                self.load({})
            except StageError as error:
                yield Problem(str(error))
        missing = clips.filter(pc.equal(clips["source"], "missing"))["path"]
        if len(missing):
            number = "none" if len(missing) == len(clips) else f"{len(clips) - len(missing):,}"
            text = f"{number} of the {len(clips):,} files that the index lists can be read; not there is {missing[0]}"
            yield Problem(text, fatal=len(missing) == len(clips))

    def load(self, inputs: Mapping[str, Any]) -> "OpenReader | None":
        """The class of the user's own reader, or None. Raises StageError if it cannot be imported."""
        if self.reader is None:
            return None
        from stages.plugins import load_class

        return load_class(self.reader, "reader")

    def clip(self, clip: Row, inputs: Mapping[str, Row], loaded: "OpenReader | None") -> Row:
        """One row of FRAMES. Raises ClipError that says what is wrong with the file, and where."""
        from stages.video.reader import UnreadableError
        from stages.video.sampling import jpegs, sample

        start, end = clip["start"], clip["end"]
        for opened in readers(clip["path"], start, end, loaded):
            try:
                numbers = sample(opened, start, end, self.frames)
                images = jpegs(opened, numbers, self.short_side, self.quality)
            except UnreadableError:
                continue
            finally:
                opened.close()
            return images._asdict() | {
                "indices": numbers.tolist(),
                "times": opened.times[numbers - opened.first].tolist(),
                "reader": opened.name,
            }
        raise ClipError(f"{self.reader or 'PyAV'} cannot read this file")


def readers(path: str, start: float | None, end: float | None, own: "OpenReader | None" = None) -> "Iterator[Reader]":
    """The readers to try on a file, in order, each opened only when it is its turn; a user's own is the only one."""
    from stages.video.reader import UnreadableError

    if own is not None:
        with suppress(UnreadableError):
            yield own(path, start, end)
        return
    if Path(path).is_dir():
        from stages.video.with_images import ImageFolderReader

        yield ImageFolderReader(path)
        return
    from stages.video.timeline import timeline_of
    from stages.video.with_decord import DecordReader
    from stages.video.with_pyav import PyAVReader

    timeline = timeline_of(path, start, end)
    with suppress(UnreadableError):
        yield DecordReader(path, timeline)
    with suppress(UnreadableError):
        yield PyAVReader(path, timeline)
