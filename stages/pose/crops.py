"""From person boxes to the crops that a top-down estimator sees, and from points in crops back to the frame.

Boxes are x1, y1, x2, y2 in pixels of the frame. A region (x, y, width, height) is the part of the frame that a crop
shows: a box with padding, extended to the aspect ratio of the estimator's input. Points in heatmaps, crops and frames
are pixel coordinates with whole numbers at pixel centers, and are related by scaling alone: (0, 0) in the heatmap,
(0, 0) in the crop and the corner of the region are the same point. HRNet and its successors are trained with this
convention ("MSRA" encoding, Xiao et al. 2018).
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

PADDING = 1.25
"""Size of the region relative to the box, as in the training of all common top-down estimators."""

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)


def person_regions(boxes: np.ndarray, input_size: tuple[int, int], padding: float = PADDING) -> np.ndarray:
    """Regions N,4 (x, y, width, height) around boxes N,4, with the aspect ratio of ``input_size`` (height, width)."""
    aspect = input_size[1] / input_size[0]
    center = (boxes[:, :2] + boxes[:, 2:4]) / 2
    width, height = (boxes[:, 2:4] - boxes[:, :2]).T
    width = np.maximum(width, height * aspect)
    size = np.stack([width, width / aspect], axis=1) * padding
    return np.concatenate([center - size / 2, size], axis=1)


def trimmed(region: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The middle of a region (x, y, width, height), of this share of its width and height."""
    size = region[2:] * share
    return np.concatenate([region[:2] + (region[2:] - size) / 2, size])


def padded_size(image_hw: Sequence[int], scale: float, multiple: int) -> tuple[int, int]:
    """Height and width of a scaled image, each rounded up to a multiple."""
    height, width = (math.ceil(max(1, round(length * scale)) / multiple) * multiple for length in image_hw)
    return height, width


def crop(image: np.ndarray, region: Sequence[float] | np.ndarray, input_size: tuple[int, int]) -> np.ndarray:
    """The ``region`` of ``image`` (uint8 H,W,3), scaled to uint8 h,w,3 of ``input_size``; black outside the image."""
    height, width = input_size
    x, y, region_width, region_height = region
    scale_x, scale_y = width / region_width, height / region_height
    to_crop = np.array([[scale_x, 0, -x * scale_x], [0, scale_y, -y * scale_y]])
    return cv2.warpAffine(image, to_crop, (width, height), flags=cv2.INTER_LINEAR)


def scaled(image: np.ndarray, scale: float, size_hw: tuple[int, int], gray: int = 0) -> np.ndarray:
    """uint8 h,w,3 of this size: the whole image (uint8 H,W,3), scaled, in the upper left corner; gray beside it."""
    height, width = (max(1, round(length * scale)) for length in image.shape[:2])
    whole = np.full((*size_hw, 3), gray, np.uint8)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    whole[:height, :width] = cv2.resize(image, (width, height), interpolation=way)
    return whole


def to_frame(points: np.ndarray, regions: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Points N,R,2 (x, y) in crops or heatmaps of this height and width, as points in the frame, given regions N,4."""
    size = np.array(size_hw[::-1], dtype=float)
    return regions[:, None, :2] + points / size * regions[:, None, 2:]


def to_heatmap(points: np.ndarray, regions: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Points N,R,2 in the frame, as points in heatmaps: the inverse of ``to_frame``, for training targets."""
    size = np.array(size_hw[::-1], dtype=float)
    return (points - regions[:, None, :2]) / regions[:, None, 2:] * size


def planes(images: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """RGB images uint8 B,h,w,3 as float32 B,3,h,w, where the numbers of a channel (3) are ``pixel * scale - shift``.

    A table of the 256 values of each channel is five times as fast as computing with pixels.
    """
    values = np.arange(256, dtype=np.uint8)[:, None] * scale.astype(np.float32) - shift.astype(np.float32)
    out = np.empty((len(images), 3, *images.shape[1:3]), np.float32)
    for image, channels in zip(images, out, strict=True):
        for c in range(3):
            cv2.LUT(np.ascontiguousarray(image[..., c]), np.ascontiguousarray(values[:, c]), channels[c])
    return out


def normalized(crops: np.ndarray) -> np.ndarray:
    """RGB crops uint8 B,h,w,3 as float32 B,3,h,w with ImageNet's mean and standard deviation."""
    return planes(crops, 1 / (255 * IMAGENET_STD), IMAGENET_MEAN / IMAGENET_STD)
