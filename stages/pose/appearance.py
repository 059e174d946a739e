"""What people look like, so that two who meet can be told apart when they part."""

import cv2
import numpy as np


def looks(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """float N,9: the mean colors (CIE Lab) of head, trunk and legs in each of ``boxes`` (N,4 or more) of an RGB image.

    Only the middle half of a box is looked at, where there is more body than background.
    """
    height, width = image.shape[:2]
    found = np.zeros((len(boxes), 9))
    for n, (x1, y1, x2, y2) in enumerate(boxes[:, :4]):
        quarter = (x2 - x1) / 4
        left, right = np.clip([x1 + quarter, x2 - quarter], 0, width - 1).astype(int)
        top, bottom = np.clip([y1, y2], 0, height - 1).astype(int)
        middle = image[top : bottom + 1, left : right + 1].astype(np.float32) / 255
        parts = cv2.resize(cv2.cvtColor(middle, cv2.COLOR_RGB2LAB), (1, 3), interpolation=cv2.INTER_AREA)
        found[n] = parts.reshape(9)
    return found


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean distance [N,M] between the colors of looks [N,9] and [M,9]; about 2.3 is just noticeable."""
    return np.linalg.norm(a[:, None].reshape(len(a), 1, 3, 3) - b[None].reshape(1, len(b), 3, 3), axis=3).mean(2)
