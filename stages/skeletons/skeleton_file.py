"""The skeletons in all frames of a video, whatever format they came in."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.errors import ClipError
from recognizer.skeletons import Layout

_MIN_SHARE = 0.9
"""Share of the requested frames that a file must have: skeletons often end a few frames before the video."""
_COUNTS_DIFFER = 0.1
"""Share of a video's frames by which its skeleton file may be longer or shorter."""
_FEW = 3
"""Frames by which it may be so in any case."""
_LARGEST_SHARE = 1.5
"""If no coordinate is beyond this, they are shares of the frame, not pixels of it."""


class SkeletonFile(NamedTuple):
    """The skeletons in all frames of a video."""

    path: Path | str
    """A URL is a str."""
    keypoints: np.ndarray
    """float M,T,R,3: x, y in pixels of the video (or ``relative``), and score; the best person first. M,T,R,4 for
    skeletons in space: x, y, z and score."""
    layout: Layout
    size: tuple[float, float] | None
    """Width and height of the video's frames in pixels, if the file has them."""
    entry: str | None = None
    """Which clip of a file that holds several."""
    relative: bool = False
    """Coordinates are shares of the frame: 0 is its left or top edge, 1 its right or bottom edge."""
    open_end: bool = False
    """The file lists only frames with people, so any number of frames without people may follow its last one."""
    perhaps_before: int = 0
    """How many frames come before the first one, if the file lists only frames with people. It does not say."""

    def __str__(self) -> str:
        """What errors call it."""
        return f"skeleton file {self.path}" if self.entry is None else f"{self.entry} in skeleton file {self.path}"

    def check(self, video_frames: int | None, width: int, height: int) -> None:
        """Raise ClipError if the file cannot be of a video with so many frames of this size.

        video_frames: None where only a part of the video was read.
        """
        if self.keypoints.shape[3] > 3:
            raise ClipError(
                f"{self} has skeletons in space, not in pixels of the video: use the stage skeletons instead of "
                "decode and pose"
            )
        length = self.keypoints.shape[1]
        excess = 0 if video_frames is None else length - video_frames
        if self.open_end:
            excess = max(excess, 0)
        if self.perhaps_before and excess < 0 and excess + self.perhaps_before <= 1:
            first, last = self.perhaps_before, self.perhaps_before + length - 1
            raise ClipError(
                f"{self} lists frames {first} to {last}, all of them with people, and its video has {video_frames}: "
                "list the frames without people, too, so that it is known which frame is the first"
            )
        if abs(excess) > max(_FEW, _COUNTS_DIFFER * (video_frames or 0)):
            raise ClipError(
                f"{self} has {length} frames, its video {video_frames}: it belongs to another "
                "video, or was made from other frames"
            )
        if self.size and (self.size[0] - self.size[1]) * (width - height) < 0:
            raise ClipError(
                f"{self} says size {self.size[0]:g}, {self.size[1]:g}, but the video is {width} x "
                f"{height}: size is width and height, in this order"
            )
        edges = np.array((1, 1) if self.relative else self.size or (width, height))
        points = self.keypoints[..., :2][self.keypoints[..., 2] > 0]
        outside = ((points < -0.1 * edges) | (points > 1.1 * edges)).any(-1)
        if len(points) and outside.mean() > 0.5:
            raise ClipError(
                f"{self}: most joints lie far outside of the frame of {edges[0]:g} x {edges[1]:g}; "
                "give size, the width and height that its pixels refer to"
            )

    def in_pixels(self, width: float, height: float) -> "SkeletonFile":
        """The same skeletons in pixels, where they are shares of a frame of this size."""
        if not self.relative:
            return self
        return self._replace(keypoints=from_shares(self.keypoints, (width, height)), relative=False)

    def frames(self, indices: Sequence[int] | np.ndarray, persons: int) -> np.ndarray:
        """Keypoints M,T,R,3 of the frames with these indices and of at most ``persons`` people; zeros where missing.

        Raises ClipError if the file is much shorter than the video.
        """
        length = self.keypoints.shape[1]
        wanted = np.asarray(indices)
        valid = wanted < length
        if not self.open_end and len(wanted) - valid.sum() > max(1, (1 - _MIN_SHARE) * len(wanted)):
            raise ClipError(f"{self} has {length} frames, but frame {wanted.max()} of the video is needed")
        keypoints = np.zeros((min(persons, len(self.keypoints)), len(wanted), self.layout.count, 3))
        keypoints[:, valid] = self.keypoints[:persons, wanted[valid]]
        keypoints[~np.isfinite(keypoints).all(3) | (keypoints[..., 2] <= 0)] = 0
        return keypoints


def from_shares(keypoints: np.ndarray, size: tuple[float, float]) -> np.ndarray:
    """Keypoints ...,3 in pixels, whose first has its middle at 0, from shares of a frame of this size."""
    pixels = keypoints.copy()
    pixels[..., :2] = pixels[..., :2] * size - 0.5
    return pixels


def are_shares(keypoints: np.ndarray) -> bool:
    """Whether the coordinates of keypoints ...,3 are shares of the frame rather than pixels of it: all are small."""
    valid = keypoints[..., :2][(keypoints[..., 2] > 0) & np.isfinite(keypoints).all(-1)]
    return bool(len(valid) and np.ptp(valid) > 0 and np.abs(valid).max() <= _LARGEST_SHARE)
