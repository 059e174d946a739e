"""From person boxes to the crops a top-down estimator sees, and from places in its heatmaps back to the frame.

Boxes are x1, y1, x2, y2 in pixels of the frame. A region is x, y, width, height: a box grown to the aspect ratio of the
estimator's input and padded, which a crop shows in full. Places in heatmaps, crops and frames are pixel coordinates,
whole numbers at pixel centers, related by pure scaling: heatmap (0, 0), crop (0, 0) and the corner of the region are
the same place. This is what HRNet and its successors are trained with ("MSRA" encoding, Xiao et al. 2018).
"""

from collections.abc import Sequence

import cv2
import numpy as np

PADDING = 1.25
"""The region's size over the box's, as in the training of all usual top-down estimators."""

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)


def person_regions(boxes: np.ndarray, input_size: tuple[int, int], padding: float = PADDING) -> np.ndarray:
    """Regions [N,4] (x, y, width, height) around boxes [N,4], in the aspect ratio of ``input_size`` (height, width)."""
    aspect = input_size[1] / input_size[0]
    center = (boxes[:, :2] + boxes[:, 2:4]) / 2
    width, height = (boxes[:, 2:4] - boxes[:, :2]).T
    width = np.maximum(width, height * aspect)
    size = np.stack([width, width / aspect], axis=1) * padding
    return np.concatenate([center - size / 2, size], axis=1)


def crop(image: np.ndarray, region: Sequence[float], input_size: tuple[int, int]) -> np.ndarray:
    """What ``region`` shows of ``image`` (uint8 H,W,3), as uint8 h,w,3 of ``input_size``; black outside the image."""
    height, width = input_size
    x, y, region_width, region_height = region
    scale_x, scale_y = width / region_width, height / region_height
    to_crop = np.array([[scale_x, 0, -x * scale_x], [0, scale_y, -y * scale_y]])
    return cv2.warpAffine(image, to_crop, (width, height), flags=cv2.INTER_LINEAR)


def to_frame(points: np.ndarray, regions: np.ndarray, heatmap_size: tuple[int, int]) -> np.ndarray:
    """Frame pixels [N,R,2] of heatmap places ``points`` [N,R,2] (x, y), given each row's region [N,4]."""
    size = np.array(heatmap_size[::-1], dtype=float)
    return regions[:, None, :2] + points / size * regions[:, None, 2:]


def to_heatmap(points: np.ndarray, regions: np.ndarray, heatmap_size: tuple[int, int]) -> np.ndarray:
    """Heatmap places [N,R,2] of frame pixels ``points`` [N,R,2]: the inverse of ``to_frame``, for training targets."""
    size = np.array(heatmap_size[::-1], dtype=float)
    return (points - regions[:, None, :2]) / regions[:, None, 2:] * size


def normalized(crops: np.ndarray) -> np.ndarray:
    """RGB crops uint8 B,h,w,3 as float32 B,3,h,w with ImageNet's mean and standard deviation."""
    pixels = crops * (1 / (255 * IMAGENET_STD)) - IMAGENET_MEAN / IMAGENET_STD
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
