"""Square crops of clips, applied to frames and skeletons alike.

A clip has one crop for all its frames, so that motion in the crop is motion in the scene.
"""

from typing import NamedTuple

import cv2
import numpy as np

from pipeline.errors import ClipError

SMALLEST = 1 / 8
"""Smallest side of the square around persons, as a fraction of the frame's longer edge, even for a single joint."""


class Crop(NamedTuple):
    """A square in a frame, in pixels. If the size of the frame is unknown, it counts as 1 by 1."""

    left: float
    top: float
    side: float

    def on_pixels(self) -> "Crop":
        """The crop rounded to whole pixels, so that frames and skeletons are cropped at the same position."""
        return Crop(round(self.left), round(self.top), max(round(self.side), 1))

    def frame(self, image_HWC: np.ndarray, size: int) -> np.ndarray:
        """The pixels of a crop from ``on_pixels``, resized to size,size,C; black where the crop exceeds the frame."""
        height, width = image_HWC.shape[:2]
        left, top, side = int(self.left), int(self.top), int(self.side)
        pixels = image_HWC[max(top, 0) : top + side, max(left, 0) : left + side]
        outside = (max(-top, 0), max(top + side - height, 0), max(-left, 0), max(left + side - width, 0))
        if any(outside):
            pixels = cv2.copyMakeBorder(pixels, *outside, cv2.BORDER_CONSTANT)
        return cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_LINEAR)

    def keypoints(self, keypoints_MTR3: np.ndarray, height: float, width: float) -> np.ndarray:
        """Keypoints, given relative to a frame of this size, relative to the crop; joints outside of it are missing."""
        keypoints = keypoints_MTR3.astype(np.float32)
        keypoints[..., :2] = (keypoints[..., :2] * (width, height) - (self.left, self.top)) / self.side
        return zero_invisible(keypoints)


def zero_invisible(keypoints_MTR3: np.ndarray) -> np.ndarray:
    """The keypoints with zeros for every joint that is missing or outside of the image."""
    positions = keypoints_MTR3[..., :2]
    visible = (keypoints_MTR3[..., 2] > 0) & (positions >= 0).all(-1) & (positions <= 1).all(-1)
    return np.where(visible[..., None], keypoints_MTR3, np.float32(0))


def center_crop(height: int, width: int) -> Crop:
    """The largest square in the center of the frame."""
    side = min(height, width)
    return Crop((width - side) // 2, (height - side) // 2, side)


def person_crop(keypoints_MTR3: np.ndarray, height: float, width: float, padding: float) -> Crop | None:
    """The square around all visible joints of all persons in all frames, or None if no joint is visible.

    padding: added on each side, as a fraction of the longer edge of the joints' box.

    The square is shifted into the frame if it fits. If it is larger than the frame's shorter edge, it extends beyond
    the frame equally on both sides, so that no person is cut off.
    """
    visible = keypoints_MTR3[keypoints_MTR3[..., 2] > 0]
    if not len(visible):
        return None
    edges = np.array([width, height], np.float64)
    positions = np.clip(visible[:, :2].astype(np.float64), 0, 1) * edges
    low, high = positions.min(0), positions.max(0)
    longest = edges.max()
    side = np.clip((high - low).max() * (1 + 2 * padding), SMALLEST * longest, longest)
    room = edges - side
    corner = np.where(room >= 0, np.clip((low + high - side) / 2, 0, np.maximum(room, 0)), room / 2)
    return Crop(float(corner[0]), float(corner[1]), float(side))


def crop_jpeg(jpeg: bytes, crop: Crop, size: int, quality: int) -> bytes:
    """The crop of a JPEG image, as a JPEG image of ``size`` by ``size``."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ClipError("a decoded frame is not a readable JPEG image: run again with --force decode")
    return cv2.imencode(".jpg", crop.frame(image, size), [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
