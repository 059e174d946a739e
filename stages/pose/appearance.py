"""What people look like, which tells them apart again after one has hidden the other."""

import cv2
import numpy as np


def appearances(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """float N,9: mean colors (CIE Lab) of the upper, middle and lower third of ``boxes`` (N,4 or more columns) in an
    RGB image (uint8 H,W,3).

    Only the middle half of a box's width counts: it shows more of the body and less of the background.
    """
    height, width = image.shape[:2]
    found = np.zeros((len(boxes), 9))
    for n, (x1, y1, x2, y2) in enumerate(boxes[:, :4]):
        quarter = (x2 - x1) / 4
        left, right = np.clip([x1 + quarter, x2 - quarter], 0, width - 1).astype(int)
        top, bottom = np.clip([y1, y2], 0, height - 1).astype(int)
        middle = image[top : bottom + 1, left : right + 1].astype(np.float32) / 255
        thirds = cv2.resize(cv2.cvtColor(middle, cv2.COLOR_RGB2LAB), (1, 3), interpolation=cv2.INTER_AREA)
        found[n] = thirds.reshape(9)
    return found


def color_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """N,M: distances between appearances N,9 and M,9, averaged over the thirds. About 2.3 is just noticeable."""
    return np.linalg.norm(a[:, None].reshape(len(a), 1, 3, 3) - b[None].reshape(1, len(b), 3, 3), axis=3).mean(2)
