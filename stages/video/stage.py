"""The decode stage: T evenly spaced frames of each clip, as JPEG images with their numbers and times."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.errors import ClipError, StageError, is_passing
from pipeline.rows import Row, attempt
from pipeline.stage import MapStage, Problem, Stage, Table, unkeyed
from stages.places import refuse_changed
from stages.tables import FRAMES

if TYPE_CHECKING:
    from stages.video.passes import Span
    from stages.video.reader import Reader

    OpenReader = Callable[[str, float | None, float | None], Reader]


class Decode(MapStage):
    """Reads T evenly spaced frames of each clip from its video file or folder of images.

    The frames of a file are those that FFmpeg's decoder gives. A file is read once for all its clips of a partition.
    """

    key_name: ClassVar[str | None] = "stages.decode:Decode"
    version: ClassVar[int] = 2
    makes: ClassVar[Table] = FRAMES

    frames: int = Field(48, ge=1, le=4096)
    """T, the frames per clip: those on show at the middles of T equal parts of it. Shorter clips repeat frames."""
    short_side: int = Field(480, ge=16)
    """Frames whose shorter side has more pixels are scaled down to this; smaller ones keep their size."""
    quality: int = Field(95, ge=1, le=100)
    """JPEG quality, up to 100."""
    reader: str | None = Field(None, pattern=r"^[\w.]+:\w+$")
    """A reader of your own in place of FFmpeg's decoder: my_module:MyReader (see stages.video.reader)."""
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
            text = f"{len(missing):,} of the {len(clips):,} files in the index do not exist, such as {missing[0]}"
            yield Problem(text, fatal=len(missing) == len(clips))

    def load(self, inputs: Mapping[str, Any]) -> "OpenReader | None":
        """The class of the user's own reader, or None. Raises StageError if it cannot be imported."""
        if self.reader is None:
            return None
        from stages.plugins import load_class

        return load_class(self.reader, "reader")

    def process(self, clips: pa.Table, inputs: Mapping[str, pa.Table], loaded: "OpenReader | None") -> pa.Table:
        """One row of FRAMES per clip. All clips of a file are read in one pass."""
        rows: list[Row] = [{} for _ in range(clips.num_rows)]
        listed = clips.to_pylist()
        for path, positions in _by_file([clip["path"] for clip in listed]):
            spans = [(listed[i]["start"], listed[i]["end"]) for i in positions]
            planned = listed[positions[0]]["source"]
            read: list[Row] = []

            def work(
                path: str = path, spans: "list[Span]" = spans, planned: str = planned, read: list[Row] = read
            ) -> Row:
                refuse_changed(path, planned)
                found = self._read(path, spans, loaded)
                refuse_changed(path, planned)  # as a file does that is still being copied
                read.extend(found)
                return {}

            # One limit for all: each clip of the file may take its time.
            whole = attempt(path, self.time_limit * len(positions), work)
            for place, i in enumerate(positions):
                own = read[place] if read else {"error": whole["error"]}
                rows[i] = {"clip_id": listed[i]["clip_id"], "error": None} | own
        return pa.Table.from_pylist(rows, schema=self.makes.schema)

    def _read(self, path: str, spans: "list[Span]", own: "OpenReader | None") -> list[Row]:
        """The columns of a row for each span, or its error. Raises ClipError where nothing can be read of the file."""
        from stages.video.passes import Encoding, read_clips
        from stages.video.with_images import ImageFolderReader

        if own is None and not Path(path).is_dir():
            found = read_clips(path, spans, self.frames, Encoding(self.short_side, self.quality))
            return [
                {"error": str(one)} if isinstance(one, ClipError) else one._asdict() | {"reader": "pyav"}
                for one in found
            ]
        return [self._sampled(own, ImageFolderReader, path, *span) for span in spans]

    def _sampled(self, own: "OpenReader | None", images: Any, path: str, start: float | None, end: float | None) -> Row:
        """One clip through a reader that knows the times of all its frames."""
        from stages.video.reader import UnreadableError
        from stages.video.sampling import jpegs, sample

        try:
            reader = own(path, start, end) if own else images(path)
        except UnreadableError:
            return {"error": f"{self.reader} cannot read this file"}
        except ClipError as error:
            if is_passing(error):
                raise
            return {"error": str(error)}
        try:
            numbers = sample(reader, start, end, self.frames)
            kept = jpegs(reader, numbers, self.short_side, self.quality)
        except UnreadableError:
            return {"error": f"{self.reader} cannot read this file"}
        except ClipError as error:
            if is_passing(error):
                raise
            return {"error": str(error)}
        finally:
            reader.close()
        times = reader.times[numbers - reader.first].tolist()
        known = {"source_frames": len(reader.times)} if own is None else {}
        return kept._asdict() | known | {"indices": numbers.tolist(), "times": times, "reader": reader.name}


def _by_file(paths: list[str]) -> Iterator[tuple[str, list[int]]]:
    """Each path once, with its positions."""
    positions: dict[str, list[int]] = {}
    for i, path in enumerate(paths):
        positions.setdefault(path, []).append(i)
    yield from positions.items()
