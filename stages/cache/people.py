"""Cache people: a crop for each person of a clip, where people do different things at the same time."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pipeline.errors import ClipError
from pipeline.stage import MapStage, Row
from stages.frame_sampling import sample_frames
from stages.tables import FRAMES, PEOPLE, SKELETONS

if TYPE_CHECKING:
    import numpy as np


class CachePeople(MapStage):
    """Crops frames and skeletons around each person, or around the person and the nearest neighbor within reach.

    Its parameters are those of ``cache`` where they have the same name, which crops around all persons at once.
    """

    key_name: ClassVar[str | None] = "stages.cache_people:CachePeople"
    version: ClassVar[int] = 1
    makes = PEOPLE
    takes = (FRAMES, SKELETONS)

    size: int = Field(256, ge=16, le=1024)
    """Side of the square frames, in pixels."""
    padding: float = Field(0.25, ge=0, le=2)
    """Margin on each side of the box around the person, as a fraction of its longer edge."""
    quality: int = Field(95, ge=50, le=100)
    """JPEG quality of the frames."""
    frames: int | None = Field(None, ge=1)
    """Frames per clip, evenly spaced; null: all that were decoded."""
    neighbors: int = Field(1, ge=0, le=1)
    """1: the nearest neighbor within reach is in the crop and has the second skeleton. 0: the person alone has one."""
    reach: float = Field(0.25, ge=0)
    """Largest gap between the boxes of two persons who may be doing something together, as a fraction of the longer
    edge of the person's box."""
    shortest: float = Field(0.25, ge=0, le=1)
    """A person who is seen in a smaller share of the frames is left out."""

    def clip(self, clip: Row, inputs: Mapping[str, Row], loaded: Any) -> Row:
        import numpy as np

        from stages.cache.crops import crop_jpeg, person_crop
        from stages.cache.shards import keypoints_of

        frames, skeletons = inputs["frames"], inputs["skeletons"]
        keypoints_MTR3 = keypoints_of(skeletons)
        height, width, count = frames["height"], frames["width"], len(frames["frames"])
        if keypoints_MTR3.shape[1] != count:
            found = f"{keypoints_MTR3.shape[1]} skeletons for {count} frames"
            raise ClipError(f"{found}: pose and cache_people need the same decode stage")
        kept = sample_frames(count, self.frames) if self.frames else list(range(count))
        boxes_MT4 = boxes_around(keypoints_MTR3)
        people = []
        for i, boxes_T4 in enumerate(boxes_MT4):
            if np.isfinite(boxes_T4[:, 0]).mean() < self.shortest:
                continue
            together = [i, *self._neighbor(boxes_MT4 * (width, height, width, height), i)]
            crop = person_crop(keypoints_MTR3[together], height, width, self.padding)
            if crop is None:
                continue
            crop = crop.on_pixels()
            cropped = crop.keypoints(keypoints_MTR3[together][:, kept], height, width)
            people.append(
                {
                    "frames": [crop_jpeg(frames["frames"][t], crop, self.size, self.quality) for t in kept],
                    "keypoints": cropped.astype("float16").tobytes(),
                    "persons": len(together),
                    "boxes": boxes_T4[kept].ravel().tolist(),
                }
            )
        times = [frames["times"][t] for t in kept] if frames["times"] else None
        return {"layout": skeletons["layout"], "times": times, "people": people}

    def _neighbor(self, boxes_MT4: "np.ndarray", i: int) -> list[int]:
        """The person nearest to person i in the frames that show both, if within reach."""
        import numpy as np

        if not self.neighbors:
            return []
        found = []
        own = boxes_MT4[i]
        for j, other in enumerate(boxes_MT4):
            both = np.isfinite(own[:, 0]) & np.isfinite(other[:, 0])
            if j == i or not both.any():
                continue
            gaps = np.maximum(np.maximum(own[both, :2] - other[both, 2:], other[both, :2] - own[both, 2:]), 0).max(1)
            longest = (own[both, 2:] - own[both, :2]).max(1)
            if (gap := float(np.median(gaps / np.maximum(longest, 1e-6)))) <= self.reach:
                centers = np.abs((own[both, :2] + own[both, 2:]) - (other[both, :2] + other[both, 2:])).sum(1)
                found.append((gap, float(np.median(centers)), j))
        return [min(found)[2]] if found else []


def boxes_around(keypoints_MTR3: "np.ndarray") -> "np.ndarray":
    """The boxes x1, y1, x2, y2 around the joints of each person in each frame, float32 M,T,4; NaN: no joint."""
    import numpy as np

    keypoints = keypoints_MTR3.astype(np.float32)
    visible = (keypoints[..., 2] > 0)[..., None]
    low = np.where(visible, keypoints[..., :2], np.inf).min(2)
    high = np.where(visible, keypoints[..., :2], -np.inf).max(2)
    boxes = np.concatenate([low, high], -1).astype(np.float32)
    return np.where(np.isfinite(boxes), boxes, np.float32(np.nan))
