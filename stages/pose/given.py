"""Skeletons: from skeleton files alone, for data sets without videos."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, PositiveInt, field_validator

from pipeline.errors import ClipError, StageError
from pipeline.rows import Row
from pipeline.stage import MapStage, Problem, Stage, added
from recognizer.skeletons import Layout, layout, layout_text
from stages.frame_sampling import sample_frames
from stages.skeletons.layout_parameter import LayoutText
from stages.skeletons.projection import FRONT, Plane
from stages.tables import SKELETONS


class Skeletons(MapStage):
    """Reads each clip's skeleton file, instead of decode and pose.

    Coordinates are relative to the square around the video's frame, so that both axes have the same unit.
    """

    key_name: ClassVar[str | None] = "stages.skeletons:Skeletons"
    makes: ClassVar = SKELETONS

    frames: int = Field(48, ge=1, le=4096)
    """T, frames per clip: those at the middles of T equal segments. Shorter clips repeat frames."""
    persons: int = Field(2, ge=1)
    """M, the largest number of persons per clip."""
    convert_to: LayoutText | None = added(None)
    """Joint layout that all skeletons are converted to, by the names of joints; those that a file lacks are missing.
    null: as in the files. See ``pipeline layouts``."""
    size: tuple[PositiveInt, PositiveInt] | None = added(None)
    """Width and height of the videos in pixels, for skeleton files that do not say so, such as OpenPose's."""
    plane: Plane = added(FRONT)
    """What a picture of skeletons in space shows: the axis that points right and the one that points down, each of x, y
    and z, with a minus sign for its opposite. [x, -y] is the front where y points up, [z, -y] the side, [x, -z] from
    above. The Kinect's x points to its left: there [-x, -y] is what it saw, and [x, -y] the mirror image."""

    second_plane: Plane | None = added(None)
    """Another picture of skeletons in space, such as [z, -y], the side, so that depth is not lost: each person becomes
    two, as seen in plane and in second_plane. Give the network twice as many ``persons``."""

    @field_validator("plane", "second_plane")
    @classmethod
    def _two_axes(cls, plane: Plane | None) -> Plane | None:
        if plane and plane[0][-1] == plane[1][-1]:
            raise ValueError(f"{plane[0]} and {plane[1]} are the same axis: give two different ones")
        return plane

    def check(self, clips: pa.Table, upstream: Mapping[str, Stage]) -> Iterator[Problem]:
        """Clips without a skeleton file."""
        without = clips.filter(pc.is_null(clips["skeleton_path"]))["clip_id"]
        missing = clips.filter(pc.equal(clips["skeleton_source"], "missing"))["skeleton_path"]
        if len(without) == len(clips):
            yield Problem("the index names no skeleton files: use decode and pose to estimate skeletons from videos")
        elif len(without):
            text = f"{len(without):,} of {len(clips):,} clips have no skeleton file and will fail, first {without[0]}"
            yield Problem(text, fatal=False)
        if len(missing):
            text = f"{len(missing):,} of the {len(clips):,} skeleton files do not exist, such as {missing[0]}"
            yield Problem(text, fatal=len(missing) == len(clips))

    def layout_of(self, clips: pa.Table) -> Layout | None:
        """The joint layout of the skeletons of ``clips``, as far as it is known before they are made."""
        return layout(self.convert_to) if self.convert_to else first_layout(clips)

    def process(self, clips: pa.Table, inputs: Mapping[str, pa.Table], loaded: Any) -> pa.Table:
        from stages.skeletons.formats import keep_sets

        keep_sets(clips)
        return super().process(clips, inputs, loaded)

    def clip(self, clip: Row, inputs: Mapping[str, Row], loaded: Any) -> Row:
        """One row of SKELETONS. Raises ClipError for spans, and if the file is missing, damaged or has no joints."""
        from stages.skeletons.conversion import convert
        from stages.skeletons.formats import read_planned
        from stages.skeletons.projection import projected

        if clip["skeleton_path"] is None:
            raise ClipError("the index names no skeleton file: use decode and pose to estimate skeletons from videos")
        if clip["start"] is not None or clip["end"] is not None:
            raise ClipError("a skeleton file has no times, so a span cannot be cut out of it: use decode and pose")
        planes = [self.plane] + ([self.second_plane] if self.second_plane else [])
        read = read_planned(clip)
        if not len(read.keypoints):
            raise ClipError(f"skeleton file {clip['skeleton_path']} shows nobody")
        file = projected(read, *planes)
        pictures = len(file.keypoints) // len(read.keypoints)
        size = file.size or self.size
        if size is None:
            raise ClipError(
                f"{file} does not say how large the video's frames are: give size, their width and height, here "
                "(or in an .npz file)"
            )
        width, height = size
        sampled = sample_frames(file.keypoints.shape[1], self.frames)
        keypoints = file.in_pixels(width, height).frames(sampled, self.persons * pictures)
        target = layout(self.convert_to) if self.convert_to else file.layout
        if target != file.layout:
            try:
                keypoints = convert(keypoints, file.layout, target)
            except ValueError as error:
                raise ClipError(f"{file}: {error}") from error
        if not keypoints[..., 2].any():
            raise ClipError(f"{file} has no joint in any of its {file.keypoints.shape[1]} frames")
        side = max(width, height)
        margins = (side - width) / 2, (side - height) / 2
        keypoints[..., :2] = (keypoints[..., :2] + 0.5 + margins) / side * (keypoints[..., 2:] > 0)
        return {
            "keypoints": keypoints.astype("float16").tobytes(),
            "persons": len(keypoints),
            "layout": layout_text(target),
            "estimator": "ground truth",
        }


def first_layout(clips: pa.Table) -> Layout | None:
    """The joint layout of the first skeleton file that exists; None if there is none, or if it is damaged."""
    from stages.skeletons.formats import read_skeletons

    found = pc.and_(pc.is_valid(clips["skeleton_path"]), pc.not_equal(clips["skeleton_source"], "missing"))
    for row in clips.filter(found).slice(0, 1).select(["skeleton_path", "skeleton_entry"]).to_pylist():
        try:
            return read_skeletons(Path(row["skeleton_path"]), row["skeleton_entry"]).layout
        except (ClipError, OSError, StageError):  # which its clip will report
            return None
    return None
