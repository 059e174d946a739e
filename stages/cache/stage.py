"""Cache: cropped frames, and skeletons in the same coordinates, as shards that training reads in random order."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from pipeline.errors import ClipError
from pipeline.stage import MapStage, Row
from stages.frame_sampling import sample_frames
from stages.tables import FRAMES, SHARDS, SKELETONS


class Cache(MapStage):
    """Crops and resizes frames and skeletons into shards for training.

    It takes frames, skeletons or both. Without frames, the size of the video is unknown, and skeletons are cropped as
    if it were square.
    """

    key_name: ClassVar[str | None] = "stages.cache:Cache"
    version: ClassVar[int] = 1
    makes = SHARDS
    may_take = (FRAMES, SKELETONS)

    size: int = Field(256, ge=16, le=1024)
    """Side of the square frames, in pixels. More than the network's input size keeps detail for random crops."""

    crop: Literal["person", "center"] = "person"
    """``person``: the square around all persons in the whole clip, or the center if there are none; ``center``: the
    largest square in the center."""

    padding: float = Field(0.25, ge=0, le=2)
    """Margin on each side of the box around the persons, as a fraction of its longer edge."""

    quality: int = Field(95, ge=50, le=100)
    """JPEG quality of the frames."""

    frames: int | None = Field(None, ge=1)
    """Frames per clip, evenly spaced; null: all that were decoded."""

    def clip(self, clip: Row, inputs: Mapping[str, Row], loaded: Any) -> Row:
        from stages.cache.crops import Crop, center_crop, crop_jpeg, person_crop
        from stages.cache.shards import keypoints_of

        frames, skeletons = inputs.get("frames"), inputs.get("skeletons")
        keypoints = keypoints_of(skeletons) if skeletons else None
        if frames:
            height, width, count = frames["height"], frames["width"], len(frames["frames"])
            crop = center_crop(height, width)
        elif keypoints is not None:
            height, width, count = 1, 1, keypoints.shape[1]
            crop = Crop(0, 0, 1)
        else:
            raise ClipError("neither frames nor skeletons: name decode, pose or both in the needs of cache")
        if self.crop == "person" and keypoints is not None:
            around = person_crop(keypoints, height, width, self.padding)
            crop = (around.on_pixels() if frames else around) if around else crop

        kept = sample_frames(count, self.frames) if self.frames else list(range(count))
        row: Row = {}
        if keypoints is not None and skeletons:
            if keypoints.shape[1] != count:
                raise ClipError(
                    f"{keypoints.shape[1]} skeletons for {count} frames: pose and cache need the same decode stage"
                )
            cropped = crop.keypoints(keypoints[:, kept], height, width)
            row |= {"keypoints": cropped.astype("float16").tobytes()}
            row |= {"persons": len(cropped), "layout": skeletons["layout"]}
        if frames:
            row["frames"] = [crop_jpeg(frames["frames"][i], crop, self.size, self.quality) for i in kept]
            row["times"] = [frames["times"][i] for i in kept] if frames["times"] else None
        return row
