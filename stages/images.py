"""Images of clips for a page: how large they are, and the bytes of a file."""

import cv2
import numpy as np

BLANK = (30, 34, 42)
"""Background of skeletons whose network sees no frames."""


def tile(frame: np.ndarray | None, side: int) -> np.ndarray:
    """The frame, uint8 H,W,3 RGB, scaled so that its longer side has ``side`` pixels; without one, a dark square.

    Small frames are enlarged before anything is drawn on them, so that lines stay fine.
    """
    if frame is None:
        return np.full((side, side, 3), BLANK, np.uint8)
    scale = side / max(frame.shape[:2])
    size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def encoded(image: np.ndarray, kind: str, quality: int = 85) -> bytes:
    """An RGB image as the bytes of a ``.png`` or ``.jpg`` file. ``quality``: of JPEG."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if kind == ".jpg" else []
    return cv2.imencode(kind, image[..., ::-1], options)[1].tobytes()
